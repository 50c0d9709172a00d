"""Messages: the answer as a whole (`stream` cuts it into events), and the count of its tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from adapters.emulator.answers import (
    count_tokens,
    digest,
    expected_answer,
    expected_thoughts,
    prompt_text,
    split_tokens,
)
from adapters.emulator.checks import check_body, refuse
from adapters.emulator.claude_style.checks import COUNT, MESSAGES, check_messages
from adapters.emulator.claude_style.errors import check_version
from adapters.emulator.claude_style.models import ClaudeModel, ClaudeModels, find_model
from adapters.emulator.claude_style.stream import message_events
from adapters.emulator.openai_style.choices import Choice, Wish, make_choice
from adapters.emulator.protocol import Answer, Call, Operation, Problem, Refusal

__all__ = ["message_operations"]

# What each message costs beside its text.
_FRAMING = 4
# A prompt with `cache_control` is read from the cache in steps of the first number, and what is
# left is written to it in steps of the second.
_READ_STEP, _WRITE_STEP = 1024, 128


def message_operations(models: ClaudeModels) -> tuple[Operation, ...]:
    """Give the operations for these models."""
    path = "/v1/messages"
    return (
        Operation("messages", "POST", path, partial(_messages, models)),
        Operation("count_tokens", "POST", f"{path}/count_tokens", partial(_count, models)),
    )


def _prompt(body: Mapping[str, Any]) -> str:
    """Give the text of system prompt and messages; one message alone is the prompt itself."""
    return prompt_text([{"content": body.get("system")}, *body["messages"]])


def _input_tokens(body: Mapping[str, Any], model: ClaudeModel) -> int:
    tokens = count_tokens(_prompt(body)) + _FRAMING * len(body["messages"])
    if tokens > model.context:
        refuse(f"prompt is too long: {tokens} tokens > {model.context} maximum")
    return tokens


def _count(models: ClaudeModels, call: Call) -> Answer:
    version = check_version(call)
    check_body(call.data, COUNT, ("model", "messages"))
    model = find_model(models, call.data["model"])
    check_messages(call.data, model, version)
    return Answer.of_json({"input_tokens": _input_tokens(call.data, model)})


def _messages(models: ClaudeModels, call: Call) -> Answer:
    version = check_version(call)
    body = call.data
    check_body(body, MESSAGES, ("model", "max_tokens", "messages"))
    model = find_model(models, body["model"])
    check_messages(body, model, version)
    thinking = (body.get("thinking") or {}).get("type") in {"enabled", "adaptive"}
    choice = make_choice(call, model.speaker(thinks=thinking), _prompt(body), _wish(body))
    message = {
        "id": f"msg_{digest('message', call.seed, call.index, size=24)}",
        "type": "message",
        "role": "assistant",
        "model": model.id,
        "content": _content(call, choice),
        **_ending(call, choice),
        "usage": _usage(body, _input_tokens(body, model), choice),
    }
    if call.stream:
        events = message_events(message)
        return Answer(events=tuple(events), content_type=call.provider.stream_type)
    return Answer.of_json(message)


def _wish(body: Mapping[str, Any]) -> Wish:
    choice = body.get("tool_choice") or {}
    return Wish(
        budget=body["max_tokens"],
        tool=_tool(choice, [tool for tool in body.get("tools") or () if "input_schema" in tool]),
        format=(body.get("output_config") or {}).get("format"),
        stop=body.get("stop_sequences"),
    )


def _tool(choice: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Find the tool that a request makes the model use; left to itself it uses none."""
    if choice.get("type") not in {"any", "tool"}:
        return None
    wanted = choice.get("name")
    for tool in tools:
        if choice["type"] == "any" or tool["name"] == wanted:
            return {"name": tool["name"], "parameters": tool["input_schema"]}
    raise Refusal(Problem(400, f"Tool '{wanted}' not found in provided tools"))


def _content(call: Call, choice: Choice) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if choice.thoughts:
        words = split_tokens(expected_thoughts(_prompt(call.data), seed=call.seed))
        shown = (call.data["thinking"].get("display") or "summarized") == "summarized"
        text = "".join(words[: choice.thoughts]) if shown else ""
        signature = digest("signature", call.seed, call.index, size=48)
        blocks.append({"type": "thinking", "thinking": text, "signature": signature})
    if choice.tool is not None:
        number = digest("tool", call.seed, call.index, size=24)
        given = json.loads(choice.text) if choice.complete else {}
        used = {"type": "tool_use", "id": f"toolu_{number}", "name": choice.tool, "input": given}
        return [*blocks, used]
    return [*blocks, {"type": "text", "text": choice.text}] if choice.tokens else blocks


def _ending(call: Call, choice: Choice) -> dict[str, Any]:
    """Say why the answer ended, and with which of the stop sequences."""
    stopped = None
    if choice.tool is None and "output_config" not in call.data:
        text = expected_answer(_prompt(call.data), seed=call.seed)
        for sequence in call.data.get("stop_sequences") or ():
            if sequence in text:
                text, stopped = text.partition(sequence)[0], sequence
    reason = "stop_sequence" if stopped else "end_turn"
    if not choice.complete:
        reason, stopped = "max_tokens", None
    elif choice.tool is not None:
        reason = "tool_use"
    return {"stop_reason": reason, "stop_sequence": stopped, "stop_details": None}


def _usage(body: Mapping[str, Any], tokens: int, choice: Choice) -> dict[str, Any]:
    read = written = 0
    if b"cache_control" in json.dumps(body).encode() and tokens >= _READ_STEP:
        read = tokens // _READ_STEP * _READ_STEP
        written = (tokens - read) // _WRITE_STEP * _WRITE_STEP
    return {
        "input_tokens": tokens - read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": 0},
        "output_tokens": choice.cost,
        "output_tokens_details": {"thinking_tokens": choice.thoughts},
        "service_tier": "standard",
    }
