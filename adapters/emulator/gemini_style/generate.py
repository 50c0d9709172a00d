"""Generation of text and pictures, whole or as a stream, and the count of its tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from adapters.emulator.answers import count_tokens, prompt_text
from adapters.emulator.checks import check_body, refuse, require
from adapters.emulator.gemini_style.checks import COUNT, GENERATE
from adapters.emulator.gemini_style.errors import frame, streams_events
from adapters.emulator.gemini_style.models import GeminiModel, GeminiModels, find_model
from adapters.emulator.gemini_style.names import camel_case
from adapters.emulator.gemini_style.parts import Body, Turn, deltas, make_turn, whole
from adapters.emulator.openai_style.chat import cached_tokens
from adapters.emulator.openai_style.choices import Wish, chosen_tool, make_choice
from adapters.emulator.protocol import Answer, Call, Operation, to_json

__all__ = ["contents_of", "generate_operations", "input_tokens"]

_METHOD = "generateContent"
# What each message and each picture costs.
_FRAMING, _PICTURE = 1, 258


def generate_operations(models: GeminiModels) -> tuple[Operation, ...]:
    """Give the operations for these models."""
    path = "/{version}/models/{model}:"
    return (
        Operation("generate", "POST", f"{path}{_METHOD}", partial(_generate, models)),
        Operation(
            "stream_generate", "POST", f"{path}streamGenerateContent", partial(_generate, models)
        ),
        Operation("count_tokens", "POST", f"{path}countTokens", partial(_count, models)),
    )


def contents_of(body: Body) -> list[dict[str, Any]]:
    """Give the messages, in a list even where one stands alone."""
    contents = body["contents"]
    return [contents] if isinstance(contents, dict) else contents


def _prompt(body: Body) -> str:
    """Give the text of system instruction and messages; one message alone is the prompt."""
    system = (body.get("systemInstruction") or {}).get("parts")
    messages = [{"content": content["parts"]} for content in contents_of(body)]
    return prompt_text([{"content": system}, *messages])


def input_tokens(body: Body, model: GeminiModel) -> int:
    """Count the tokens of a request; raises `Refusal` (400) for too many."""
    contents = contents_of(body)
    pictures = sum("inlineData" in part for content in contents for part in content["parts"])
    tokens = count_tokens(_prompt(body)) + _FRAMING * len(contents) + _PICTURE * pictures
    if tokens > model.context:
        refuse(
            f"The input token count ({tokens}) exceeds the maximum number of tokens allowed "
            f"({model.context})."
        )
    return tokens


def _count(models: GeminiModels, call: Call) -> Answer:
    model = find_model(models, call, "countTokens")
    body = cast("dict[str, Any]", camel_case(call.data))
    check_body(body, COUNT, ())
    given = body.get("generateContentRequest") or body
    require(given, "contents", "contents")
    tokens = input_tokens(given, model)
    details = [{"modality": "TEXT", "tokenCount": tokens}]
    return Answer.of_json({"totalTokens": tokens, "promptTokensDetails": details})


def _generate(models: GeminiModels, call: Call) -> Answer:
    model = find_model(models, call, _METHOD)
    body = cast("dict[str, Any]", camel_case(call.data))
    check_body(body, GENERATE, ("contents",))
    config = body.get("generationConfig") or {}
    prompt = _prompt(body)
    speaker = model.speaker(thinks=model.thinks and _budget(config) != 0)
    choices = [
        make_choice(call, speaker, prompt, _wish(body, config), number)
        for number in range(config.get("candidateCount") or 1)
    ]
    turns = [make_turn(call, model, prompt, config, choice) for choice in choices]
    usage = _usage(input_tokens(body, model), turns)
    tail = {"usageMetadata": usage, "modelVersion": model.id, "responseId": call.request_id}
    if call.stream:
        return _streamed(call, [{"candidates": [each], **tail} for each in deltas(turns)])
    return Answer.of_json({"candidates": [whole(turn, n) for n, turn in enumerate(turns)], **tail})


def _budget(config: Mapping[str, Any]) -> int | None:
    budget = (config.get("thinkingConfig") or {}).get("thinkingBudget")
    return budget if isinstance(budget, int) else None


def _wish(body: Body, config: Mapping[str, Any]) -> Wish:
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    allowed = calling.get("allowedFunctionNames") or []
    functions = [
        {"name": each["name"], "parameters": _schema(each, "parameters", "parametersJsonSchema")}
        for tool in body.get("tools") or ()
        for each in tool.get("functionDeclarations") or ()
    ]
    name = allowed[0] if allowed else None
    tool = None
    if calling.get("mode") == "ANY":
        tool = chosen_tool(None if name else "required", functions, name)
    form = config.get("responseMimeType") == "application/json"
    schema = _schema(config, "responseSchema", "responseJsonSchema")
    return Wish(
        budget=config.get("maxOutputTokens"),
        tool=tool,
        format={"type": "json_schema" if schema else "json_object", "schema": schema}
        if form
        else None,
        stop=config.get("stopSequences"),
    )


def _schema(holder: Mapping[str, Any], *names: str) -> Any:
    """Find a schema under one of its names; this API writes types in capitals."""
    return next((_lower(holder[name]) for name in names if holder.get(name)), None)


def _lower(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_lower(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _lower(member) for name, member in schema.items()}
    if isinstance(found.get("type"), str):
        found["type"] = found["type"].lower()
    return found


def _usage(tokens: int, turns: Sequence[Turn]) -> dict[str, Any]:
    """Count all tokens; a count of zero is left out."""
    said, thought = sum(turn.cost for turn in turns), sum(turn.choice.thoughts for turn in turns)
    counts = {
        "promptTokenCount": tokens,
        "cachedContentTokenCount": cached_tokens(tokens),
        "candidatesTokenCount": said,
        "thoughtsTokenCount": thought,
        "totalTokenCount": tokens + said + thought,
    }
    found: dict[str, Any] = {name: count for name, count in counts.items() if count}
    return {**found, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}


def _streamed(call: Call, chunks: Sequence[dict[str, Any]]) -> Answer:
    """Give chunks as events, or as one array that grows."""
    if streams_events(call):
        events = tuple(frame(to_json(chunk)) for chunk in chunks)
        return Answer(events=events, content_type=call.provider.stream_type)
    between = [b"[", *[b",\r\n"] * (len(chunks) - 1)]
    pieces = [before + to_json(chunk) for before, chunk in zip(between, chunks, strict=True)]
    return Answer(events=(*pieces, b"]"))
