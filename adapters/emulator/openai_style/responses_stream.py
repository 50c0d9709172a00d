"""The Responses API as a stream: named events with running numbers, from created to completed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters.emulator.openai_style.choices import Choice
from adapters.emulator.protocol import server_sent_event, to_json

__all__ = ["response_events"]

_Event = tuple[str, dict[str, Any]]


def response_events(response: dict[str, Any], choice: Choice) -> Iterator[bytes]:
    """Give all events of a finished response, as they come while it is being made."""
    for number, (name, members) in enumerate(_all(response, choice)):
        event = {"type": name, **members, "sequence_number": number}
        yield b"event: " + name.encode() + b"\n" + server_sent_event(to_json(event))


def _all(response: dict[str, Any], choice: Choice) -> Iterator[_Event]:
    unfinished = {
        **response,
        "status": "in_progress",
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }
    yield "response.created", {"response": unfinished}
    yield "response.in_progress", {"response": unfinished}
    for index, item in enumerate(response["output"]):
        yield from _item(index, item, choice)
    yield f"response.{response['status']}", {"response": response}


def _item(index: int, item: dict[str, Any], choice: Choice) -> Iterator[_Event]:
    empty: dict[str, dict[str, Any]] = {
        "message": {"content": []},
        "function_call": {"arguments": ""},
    }
    begun = {**item, **empty.get(item["type"], {})}
    if "status" in item:
        begun["status"] = "in_progress"
    yield "response.output_item.added", {"output_index": index, "item": begun}
    place = {"item_id": item["id"], "output_index": index}
    if item["type"] == "message":
        yield from _text({**place, "content_index": 0}, item["content"][0], choice)
    elif item["type"] == "function_call":
        yield from _arguments(place, item, choice)
    yield "response.output_item.done", {"output_index": index, "item": item}


def _text(place: dict[str, Any], part: dict[str, Any], choice: Choice) -> Iterator[_Event]:
    yield "response.content_part.added", {**place, "part": {**part, "text": ""}}
    for token in choice.tokens:
        yield "response.output_text.delta", {**place, "delta": token, "logprobs": []}
    yield "response.output_text.done", {**place, "text": choice.text, "logprobs": []}
    yield "response.content_part.done", {**place, "part": part}


def _arguments(place: dict[str, Any], item: dict[str, Any], choice: Choice) -> Iterator[_Event]:
    for token in choice.tokens:
        yield "response.function_call_arguments.delta", {**place, "delta": token}
    members = {**place, "name": item["name"], "arguments": choice.text}
    yield "response.function_call_arguments.done", members
