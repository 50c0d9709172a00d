"""Messages as a stream: named events, from `message_start` to `message_stop`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapters.emulator.answers import split_tokens
from adapters.emulator.protocol import server_sent_event, to_json

__all__ = ["message_events"]

_Event = tuple[str, dict[str, Any]]


def message_events(message: Mapping[str, Any]) -> Iterator[bytes]:
    """Give all events of a finished message, as they come while it is being made."""
    for name, members in _all(message):
        event = to_json({"type": name, **members})
        yield b"event: " + name.encode() + b"\n" + server_sent_event(event)


def _all(message: Mapping[str, Any]) -> Iterator[_Event]:
    # At the start the input is known, and of the output the first token.
    usage = {**message["usage"], "output_tokens": 1}
    usage.pop("output_tokens_details")
    begun: dict[str, Any] = {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    yield "message_start", {"message": {**message, **begun}}
    for index, block in enumerate(message["content"]):
        yield from _block(index, block)
    delta = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    total = {name: message["usage"][name] for name in ("output_tokens", "output_tokens_details")}
    yield "message_delta", {"delta": delta, "usage": total}
    yield "message_stop", {}


def _block(index: int, block: Mapping[str, Any]) -> Iterator[_Event]:
    empty, deltas = _pieces(block)
    yield "content_block_start", {"index": index, "content_block": {**block, **empty}}
    if index == 0:
        yield "ping", {}
    for delta in deltas:
        yield "content_block_delta", {"index": index, "delta": delta}
    yield "content_block_stop", {"index": index}


def _pieces(block: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Give what a block lacks at its start, and the deltas that make it whole."""
    if block["type"] == "tool_use":
        # The first piece of the arguments is empty, and an object without members has no other.
        text = to_json(block["input"]).decode() if block["input"] else ""
        pieces = ["", *split_tokens(text)]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        return {"input": {}}, deltas
    if block["type"] == "thinking":
        pieces = split_tokens(block["thinking"])
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return {"thinking": "", "signature": ""}, [*deltas, signed]
    pieces = split_tokens(block["text"])
    return {"text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]
