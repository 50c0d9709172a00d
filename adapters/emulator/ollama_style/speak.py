"""Chat and generation, whole or line by line; both stream unless they are told not to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from adapters.emulator.answers import (
    count_tokens,
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
    either,
    mapping,
    string,
)
from adapters.emulator.ollama_style.errors import frame
from adapters.emulator.ollama_style.models import OllamaModel, OllamaModels, find_model
from adapters.emulator.openai_style.choices import Choice, Wish, make_choice
from adapters.emulator.protocol import Answer, Call, Operation, Problem, Refusal, to_json

__all__ = ["now", "speak_operations"]

# What each message costs beside its text.
_FRAMING = 4

_SHARED: Mapping[str, Check] = {
    "model": string(),
    "stream": boolean,
    "options": mapping(),
    "format": either("a string or an object", str=anything, dict=mapping()),
    "keep_alive": either("a number or a string", str=anything, int=anything, float=anything),
    "think": either("a boolean or a string", bool=anything, str=string("low", "medium", "high")),
}
_MESSAGE = mapping(required=("role",))
_CHAT: Mapping[str, Check] = {
    **_SHARED,
    "messages": array(_MESSAGE),
    "tools": array(mapping(required=("function",))),
}
_GENERATE: Mapping[str, Check] = {
    **_SHARED,
    "prompt": string(),
    "system": string(),
    "suffix": string(),
    "template": string(),
    "context": array(anything),
    "raw": boolean,
    "images": array(string()),
}


def speak_operations(models: OllamaModels) -> tuple[Operation, ...]:
    """Give the operations for these models."""
    return (
        Operation("chat", "POST", "/api/chat", partial(_chat, models)),
        Operation("generate", "POST", "/api/generate", partial(_generate, models)),
    )


def now() -> str:
    """Give the time as the server writes it, with nanoseconds."""
    seconds, rest = divmod(time.time_ns(), 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def _chat(models: OllamaModels, call: Call) -> Answer:
    body = call.data
    check_body(body, _CHAT, (), open_ended=True)
    model = find_model(models, call, "completion")
    messages = body.get("messages") or []
    if not messages:
        return _loaded(call, {"message": {"role": "assistant", "content": ""}})
    tool = _tool(messages, body.get("tools") or ())
    choice, thoughts = _choice(call, model, prompt_text(messages), tool)
    tokens = count_tokens(prompt_text(messages)) + _FRAMING * len(messages)

    def piece(text: str, thinking: str, **more: Any) -> dict[str, Any]:
        shown = {"thinking": thinking} if thinking else {}
        return {"message": {"role": "assistant", "content": text, **shown, **more}}

    if choice.tool is not None:
        arguments = json.loads(choice.text) if choice.complete else {}
        function = {"index": 0, "name": choice.tool, "arguments": arguments}
        called = [{"id": choice.tool_id, "function": function}]
        pieces = [*(piece("", word) for word in thoughts), piece("", "", tool_calls=called)]
        whole = piece("", "".join(thoughts), tool_calls=called)
    else:
        pieces = [piece("", word) for word in thoughts] + [piece(t, "") for t in choice.tokens]
        whole = piece(choice.text, "".join(thoughts))
    return _spoken(call, pieces, whole, piece("", ""), _done(choice, tokens))


def _tool(
    messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Find the tool that the last message names; the API has no other way to ask for one."""
    said = prompt_text(messages[-1:])
    functions = [tool["function"] for tool in tools]
    return next((each for each in functions if str(each.get("name")) in said), None)


def _generate(models: OllamaModels, call: Call) -> Answer:
    body = call.data
    check_body(body, _GENERATE, (), open_ended=True)
    model = find_model(models, call, "completion")
    if not body.get("prompt"):
        return _loaded(call, {"response": ""})
    prompt = prompt_text([{"content": body.get("system")}, {"content": body["prompt"]}])
    choice, thoughts = _choice(call, model, prompt, None)

    def piece(text: str, thinking: str) -> dict[str, Any]:
        return {"response": text, **({"thinking": thinking} if thinking else {})}

    pieces = [piece("", word) for word in thoughts] + [piece(t, "") for t in choice.tokens]
    tail = {**_done(choice, count_tokens(prompt) + _FRAMING), "context": [1, 2, 3]}
    return _spoken(call, pieces, piece(choice.text, "".join(thoughts)), piece("", ""), tail)


def _choice(
    call: Call, model: OllamaModel, prompt: str, tool: Mapping[str, Any] | None
) -> tuple[Choice, list[str]]:
    body = call.data
    think = body.get("think")
    if think and "thinking" not in model.capabilities:
        raise Refusal(Problem(400, f'"{call.model}" does not support thinking'))
    options = body.get("options") or {}
    form, budget = body.get("format"), options.get("num_predict")
    kinds = {"json": {"type": "json_object"}}
    wish = Wish(
        budget=budget if isinstance(budget, int) and budget >= 0 else None,
        tool=tool,
        format={"type": "json_schema", "schema": form}
        if isinstance(form, dict)
        else kinds.get(form or ""),
        stop=options.get("stop"),
    )
    thinks = "thinking" in model.capabilities and think is not False
    choice = make_choice(call, model.speaker(thinks=thinks), prompt, wish)
    words = split_tokens(expected_thoughts(prompt, seed=call.seed))
    return choice, words[: choice.thoughts]


def _done(choice: Choice, tokens: int) -> dict[str, Any]:
    """Give what the last line has more than the others; a count of zero is left out."""
    cost = {"eval_count": choice.cost, "eval_duration": choice.cost * 10**7} if choice.cost else {}
    return {
        "done_reason": "stop" if choice.complete else "length",
        "total_duration": 10**8 + choice.cost * 10**7,
        "load_duration": 10**7,
        "prompt_eval_count": tokens,
        "prompt_eval_duration": tokens * 10**5,
        **cost,
    }


def _loaded(call: Call, empty: Mapping[str, Any]) -> Answer:
    """Answer a request that says nothing: it loads a model, or unloads it."""
    reason = "unload" if call.data.get("keep_alive") == 0 else "load"
    return Answer.of_json({**_head(call), **empty, "done": True, "done_reason": reason})


def _head(call: Call) -> dict[str, Any]:
    return {"model": call.model, "created_at": now()}


def _spoken(
    call: Call,
    pieces: Sequence[Mapping[str, Any]],
    whole: Mapping[str, Any],
    empty: Mapping[str, Any],
    tail: Mapping[str, Any],
) -> Answer:
    if not call.stream:
        return Answer.of_json({**_head(call), **whole, "done": True, **tail})

    def lines() -> Iterator[dict[str, Any]]:
        for piece in pieces:
            yield {**_head(call), **piece, "done": False}
        yield {**_head(call), **empty, "done": True, **tail}

    events = tuple(frame(to_json(line)) for line in lines())
    return Answer(events=events, content_type=call.provider.stream_type)
