"""What a prompt and its answer say, for traces: only where the standard variable asks for it.

`OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT` is `span_only`, `event_only` or
`span_and_event`; without it, and with any other value, no content goes anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from adapters._content_parts import messages_of, parsed_or_text, parts_of, text_part
from adapters._exchange import Exchange
from adapters._failures import WRONG_FORM
from adapters._json import is_list, is_object
from adapters._masking import mask
from adapters._model_answers import CUT
from adapters._model_requests import fields_of
from adapters._results import Answer
from resilience import _secrets

__all__ = ["VARIABLE", "captured", "content_of"]

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_PLACES: Mapping[str, frozenset[str]] = {
    "span_only": frozenset({"span"}),
    "event_only": frozenset({"event"}),
    "span_and_event": frozenset({"span", "event"}),
}
# Fields that hold what is said to a model, and instructions that stand apart from it.
_INPUTS = ("messages", "contents", "input", "prompt", "inputs")
_INSTRUCTIONS = ("instructions", "system", "systemInstruction")


def captured() -> frozenset[str]:
    """Return where content is wanted: "span", "event", both or nowhere."""
    return _PLACES.get(os.environ.get(VARIABLE, "").strip().lower(), frozenset())


def content_of(exchange: Exchange, error: BaseException | None) -> dict[str, Any]:
    """Return the content of a call as lists and objects, by the attributes' names.

    A secret in it is masked, whoever has put it there.
    """
    fields = fields_of(exchange.request)
    readers: Mapping[str, Callable[[], list[Any]]] = {
        "gen_ai.system_instructions": lambda: _instructions(fields),
        "gen_ai.input.messages": lambda: _input(fields),
        "gen_ai.output.messages": lambda: _output(exchange, error),
        "gen_ai.tool.definitions": lambda: list(_tools(fields.get("tools"))),
    }
    found: dict[str, Any] = {}
    for name, read in readers.items():
        with suppress(*WRONG_FORM):  # whoever sends another form may, and nobody sees it here
            if value := read():
                found[name] = _masked(mask(value, exchange.forms))
    return found


def _input(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = next((fields[name] for name in _INPUTS if name in fields), None)
    return messages_of(given)


def _instructions(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = next((fields[name] for name in _INSTRUCTIONS if name in fields), None)
    return parts_of(given.get("parts") if is_object(given) and "parts" in given else given)


def _output(exchange: Exchange, error: BaseException | None) -> list[dict[str, Any]]:
    """Return a message for each choice, or for as much of it as has come."""
    result = exchange.notes and exchange.notes.result
    answer: Any = result if isinstance(result, Answer) else exchange.collected
    reasons = answer.finish_reasons
    texts = [*answer.texts, *[""] * (len(reasons) - len(answer.texts))]
    return [
        {"role": "assistant", "parts": _said(answer, index, text), **_reason(reasons, index, error)}
        for index, text in enumerate(texts)
    ]


def _said(answer: Any, index: int, text: str) -> list[dict[str, Any]]:
    thoughts = [{"type": "reasoning", "content": answer.reasoning}] if answer.reasoning else []
    calls = [
        {
            "type": "tool_call",
            "id": call.id or None,
            "name": call.name,
            "arguments": parsed_or_text(call.arguments),
        }
        for call in answer.tool_calls
    ]
    said = [text_part(text)] if text else []
    return [*thoughts, *said, *calls] if index == 0 else said


def _reason(
    reasons: tuple[str | None, ...], index: int, error: BaseException | None
) -> dict[str, str]:
    reason = (reasons[index] if index < len(reasons) else None) or (CUT if error else None)
    return {"finish_reason": reason.replace("tool_calls", "tool_call")} if reason else {}


def _tools(tools: Any) -> Iterator[dict[str, Any]]:
    """Give kind and name of each tool; the conventions want no more by default."""
    for tool in tools if is_list(tools) else ():
        if not is_object(tool):
            continue
        declared = tool.get("functionDeclarations")
        if is_list(declared):  # Gemini
            yield from ({"type": "function", "name": _named(each)} for each in declared)
        elif "type" in tool or "name" in tool:
            kind = str(tool.get("type") or "function")
            yield {"type": kind, "name": _named(tool.get(kind), tool) or kind}
        else:
            kind = next(iter(tool), "unknown")
            yield {"type": kind, "name": kind}


def _named(*given: Any) -> str:
    names = (each.get("name") for each in given if is_object(each))
    return next((name for name in names if isinstance(name, str)), "")


def _masked(value: Any) -> Any:
    """Copy it with every secret replaced that any pool knows, not only those of this call."""
    if isinstance(value, str):
        return _secrets.mask(value)
    if is_object(value):
        return {name: _masked(item) for name, item in value.items()}
    return [_masked(item) for item in value] if is_list(value) else value
