"""What a chat request may hold: each parameter, and those that need or exclude one another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.emulator.answers import prompt_text
from adapters.emulator.checks import (
    Check,
    anything,
    array,
    boolean,
    either,
    integer,
    mapping,
    number,
    refuse,
    require,
    string,
)
from adapters.emulator.openai_style.models import Model

__all__ = ["CHAT", "STREAM_OPTIONS", "TOOL", "check_messages", "check_stream_options"]

STREAM_OPTIONS = mapping({"include_usage": boolean, "include_obfuscation": boolean})

_FUNCTION = mapping(
    {
        "name": string(empty=False),
        "description": string(),
        "parameters": mapping(),
        "strict": boolean,
    },
    required=("name",),
)
TOOL = mapping(
    {"type": string("function", "custom"), "function": _FUNCTION, "custom": mapping()},
    required=("type",),
)

_PART = mapping(
    {
        "type": string("text", "image_url", "input_audio", "file", "refusal"),
        "text": string(),
        "image_url": mapping(required=("url",)),
        "input_audio": mapping(required=("data", "format")),
        "file": mapping(),
        "refusal": string(),
        "prompt_cache_breakpoint": mapping(),
    },
    required=("type",),
)
_CONTENT = either("one of an array of objects or string", str=string(), list=array(_PART, low=1))
_MESSAGE = mapping(
    {
        "role": string("system", "developer", "user", "assistant", "tool", "function"),
        "content": _CONTENT,
        "name": string(),
        "tool_calls": array(mapping(required=("id", "type")), low=1),
        "tool_call_id": string(),
        "function_call": mapping(),
        "refusal": string(),
        "audio": mapping(),
    },
    required=("role",),
)

CHAT: Mapping[str, Check] = {
    "model": string(),
    "messages": array(_MESSAGE, low=1),
    "audio": mapping(),
    "frequency_penalty": number(-2, 2),
    "function_call": either("a string or an object", str=string("none", "auto"), dict=mapping()),
    "functions": array(_FUNCTION, low=1, high=128),
    "logit_bias": mapping(),
    "logprobs": boolean,
    "max_completion_tokens": integer(1),
    "max_tokens": integer(1),
    "metadata": mapping(),
    "modalities": array(string("text")),
    "moderation": mapping(),
    "n": integer(1, 128),
    "parallel_tool_calls": boolean,
    "prediction": mapping(),
    "presence_penalty": number(-2, 2),
    "prompt_cache_key": string(),
    "prompt_cache_options": mapping(),
    "prompt_cache_retention": string("in_memory", "24h"),
    "reasoning_effort": string("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    "response_format": mapping(
        {
            "type": string("text", "json_object", "json_schema"),
            "json_schema": mapping(
                {
                    "name": string(empty=False),
                    "schema": mapping(),
                    "description": string(),
                    "strict": boolean,
                },
                required=("name",),
            ),
        },
        required=("type",),
    ),
    "safety_identifier": string(),
    "seed": integer(),
    "service_tier": string("auto", "default", "flex", "scale", "priority", "fast"),
    "stop": either("a string or an array of strings", str=string(), list=array(string(), high=4)),
    "store": boolean,
    "stream": boolean,
    "stream_options": STREAM_OPTIONS,
    "temperature": number(0, 2),
    "tool_choice": either(
        "a string or an object",
        str=string("none", "auto", "required"),
        dict=mapping(
            {
                "type": string("function", "custom", "allowed_tools"),
                "function": mapping(required=("name",)),
                "custom": mapping(required=("name",)),
                "allowed_tools": mapping(required=("mode", "tools")),
            },
            required=("type",),
        ),
    ),
    "tools": array(TOOL, low=1, high=128),
    "top_logprobs": integer(0, 20),
    "top_p": number(0, 1),
    "user": string(),
    "verbosity": string("low", "medium", "high"),
    "web_search_options": anything,
}


def check_stream_options(body: Mapping[str, Any]) -> None:
    """Refuse options of a stream where no stream is asked for."""
    if body.get("stream_options") is not None and body.get("stream") is not True:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        refuse(message, "stream_options")


def check_messages(body: Mapping[str, Any], model: Model) -> None:
    """Check what a table cannot say."""
    check_stream_options(body)
    for position, message in enumerate(body["messages"]):
        _check_message(f"messages[{position}]", message)
    for position, tool in enumerate(body.get("tools") or ()):
        require(tool, tool["type"], f"tools[{position}].{tool['type']}")
    choice = body.get("tool_choice")
    if (choice == "required" or isinstance(choice, dict)) and not body.get("tools"):
        refuse("'tool_choice' is only allowed when 'tools' are specified.", "tool_choice")
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        refuse("'top_logprobs' is only allowed with 'logprobs'.", "top_logprobs")
    _check_format(body)
    if model.reasons and body.get("max_tokens") is not None:
        message = "'max_tokens' is not supported with this model. Use 'max_completion_tokens'."
        refuse(message, "max_tokens", "unsupported_parameter")


def _check_message(param: str, message: Mapping[str, Any]) -> None:
    calls = message.get("tool_calls") or message.get("function_call")
    if message["role"] != "assistant" or not calls:
        require(message, "content", f"{param}.content")
    if message["role"] == "tool":
        require(message, "tool_call_id", f"{param}.tool_call_id")


def _check_format(body: Mapping[str, Any]) -> None:
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        require(form, "json_schema", "response_format.json_schema")
    if form.get("type") == "json_object" and "json" not in prompt_text(body["messages"]).lower():
        message = "'messages' must say the word 'json' to use the response format 'json_object'."
        refuse(message, "messages")
