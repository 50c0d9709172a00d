"""What a request to the Responses API may hold."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.emulator.checks import (
    Check,
    anything,
    array,
    boolean,
    either,
    integer,
    mapping,
    number,
    string,
)

__all__ = ["COUNT", "RESPONSES"]

_FORMAT = mapping(
    {
        "type": string("text", "json_object", "json_schema"),
        "name": string(empty=False),
        "schema": mapping(),
        "description": string(),
        "strict": boolean,
    },
    required=("type",),
)

# What the operation and the counting of its tokens share.
COUNT: Mapping[str, Check] = {
    "model": string(),
    "input": either("a string or an array of objects", str=string(), list=array(mapping(), low=1)),
    "conversation": anything,
    "instructions": string(),
    "parallel_tool_calls": boolean,
    "personality": string(),
    "previous_response_id": string(),
    "reasoning": mapping(),
    "text": mapping({"format": _FORMAT, "verbosity": string("low", "medium", "high")}),
    "tool_choice": either(
        "a string or an object",
        str=string("none", "auto", "required"),
        dict=mapping(required=("type",)),
    ),
    "tools": array(mapping(required=("type",))),
    "truncation": string("auto", "disabled"),
}

RESPONSES: Mapping[str, Check] = {
    **COUNT,
    "access_programs": mapping(),
    "background": boolean,
    "background_options": mapping(),
    "context_management": array(mapping()),
    "image": mapping(),
    "include": array(string()),
    "max_output_tokens": integer(16),
    "max_tool_calls": integer(1),
    "metadata": mapping(),
    "moderation": mapping(),
    "prompt": mapping(required=("id",)),
    "prompt_cache_key": string(),
    "prompt_cache_options": mapping(),
    "prompt_cache_retention": string("in_memory", "24h"),
    "safety_identifier": string(),
    "service_tier": string("auto", "default", "flex", "scale", "priority", "fast"),
    "store": boolean,
    "stream": boolean,
    "stream_options": mapping({"include_obfuscation": boolean}),
    "temperature": number(0, 2),
    "top_logprobs": integer(0, 20),
    "top_p": number(0, 1),
    "user": string(),
}
