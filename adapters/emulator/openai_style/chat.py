"""Chat completions: the answer as a whole; `chat_stream` cuts it into chunks."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from adapters.emulator.answers import count_tokens, digest, prompt_text
from adapters.emulator.checks import check_body
from adapters.emulator.openai_style.chat_checks import CHAT, check_messages
from adapters.emulator.openai_style.chat_stream import chat_events
from adapters.emulator.openai_style.choices import (
    Choice,
    Wish,
    chosen_tool,
    logprobs,
    make_choice,
)
from adapters.emulator.openai_style.models import Models, check_context, find_model
from adapters.emulator.protocol import Answer, Call, Operation

__all__ = [
    "FRAMING",
    "cached_tokens",
    "chat_operation",
    "chat_usage",
    "chat_wish",
    "finish_reason",
    "written_choice",
]

# Prompts are served from the cache from this length on, in steps of the second number.
_CACHE_FROM, _CACHE_STEP = 1024, 128
# What each message costs beside its text.
FRAMING = 4


def chat_operation(models: Models) -> Operation:
    """Give the operation for these models."""
    return Operation("chat", "POST", "/chat/completions", partial(_chat, models))


def _chat(models: Models, call: Call) -> Answer:
    body = call.data
    check_body(body, CHAT, ("model", "messages"))
    model = find_model(models, body["model"], "chat")
    check_messages(body, model)
    prompt = prompt_text(body["messages"])
    prompt_tokens = count_tokens(prompt) + FRAMING * len(body["messages"])
    check_context(model, prompt_tokens, "messages")
    wish = chat_wish(body)
    choices = [make_choice(call, model, prompt, wish, i) for i in range(body.get("n") or 1)]
    reasons = [finish_reason(choice, body) for choice in choices]
    head = {
        "id": f"chatcmpl-{digest('chat', call.seed, call.index, size=29)}",
        "object": "chat.completion.chunk" if call.stream else "chat.completion",
        "created": int(time.time()),
        "model": model.id,
        "service_tier": "default",
        "system_fingerprint": f"fp_{digest('system', call.seed, size=10)}",
    }
    usage = chat_usage(prompt_tokens, choices)
    if call.stream:
        events = chat_events(head, choices, reasons, usage, body)
        return Answer(events=tuple(events), content_type=call.provider.stream_type)
    written = [
        written_choice(number, choice, reason, log=bool(body.get("logprobs")))
        for number, (choice, reason) in enumerate(zip(choices, reasons, strict=True))
    ]
    return Answer.of_json({**head, "choices": written, "usage": usage})


def chat_wish(body: Mapping[str, Any]) -> Wish:
    """Read what a request asks of the answer."""
    choice = body.get("tool_choice")
    functions = [tool["function"] for tool in body.get("tools") or () if "function" in tool]
    name = choice.get("function", {}).get("name") if isinstance(choice, dict) else None
    form = body.get("response_format") or {}
    return Wish(
        budget=body.get("max_completion_tokens") or body.get("max_tokens"),
        tool=chosen_tool(choice, functions, name),
        format={"type": form.get("type"), **(form.get("json_schema") or {})},
        stop=body.get("stop"),
        effort=body.get("reasoning_effort"),
    )


def finish_reason(choice: Choice, body: Mapping[str, Any]) -> str:
    """Say why an answer ended.

    A tool that the request has named ends with `stop`: the model had nothing to choose.
    """
    if not choice.complete:
        return "length"
    return "tool_calls" if choice.tool and body["tool_choice"] == "required" else "stop"


def cached_tokens(prompt_tokens: int) -> int:
    """Give how many tokens of a prompt the cache serves."""
    return prompt_tokens // _CACHE_STEP * _CACHE_STEP if prompt_tokens >= _CACHE_FROM else 0


def chat_usage(prompt_tokens: int, choices: Sequence[Choice]) -> dict[str, Any]:
    """Count what all choices cost together."""
    completion = sum(choice.cost for choice in choices)
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": prompt_tokens + completion,
        "prompt_tokens_details": {
            "cached_tokens": cached_tokens(prompt_tokens),
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": sum(choice.thoughts for choice in choices),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def written_choice(number: int, choice: Choice, reason: str, *, log: bool) -> dict[str, Any]:
    """Write a choice as a message, with log probabilities where they were asked for."""
    message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
    if choice.tool is not None:
        function = {"name": choice.tool, "arguments": choice.text}
        message["content"] = None
        message["tool_calls"] = [{"id": choice.tool_id, "type": "function", "function": function}]
    return {
        "index": number,
        "message": message,
        "logprobs": logprobs(choice.tokens) if log else None,
        "finish_reason": reason,
    }
