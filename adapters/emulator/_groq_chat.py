"""Chat as Groq has it: times in the usage, reasoning beside the text, and `x_groq`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from adapters.emulator.answers import (
    count_tokens,
    digest,
    expected_thoughts,
    prompt_text,
    split_tokens,
)
from adapters.emulator.checks import (
    Check,
    anything,
    array,
    boolean,
    check_body,
    integer,
    mapping,
    refuse,
    string,
)
from adapters.emulator.openai_style.chat import (
    FRAMING,
    chat_usage,
    chat_wish,
    finish_reason,
    written_choice,
)
from adapters.emulator.openai_style.chat_checks import CHAT, check_messages
from adapters.emulator.openai_style.chat_stream import DONE, chat_deltas
from adapters.emulator.openai_style.choices import Choice, make_choice
from adapters.emulator.openai_style.models import Models, check_context, find_model
from adapters.emulator.protocol import Answer, Call, Operation, server_sent_event, to_json

__all__ = ["groq_chat_operation"]

_NOT_HERE = frozenset(
    {
        "audio",
        "modalities",
        "moderation",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "verbosity",
        "web_search_options",
    }
)
_CHAT: Mapping[str, Check] = {
    **{name: check for name, check in CHAT.items() if name not in _NOT_HERE},
    "n": integer(1, 1),
    "citation_options": string("enabled", "disabled"),
    "compound_custom": mapping(),
    "disable_tool_validation": boolean,
    "documents": array(mapping()),
    "exclude_domains": array(string()),
    "include_domains": array(string()),
    "include_reasoning": boolean,
    "reasoning_effort": string("none", "default", "low", "medium", "high"),
    "reasoning_format": string("hidden", "raw", "parsed"),
    "search_settings": anything,
    "service_tier": string("auto", "on_demand", "flex", "performance"),
}
# Seconds a token, as the times in the usage say.
_READ, _WRITE = 0.0001, 0.002


def groq_chat_operation(models: Models) -> Operation:
    """Give the operation for these models."""
    return Operation("chat", "POST", "/chat/completions", partial(_chat, models))


def _chat(models: Models, call: Call) -> Answer:
    body = call.data
    check_body(body, _CHAT, ("model", "messages"))
    model = find_model(models, body["model"], "chat")
    check_messages(body, replace(model, reasons=False))
    if body.get("include_reasoning") is not None and body.get("reasoning_format") is not None:
        refuse("'include_reasoning' and 'reasoning_format' exclude each other.", "reasoning_format")
    prompt = prompt_text(body["messages"])
    tokens = count_tokens(prompt) + FRAMING * len(body["messages"])
    check_context(model, tokens, "messages")
    choice = make_choice(call, model, prompt, chat_wish(body))
    usage = _usage(tokens, choice)
    choice, reasoning = _with_reasoning(call, prompt, choice)
    reason = _reason(choice, body)
    head = {
        "id": f"chatcmpl-{digest('chat', call.seed, call.index, size=29)}",
        "object": "chat.completion.chunk" if call.stream else "chat.completion",
        "created": int(time.time()),
        "model": model.id,
        "system_fingerprint": f"fp_{digest('system', call.seed, size=10)}",
    }
    if call.stream:
        events = _events(call, head, choice, reason, usage=usage, reasoning=reasoning)
        return Answer(events=tuple(events), content_type=call.provider.stream_type)
    written = written_choice(0, choice, reason, log=bool(body.get("logprobs")))
    del written["message"]["refusal"]
    if reasoning:
        written["message"]["reasoning"] = "".join(reasoning)
    tail = {"x_groq": {"id": call.request_id}, "service_tier": "on_demand"}
    return Answer.of_json({**head, "choices": [written], "usage": usage, **tail})


def _reason(choice: Choice, body: Mapping[str, Any]) -> str:
    """Say why an answer ended; a tool that was named ends as one that was chosen."""
    called = choice.tool is not None and choice.complete
    return "tool_calls" if called else finish_reason(choice, body)


def _with_reasoning(call: Call, prompt: str, choice: Choice) -> tuple[Choice, Sequence[str]]:
    """Give the answer, and the tokens of reasoning beside it; `raw` puts them into the text."""
    shape = call.data.get("reasoning_format") or "parsed"
    if shape == "hidden" or call.data.get("include_reasoning") is False:
        return choice, ()
    words = split_tokens(expected_thoughts(prompt, seed=call.seed))[: choice.thoughts]
    if shape == "raw" and words and choice.tool is None:
        return replace(choice, tokens=("<think>\n", *words, "\n</think>\n", *choice.tokens)), ()
    return choice, words


def _usage(tokens: int, choice: Choice) -> dict[str, Any]:
    usage = chat_usage(tokens, [choice])
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    times = {"queue_time": 0.01, "prompt_time": tokens * _READ}
    times["completion_time"] = choice.cost * _WRITE
    usage |= {**times, "total_time": times["prompt_time"] + times["completion_time"]}
    usage["prompt_tokens_details"] = {"cached_tokens": cached}
    usage["completion_tokens_details"] = {"reasoning_tokens": choice.thoughts}
    return usage


def _events(
    call: Call,
    head: Mapping[str, Any],
    choice: Choice,
    reason: str,
    *,
    usage: Mapping[str, Any],
    reasoning: Sequence[str],
) -> Iterator[bytes]:
    """Give all events; the first and the last with a choice have `x_groq`, the last with usage."""
    choices = list(chat_deltas([choice], [reason], log=bool(call.data.get("logprobs"))))
    thoughts = [{**choices[1], "delta": {"reasoning": word}} for word in reasoning]
    choices[1:1] = thoughts
    for place, each in enumerate(choices):
        tail: dict[str, Any] = {}
        if place == 0:
            del each["delta"]["refusal"]
            tail = {"x_groq": {"id": call.request_id}}
        elif place == len(choices) - 1:
            tail = {"x_groq": {"id": call.request_id, "usage": usage}}
        yield server_sent_event(to_json({**head, "choices": [each], **tail}))
    if (call.data.get("stream_options") or {}).get("include_usage"):
        yield server_sent_event(to_json({**head, "choices": [], "usage": usage}))
    yield DONE
