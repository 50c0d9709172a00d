"""How one server writes what they all answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.emulator.checks import refuse
from adapters.emulator.openai_style.choices import Choice
from adapters.emulator.openai_style.models import Model
from adapters.emulator.protocol import Call

__all__ = ["Server", "check_length", "finish_reason", "usage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One server, as data.

    Attributes:
        model: Finds the model of a call; raises `Refusal`.
        head: From call, kind of object and model's name, the members that begin every answer.
        first: The delta with which a streamed choice begins.
        every: Members of every later delta.
        message: Members of every whole message, beside role, content and tool calls.
        choice: Members of every choice, beside index, text and finish reason.
        whole: Members of every whole answer, after choices and usage.
        most_choices: Whether `n` is honoured.
        default_tokens: What a completion is cut at where the request sets no limit, or None.
        check_prompts: Refuses more prompts in one request than the server takes.
        streamed_stop: The finish reason of a streamed completion that is complete.
        usage_of_each: Whether a streamed completion reports the usage of each prompt for itself.
    """

    model: Callable[[Call], Model]
    head: Callable[[Call, str, str], dict[str, Any]]
    first: Mapping[str, Any]
    every: Mapping[str, Any] = field(default_factory=dict[str, Any])
    message: Mapping[str, Any] = field(default_factory=dict[str, Any])
    choice: Mapping[str, Any] = field(default_factory=dict[str, Any])
    whole: Mapping[str, Any] = field(default_factory=dict[str, Any])
    most_choices: bool = True
    default_tokens: int | None = None
    check_prompts: Callable[[int], None] = lambda _count: None
    streamed_stop: str = "stop"
    usage_of_each: bool = False


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    """Give the usage as these servers report it."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def finish_reason(choice: Choice) -> str:
    """Say why a whole answer ended."""
    if not choice.complete:
        return "length"
    return "tool_calls" if choice.tool else "stop"


def check_length(model: Model, tokens: int, param: str) -> None:
    """Refuse more tokens than the model takes."""
    if tokens > model.context:
        message = (
            f"This model's maximum context length is {model.context} tokens. However, your request "
            f"has {tokens} input tokens. Please reduce the length of the input messages."
        )
        refuse(message, param, "context_length_exceeded")
