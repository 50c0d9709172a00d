"""Chat completions as a stream of chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from adapters.emulator.openai_style.choices import Choice, logprobs
from adapters.emulator.protocol import server_sent_event, to_json

__all__ = ["DONE", "chat_deltas", "chat_events"]

DONE = server_sent_event(b"[DONE]")


def chat_events(
    head: Mapping[str, Any],
    choices: Sequence[Choice],
    reasons: Sequence[str],
    usage: Mapping[str, Any],
    body: Mapping[str, Any],
) -> Iterator[bytes]:
    """Give all events: beginnings, tokens, finish reasons, usage if it was asked for, end marker.

    The choices take turns, token by token.
    """
    options = body.get("stream_options") or {}
    with_usage = bool(options.get("include_usage"))
    tail: dict[str, Any] = {"usage": None} if with_usage else {}
    if options.get("include_obfuscation", True):
        tail["obfuscation"] = "aN7x"
    # What all chunks have in common is encoded once: it is most of their bytes.
    before = to_json(head)[:-1] + b',"choices":['
    after = b"]," + to_json(tail)[1:] if tail else b"]}"
    for delta in chat_deltas(choices, reasons, log=bool(body.get("logprobs"))):
        yield server_sent_event(before + to_json(delta) + after)
    if with_usage:
        yield server_sent_event(to_json({**head, "choices": [], "usage": usage}))
    yield DONE


def chat_deltas(
    choices: Sequence[Choice], reasons: Sequence[str], *, log: bool
) -> Iterator[dict[str, Any]]:
    """Give the choices of all chunks, one at a time."""
    for number, choice in enumerate(choices):
        yield _delta(number, _beginning(choice))
    for row in zip_longest(*(choice.tokens for choice in choices)):
        for number, token in enumerate(row):
            if token is not None:
                found = logprobs([token]) if log else None
                yield _delta(number, _piece(choices[number], token), found)
    for number, reason in enumerate(reasons):
        yield _delta(number, {}, finish_reason=reason)


def _beginning(choice: Choice) -> dict[str, Any]:
    if choice.tool is None:
        return {"role": "assistant", "content": "", "refusal": None}
    function = {"name": choice.tool, "arguments": ""}
    call = {"index": 0, "id": choice.tool_id, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call], "refusal": None}


def _piece(choice: Choice, token: str) -> dict[str, Any]:
    if choice.tool is None:
        return {"content": token}
    return {"tool_calls": [{"index": 0, "function": {"arguments": token}}]}


def _delta(
    number: int,
    delta: dict[str, Any],
    found: dict[str, Any] | None = None,
    finish_reason: str | None = None,
) -> dict[str, Any]:
    return {"index": number, "delta": delta, "logprobs": found, "finish_reason": finish_reason}
