"""What a request asks of a model, as attributes of its span. Pure.

It is read from the body as it is sent, whatever has put a field there; eleven APIs have few names
for one thing, so that one table serves them all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from adapters._json import is_list, is_object, word_or_none
from adapters._messages import Request

__all__ = ["asked_of_model", "fields_of"]

# Where APIs put the settings of a generation: Gemini, Ollama, TGI; and objects of Responses, Claude
# and Gemini that hold one more.
_GROUPS = ("generationConfig", "options", "parameters", "reasoning", "output_config")
_GROUPS_WITHIN = ("thinkingConfig",)

_IMAGE, _SPEECH = "image", "speech"
_KINDS = {"audio": _SPEECH, "image": _IMAGE, "text": "text"}


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _real(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _other_than_1(value: Any) -> int | None:
    return None if value == 1 else _whole(value)


def _words(value: Any) -> list[str] | None:
    """Return a list of texts; one text alone is a list of one."""
    given: list[Any] = value if is_list(value) else [value]
    return [str(each) for each in given] if given and all(map(word_or_none, given)) else None


def _id(value: Any) -> str | None:
    return word_or_none(value.get("id") if is_object(value) else value)


# An attribute, what its value has to be, and what APIs call the field.
_FIELDS: tuple[tuple[str, Callable[[Any], Any], tuple[str, ...]], ...] = (
    (
        "gen_ai.request.max_tokens",
        _whole,
        (
            *("max_completion_tokens", "max_output_tokens", "max_tokens", "maxOutputTokens"),
            *("num_predict", "max_new_tokens"),
        ),
    ),
    ("gen_ai.request.temperature", _real, ("temperature",)),
    ("gen_ai.request.top_p", _real, ("top_p", "topP")),
    ("gen_ai.request.top_k", _whole, ("top_k", "topK")),
    ("gen_ai.request.seed", _whole, ("seed",)),
    ("gen_ai.request.frequency_penalty", _real, ("frequency_penalty", "frequencyPenalty")),
    ("gen_ai.request.presence_penalty", _real, ("presence_penalty", "presencePenalty")),
    ("gen_ai.request.stop_sequences", _words, ("stop", "stop_sequences", "stopSequences")),
    ("gen_ai.request.choice.count", _other_than_1, ("n", "candidateCount")),
    (
        "gen_ai.request.reasoning.level",
        word_or_none,
        ("reasoning_effort", "effort", "thinkingLevel", "think"),
    ),
    ("gen_ai.request.previous_response.id", word_or_none, ("previous_response_id",)),
    ("gen_ai.conversation.id", _id, ("conversation",)),
    ("gen_ai.request.encoding_formats", _words, ("encoding_format",)),
    ("gen_ai.embeddings.dimension.count", _whole, ("dimensions", "outputDimensionality")),
)


def asked_of_model(request: Request) -> dict[str, Any]:
    """Return the attributes for what a request asks; nothing of its texts is among them."""
    fields = _flat(fields_of(request))
    found = {name: _first(fields, read, names) for name, read, names in _FIELDS}
    found["gen_ai.output.type"] = _output_type(fields)
    return {name: value for name, value in found.items() if value is not None}


def fields_of(request: Request) -> Mapping[str, Any]:
    """Return the fields of the body as it is sent; none where it is not a JSON object."""
    if request.body is None or "json" not in request.content_type:
        return {}
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return body if is_object(body) else {}


def _flat(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a body together with those of the groups within it."""
    found: dict[str, Any] = {}
    for group in _groups(body):
        found = {**group, **found}
    return {**found, **body}


def _groups(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in _GROUPS:
        group = body.get(name)
        if is_object(group):
            yield group
            yield from (each for inner in _GROUPS_WITHIN if is_object(each := group.get(inner)))
    requests = body.get("requests")  # Gemini's, one for each text
    if is_list(requests) and requests and is_object(requests[0]):
        yield requests[0]


def _first(fields: Mapping[str, Any], read: Callable[[Any], Any], names: tuple[str, ...]) -> Any:
    values = (read(fields[name]) for name in names if name in fields)
    return next((value for value in values if value is not None), None)


def _output_type(fields: Mapping[str, Any]) -> str | None:
    """Return the format that was asked for, in the words of the conventions."""
    kinds = fields.get("modalities") or fields.get("responseModalities")
    if is_list(kinds):
        # What is not text was asked for on purpose; text comes along with it.
        found = [_KINDS[kind.lower()] for kind in kinds if str(kind).lower() in _KINDS]
        return next((kind for kind in found if kind != "text"), "text" if found else None)
    if mime_type := word_or_none(fields.get("responseMimeType")):
        return "json" if mime_type.endswith("json") else "text"
    text = fields.get("text")
    asked = fields.get("response_format") or fields.get("format") or fields.get("grammar")
    asked = asked or (text.get("format") if is_object(text) else None)
    if is_object(asked):
        return "text" if asked.get("type") == "text" else "json"
    return "json" if asked == "json" else None
