"""Messages of eleven APIs in the one form that the GenAI conventions have for content. Pure.

Source: semantic-conventions-genai v0.1.0, the JSON schemas of `gen_ai.input.messages` and its kin.
What has no form there is passed on as it was sent: the schemas allow that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from adapters._json import is_list, is_object

__all__ = ["messages_of", "parsed_or_text", "parts_of", "text_part"]

Part = dict[str, Any]

_TEXTS = ("text", "input_text", "output_text")
_DOCUMENT = "document"


def text_part(text: str) -> Part:
    """Return a text as a part."""
    return {"type": "text", "content": text}


def messages_of(given: Any, role: str = "user") -> list[dict[str, Any]]:
    """Return messages, contents, items or prompts; a text is one message of the user."""
    if not is_list(given):
        return [{"role": role, "parts": parts_of(given)}] if given else []
    return [_message(each, role) for each in given]


def parts_of(content: Any) -> list[Part]:
    """Return the parts of one message."""
    if isinstance(content, str):
        return [text_part(content)] if content else []
    given = content if is_list(content) else [content]
    return [_part(each) for each in given if each is not None]


def parsed_or_text(arguments: Any) -> Any:
    """Return the arguments of a tool as JSON has them, or the text that a model wrote for them."""
    try:
        return json.loads(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError):
        return arguments


def _message(given: Any, role: str) -> dict[str, Any]:
    if not is_object(given):
        return {"role": role, "parts": parts_of(given)}
    item = _ITEMS.get(str(given.get("type")))
    if item is not None:
        return item(given)
    own = str(given.get("role") or role)
    found = {"role": own, "parts": [*_said(given, own), *_asked_tools(given)]}
    return found | ({"name": given["name"]} if isinstance(given.get("name"), str) else {})


def _said(message: Mapping[str, Any], role: str) -> Iterator[Part]:
    content = message.get("parts", message.get("content"))
    if role in ("tool", "function"):
        name = message.get("tool_call_id") or message.get("tool_name") or message.get("name")
        yield {"type": "tool_call_response", "id": name, "response": content}
        return
    thought = message.get("thinking") or message.get("reasoning_content")
    if isinstance(thought, str):
        yield {"type": "reasoning", "content": thought}
    yield from parts_of(content)
    for picture in message.get("images") or ():  # Ollama
        yield {"type": "blob", "modality": "image", "content": picture}


def _asked_tools(message: Mapping[str, Any]) -> Iterator[Part]:
    for call in message.get("tool_calls") or ():
        function = call.get("function") or call.get("custom") or {}
        arguments = function.get("arguments", function.get("input"))
        yield _tool_call(call.get("id"), function.get("name"), arguments)


def _tool_call(call_id: Any, name: Any, arguments: Any) -> Part:
    return {
        "type": "tool_call",
        "id": call_id,
        "name": str(name or ""),
        "arguments": parsed_or_text(arguments),
    }


# Items of Responses that are no messages.
_ITEMS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "function_call": lambda item: {
        "role": "assistant",
        "parts": [_tool_call(item.get("call_id"), item.get("name"), item.get("arguments"))],
    },
    "function_call_output": lambda item: {
        "role": "tool",
        "parts": [
            {
                "type": "tool_call_response",
                "id": item.get("call_id"),
                "response": item.get("output"),
            }
        ],
    },
    "reasoning": lambda item: {
        "role": "assistant",
        "parts": [
            {"type": "reasoning", "content": str(each.get("text", ""))}
            for each in item.get("summary") or ()
        ],
    },
}


def _part(given: Any) -> Part:
    if not is_object(given):
        return text_part(str(given))
    kind = str(given.get("type", ""))
    if kind in _TEXTS:
        return text_part(str(given.get("text", "")))
    for name, read in _PARTS.items():
        if kind == name or (not kind and name in given):
            return read(given)
    return {**given, "type": kind or next(iter(given), "unknown")}


def _gemini_text(part: Any) -> Part:
    kind = "reasoning" if part.get("thought") else "text"
    return {"type": kind, "content": str(part["text"])}


def _image_url(part: Any) -> Part:
    given = part.get("image_url")
    address = given.get("url") if is_object(given) else given
    return _of_address(address, "image") if address else _of_file(part, "image")


def _of_address(address: Any, modality: str) -> Part:
    """Return what an address leads to; one that holds the data itself is that data."""
    head, comma, data = str(address).partition(",")
    if not (head.startswith("data:") and comma):
        return {"type": "uri", "modality": modality, "uri": str(address)}
    return _blob(head.removeprefix("data:").partition(";")[0] or None, data, modality)


def _blob(mime_type: Any, data: Any, modality: str | None = None) -> Part:
    known = str(mime_type or "").partition("/")[0]
    modality = modality or (known if known in ("image", "audio", "video") else _DOCUMENT)
    return {"type": "blob", "mime_type": mime_type, "modality": modality, "content": data}


def _of_file(part: Any, modality: str) -> Part:
    return {"type": "file", "modality": modality, "file_id": str(part.get("file_id", ""))}


def _file(part: Any) -> Part:
    inside = part.get("file") if is_object(part.get("file")) else part
    address = inside.get("file_data") or inside.get("file_url")
    return _of_address(address, _DOCUMENT) if address else _of_file(inside, _DOCUMENT)


def _input_audio(part: Any) -> Part:
    sound = part.get("input_audio") or {}
    return _blob(f"audio/{sound.get('format', '')}".rstrip("/"), sound.get("data"), "audio")


def _source(part: Any) -> Part:
    """Read a picture or document of Claude's."""
    modality, source = str(part["type"]), part.get("source") or {}
    if source.get("type") == "url":
        return _of_address(source.get("url"), modality)
    if source.get("type") == "file":
        return _of_file(source, modality)
    return _blob(source.get("media_type"), source.get("data"), modality)


_PARTS: Mapping[str, Callable[[Any], Part]] = {
    # Without a type: Gemini's, which are named by their only field.
    "text": _gemini_text,
    "inlineData": lambda part: _blob(
        part["inlineData"].get("mimeType"), part["inlineData"].get("data")
    ),
    "fileData": lambda part: {
        **_blob(part["fileData"].get("mimeType"), None),
        "type": "uri",
        "uri": part["fileData"].get("fileUri"),
    },
    "functionCall": lambda part: _tool_call(
        part["functionCall"].get("id"),
        part["functionCall"].get("name"),
        part["functionCall"].get("args"),
    ),
    "functionResponse": lambda part: {
        "type": "tool_call_response",
        "id": part["functionResponse"].get("id"),
        "response": part["functionResponse"].get("response"),
    },
    "image_url": _image_url,
    "input_image": _image_url,
    "input_audio": _input_audio,
    "file": _file,
    "input_file": _file,
    "image": _source,
    "document": _source,
    "thinking": lambda part: {"type": "reasoning", "content": str(part.get("thinking", ""))},
    "tool_use": lambda part: _tool_call(part.get("id"), part.get("name"), part.get("input")),
    "tool_result": lambda part: {
        "type": "tool_call_response",
        "id": part.get("tool_use_id"),
        "response": part.get("content"),
    },
}
