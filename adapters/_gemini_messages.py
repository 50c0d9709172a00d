"""Gemini: what people say, in the form of its API: contents of parts. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapters._json import is_list, is_object
from adapters._openai_style import Messages
from resilience._rules import fail

__all__ = ["as_contents", "as_conversation"]

_ROLES = {"assistant": "model"}
_SYSTEM = ("developer", "system")


def as_contents(given: Any) -> list[Any]:
    """Return contents: texts and parts that stand side by side are one message of the user."""
    items = list(given) if isinstance(given, list | tuple) else [given]
    contents: list[Any] = []
    parts: list[Any] | None = None
    for item in items:
        if is_object(item) and "parts" in item:
            contents.append(item)
            parts = None
            continue
        if parts is None:
            parts = []
            contents.append({"role": "user", "parts": parts})
        parts.append({"text": item} if isinstance(item, str) else item)
    return contents


def as_conversation(messages: Messages) -> dict[str, Any]:
    """Return the fields of a request: contents, and the system instruction where there is one.

    Raises:
        SettingsError: for what is neither a text nor messages; it shows the type alone.
    """
    if isinstance(messages, str):
        return {"contents": as_contents(messages)}
    given: Any = messages
    if not isinstance(given, Sequence) or not all(isinstance(each, Mapping) for each in given):
        rule = "must be a text, or a list of messages with role and content"
        fail("messages", rule, f"<{type(given).__name__}>")
    system = [part for each in messages if each.get("role") in _SYSTEM for part in _parts(each)]
    names = {
        call.get("id"): call["function"]["name"]
        for each in messages
        for call in each.get("tool_calls") or ()
    }
    contents = [_content(each, names) for each in messages if each.get("role") not in _SYSTEM]
    found: dict[str, Any] = {"contents": contents}
    return {**found, "systemInstruction": {"parts": system}} if system else found


def _content(message: Mapping[str, Any], names: Mapping[Any, str]) -> Mapping[str, Any]:
    if "parts" in message:
        return message  # it is in the API's own form
    role = str(message.get("role", "user"))
    if role == "tool":
        return {"role": "user", "parts": [_result_of_tool(message, names)]}
    called = [_called(each) for each in message.get("tool_calls") or ()]
    return {"role": _ROLES.get(role, role), "parts": [*_parts(message), *called]}


def _parts(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    content = message.get("content", message.get("parts"))
    if isinstance(content, str):
        yield {"text": content}
    for each in content if is_list(content) else ():
        yield _part(each)


def _part(part: Any) -> Mapping[str, Any]:
    """Translate a part; one without a type is in the API's own form."""
    kind = part.get("type") if is_object(part) else None
    if kind == "text":
        return {"text": part["text"]}
    if kind == "image_url":
        return _picture(str(part["image_url"]["url"]))
    if kind is not None:
        fail("messages", "may have parts of type text and image_url, or the API's own", kind)
    return {"text": part} if isinstance(part, str) else part


def _picture(url: str) -> dict[str, Any]:
    """Send the data of a `data:` address itself, of another one the address."""
    head, comma, data = url.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        return {"fileData": {"fileUri": url}}
    mime_type = head.removeprefix("data:").removesuffix(";base64")
    return {"inlineData": {"mimeType": mime_type, "data": data}}


def _called(call: Mapping[str, Any]) -> dict[str, Any]:
    function: Any = call["function"]
    arguments: Any = function.get("arguments") or "{}"
    try:
        args = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        fail("messages", "must have JSON in the arguments of their tool calls", arguments)
    return {"functionCall": {"id": call.get("id"), "name": function["name"], "args": args}}


def _result_of_tool(message: Mapping[str, Any], names: Mapping[Any, str]) -> dict[str, Any]:
    """Give what a tool has found: an object, under the name that the call had."""
    called = message.get("tool_call_id")
    name = message.get("name") or names.get(called) or called
    found = {"id": called, "name": name, "response": {"result": message.get("content")}}
    return {"functionResponse": found}
