"""What a request for a message may hold: each parameter, and what the API's version forbids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

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
from adapters.emulator.claude_style.errors import OLD_VERSION, VERSION
from adapters.emulator.claude_style.models import ClaudeModel

__all__ = ["COUNT", "MESSAGES", "check_messages"]

_BLOCK_TYPES = (
    "text",
    "image",
    "document",
    "search_result",
    "thinking",
    "redacted_thinking",
    "tool_use",
    "tool_result",
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "container_upload",
)


def _block(param: str, value: object) -> None:
    mapping(required=("type",))(param, value)
    block = cast("Mapping[str, Any]", value)
    string(*_BLOCK_TYPES)(f"{param}.type", block["type"])
    for name in _NEEDED.get(block["type"], ()):
        require(block, name, f"{param}.{block['type']}.{name}")
    if block["type"] == "text":
        string(empty=False)(f"{param}.text.text", block["text"])


_NEEDED: Mapping[str, tuple[str, ...]] = {
    "text": ("text",),
    "image": ("source",),
    "document": ("source",),
    "thinking": ("thinking", "signature"),
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id",),
}
_CONTENT = either("a string or a list of blocks", str=string(), list=array(_block))
_MESSAGE = mapping(
    {"role": string("user", "assistant", "system"), "content": _CONTENT},
    required=("role", "content"),
)
_SYSTEM = either("a string or a list of blocks", str=string(), list=array(_block))
_TOOL = either("an object", dict=mapping(required=("name",)))
_CHOICE = mapping(
    {
        "type": string("auto", "any", "tool", "none"),
        "name": string(),
        "disable_parallel_tool_use": boolean,
    },
    required=("type",),
)
_THINKING = mapping(
    {
        "type": string("enabled", "adaptive", "disabled", "between_tools"),
        "budget_tokens": integer(1024),
        "display": string("summarized", "omitted"),
    },
    required=("type",),
)
_FORMAT = mapping({"type": string("json_schema"), "schema": mapping()}, required=("type", "schema"))

# What the operation and the counting of its tokens share.
COUNT: Mapping[str, Check] = {
    "model": string(),
    "messages": array(_MESSAGE),
    "cache_control": mapping(required=("type",)),
    "output_config": mapping(
        {"effort": string("low", "medium", "high", "xhigh", "max"), "format": _FORMAT}
    ),
    "speed": string("standard", "fast"),
    "system": _SYSTEM,
    "temperature": number(0, 1),
    "thinking": _THINKING,
    "tool_choice": _CHOICE,
    "tools": array(_TOOL),
    "top_k": integer(0),
    "top_p": number(0, 1),
}

MESSAGES: Mapping[str, Check] = {
    **COUNT,
    "container": anything,
    "diagnostics": anything,
    "inference_geo": string(),
    "max_tokens": integer(0),
    "metadata": mapping({"user_id": string()}),
    "service_tier": string("auto", "standard_only"),
    "stop_sequences": array(string(empty=False)),
    "stream": boolean,
}
_SAMPLING = ("temperature", "top_p", "top_k")


def check_messages(body: Mapping[str, Any], model: ClaudeModel, version: str) -> None:
    """Check what a table cannot say, by the rules of a version."""
    if not body["messages"]:
        refuse("at least one message is required", "messages")
    if version == VERSION:
        _check_blocks(body)
    _check_sampling(body, model, version)
    _check_tokens(body, model)
    if body.get("tool_choice") and not body.get("tools"):
        refuse("may only be specified while providing `tools`", "tool_choice")
    for position, tool in enumerate(body.get("tools") or ()):
        if tool.get("type") in {None, "custom"}:
            param = f"tools[{position}].custom.input_schema"
            require(tool, "input_schema", param)
            mapping(required=("type",))(param, tool["input_schema"])


def _check_sampling(body: Mapping[str, Any], model: ClaudeModel, version: str) -> None:
    """Refuse what chooses among tokens; with the older version newer models take the default."""
    for name in _SAMPLING:
        default = version == OLD_VERSION and body.get(name) == 1
        fixed = version == VERSION or model.fixed_sampling
        if fixed and body.get(name) is not None and not default:
            refuse(f"`{name}` is not supported here", name)


def _check_tokens(body: Mapping[str, Any], model: ClaudeModel) -> None:
    most = body.get("max_tokens", model.most_tokens)
    if most > model.most_tokens:
        message = f"{most} > {model.most_tokens}, which is the most that {model.id} gives"
        refuse(message, "max_tokens")
    thinking = body.get("thinking") or {}
    if thinking.get("type") == "enabled":
        require(thinking, "budget_tokens", "thinking.enabled.budget_tokens")
        if thinking["budget_tokens"] >= most:
            refuse("`max_tokens` must be greater than `thinking.budget_tokens`")


def _check_blocks(body: Mapping[str, Any]) -> None:
    for param, role, block in _blocks(body):
        if role == "assistant" and block["type"] == "document":
            refuse("`document` blocks are not allowed in `assistant` messages", param)
        if role == "user" and block["type"] == "text" and block.get("citations"):
            refuse("Extra inputs are not permitted", f"{param}.text.citations")


def _blocks(body: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for position, message in enumerate(body["messages"]):
        content = message["content"]
        for place, block in enumerate(content if isinstance(content, list) else ()):
            yield f"messages[{position}].content[{place}]", message["role"], block
