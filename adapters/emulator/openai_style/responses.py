"""The Responses API: create one, whole or as a stream, and count the tokens of its input.

Nothing is stored: a `previous_response_id` is never found.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from adapters.emulator.answers import count_tokens, digest, prompt_text
from adapters.emulator.checks import check_body, refuse, require
from adapters.emulator.openai_style.chat import cached_tokens
from adapters.emulator.openai_style.choices import Choice, Wish, chosen_tool, make_choice
from adapters.emulator.openai_style.models import Model, Models, check_context, find_model
from adapters.emulator.openai_style.responses_checks import COUNT, RESPONSES
from adapters.emulator.openai_style.responses_stream import response_events
from adapters.emulator.protocol import Answer, Call, Operation

__all__ = ["failed_response", "responses_operations"]


def responses_operations(models: Models) -> tuple[Operation, ...]:
    """Give the operations for these models."""
    return (
        Operation("responses", "POST", "/responses", partial(_responses, models)),
        Operation(
            "input_tokens", "POST", "/responses/input_tokens", partial(_input_tokens, models)
        ),
    )


def _prompt(body: Mapping[str, Any]) -> str:
    """Give the text of instructions and input; a plain input alone is the prompt itself."""
    given = body["input"]
    items = [{"content": given}] if isinstance(given, str) else given
    return prompt_text([{"content": body.get("instructions")}, *items])


def _responses(models: Models, call: Call) -> Answer:
    body = call.data
    check_body(body, RESPONSES, ("model", "input"))
    if body.get("previous_response_id") is not None:
        message = f"Previous response with id '{body['previous_response_id']}' not found."
        refuse(message, "previous_response_id", "previous_response_not_found")
    for position, tool in enumerate(body.get("tools") or ()):
        if tool["type"] == "function":
            require(tool, "name", f"tools[{position}].name")
    model = find_model(models, body["model"], "chat")
    prompt = _prompt(body)
    check_context(model, count_tokens(prompt), "input")
    choice = make_choice(call, model, prompt, _wish(body))
    items = [*_thoughts(call, choice), _item(call, choice)]
    response = _response(call, model, choice, items, count_tokens(prompt))
    if call.stream:
        events = response_events(response, choice)
        return Answer(events=tuple(events), content_type=call.provider.stream_type)
    return Answer.of_json(response)


def _wish(body: Mapping[str, Any]) -> Wish:
    choice = body.get("tool_choice")
    functions = [tool for tool in body.get("tools") or () if tool["type"] == "function"]
    return Wish(
        budget=body.get("max_output_tokens"),
        tool=chosen_tool(
            choice, functions, (choice if isinstance(choice, dict) else {}).get("name")
        ),
        format=(body.get("text") or {}).get("format"),
        effort=(body.get("reasoning") or {}).get("effort"),
    )


def _thoughts(call: Call, choice: Choice) -> list[dict[str, Any]]:
    if not choice.thoughts:
        return []
    number = digest("thought", call.seed, call.index, size=32)
    return [{"id": f"rs_{number}", "type": "reasoning", "summary": []}]


def _item(call: Call, choice: Choice) -> dict[str, Any]:
    number = digest("item", call.seed, call.index, size=32)
    status = "completed" if choice.complete else "incomplete"
    if choice.tool is not None:
        return {
            "id": f"fc_{number}",
            "type": "function_call",
            "status": status,
            "arguments": choice.text,
            "call_id": choice.tool_id,
            "name": choice.tool,
        }
    part = {"type": "output_text", "text": choice.text, "annotations": [], "logprobs": []}
    return {
        "id": f"msg_{number}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [part],
    }


def _response(
    call: Call, model: Model, choice: Choice, items: list[dict[str, Any]], input_tokens: int
) -> dict[str, Any]:
    incomplete = None if choice.complete else {"reason": "max_output_tokens"}
    return {
        **_shell(call, model.id),
        "status": "completed" if choice.complete else "incomplete",
        "incomplete_details": incomplete,
        "output": items,
        "usage": {
            "input_tokens": input_tokens,
            "input_tokens_details": {
                "cached_tokens": cached_tokens(input_tokens),
                "cache_write_tokens": 0,
            },
            "output_tokens": choice.cost,
            "output_tokens_details": {"reasoning_tokens": choice.thoughts},
            "total_tokens": input_tokens + choice.cost,
        },
    }


def _shell(call: Call, model: str | None) -> dict[str, Any]:
    """Give the members that every response has, finished or not."""
    body = call.data
    return {
        "id": f"resp_{digest('response', call.seed, call.index, size=48)}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": model,
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation") or "disabled",
        "usage": None,
    }


def failed_response(call: Call, code: str, message: str) -> Answer:
    """Answer with status 200 and a response that has failed."""
    error = {"code": code, "message": message}
    return Answer.of_json({**_shell(call, call.model), "status": "failed", "error": error})


def _input_tokens(models: Models, call: Call) -> Answer:
    body = call.data
    check_body(body, COUNT, ("model", "input"))
    find_model(models, body["model"], "chat")
    tokens = count_tokens(_prompt(body))
    return Answer.of_json({"object": "response.input_tokens", "input_tokens": tokens})
