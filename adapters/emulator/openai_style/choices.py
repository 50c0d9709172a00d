"""What a model says: a text or a tool call, cut where the request sets a limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.emulator.answers import digest, expected_answer, split_tokens
from adapters.emulator.openai_style.models import Model
from adapters.emulator.protocol import Call, Problem, Refusal, to_json
from adapters.emulator.schemas import instance

__all__ = ["Choice", "Wish", "chosen_tool", "logprobs", "make_choice"]

# What a reasoning model thinks before it speaks, in tokens.
_THOUGHTS = 32

Function = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a request asks of an answer, whatever the operation calls it.

    Attributes:
        budget: Tokens at most, thoughts included, or None for no limit.
        tool: The function that has to be called (`name`, `parameters`), or None for a text.
        format: The format of the text: `type`, and `schema` for `json_schema`.
        stop: The text ends before the first of these.
        effort: How long a reasoning model thinks; `none` and `minimal` are not at all.
    """

    budget: int | None = None
    tool: Function | None = None
    format: Mapping[str, Any] | None = None
    stop: str | Sequence[str] | None = None
    effort: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer, not yet in the shape of a message or of a stream.

    Attributes:
        tokens: The text, or the arguments of the tool call, token by token.
        complete: False where the budget has cut it.
        tool: The name of the tool that is called, or None for a text.
        tool_id: The id of that call, or an empty string.
        thoughts: Tokens of reasoning that went before.
    """

    tokens: tuple[str, ...]
    complete: bool
    tool: str | None
    tool_id: str
    thoughts: int

    @property
    def text(self) -> str:
        """All tokens together."""
        return "".join(self.tokens)

    @property
    def cost(self) -> int:
        """Tokens to pay for: what was thought and what was said."""
        return self.thoughts + len(self.tokens)


def make_choice(call: Call, model: Model, prompt: str, wish: Wish, number: int = 0) -> Choice:
    """Make answer `number` (counted from 0) to a prompt."""
    text = expected_answer(prompt, seed=call.seed, choice=number)
    if wish.tool is not None:
        text = to_json(instance(wish.tool.get("parameters"), text)).decode()
    else:
        text = _stopped(_formatted(wish.format, text), wish.stop)
    thoughts = _THOUGHTS if model.reasons and wish.effort not in {"none", "minimal"} else 0
    tokens = split_tokens(text)
    kept = tokens
    if wish.budget is not None:
        thoughts = min(thoughts, wish.budget)
        kept = tokens[: wish.budget - thoughts]
    complete = len(kept) == len(tokens)
    if wish.tool is None:
        return Choice(tuple(kept), complete, None, "", thoughts)
    tool_id = f"call_{digest('tool', call.seed, call.index, number, size=24)}"
    return Choice(tuple(kept), complete, str(wish.tool["name"]), tool_id, thoughts)


def chosen_tool(choice: object, functions: Sequence[Function], name: str | None) -> Function | None:
    """Find the function that a request makes the model call; left to itself it calls none.

    Args:
        choice: The request's `tool_choice`.
        functions: All that the request offers.
        name: The name in `tool_choice`, where it holds one.
    """
    if choice == "required" and functions:
        return functions[0]
    if name is None:
        return None
    for function in functions:
        if function["name"] == name:
            return function
    raise Refusal(Problem(400, f"'{name}' is none of the 'tools'.", param="tool_choice"))


def _formatted(form: Mapping[str, Any] | None, text: str) -> str:
    kind = (form or {}).get("type")
    if form is not None and kind == "json_schema":
        return to_json(instance(form.get("schema"), text)).decode()
    return to_json({"answer": text}).decode() if kind == "json_object" else text


def _stopped(text: str, stop: str | Sequence[str] | None) -> str:
    for sequence in [stop] if isinstance(stop, str) else stop or ():
        text = text.partition(sequence)[0]
    return text


def logprobs(tokens: Sequence[str]) -> dict[str, Any]:
    """Give log probabilities of tokens: the model is sure of each."""
    sure = [
        {"token": token, "logprob": -0.01, "bytes": list(token.encode()), "top_logprobs": []}
        for token in tokens
    ]
    return {"content": sure, "refusal": None}
