"""OPEA's gateways: a question in, an answer out, with retrieval and a model behind them."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from adapters.emulator.answers import digest, prompt_text
from adapters.emulator.checks import (
    Check,
    array,
    boolean,
    check_body,
    either,
    integer,
    mapping,
    number,
    string,
)
from adapters.emulator.openai_style.chat_stream import DONE
from adapters.emulator.openai_style.choices import Choice, Wish, make_choice
from adapters.emulator.openai_style.models import Model
from adapters.emulator.protocol import Answer, Call, Operation, server_sent_event

__all__ = [
    "GATEWAY_OPERATIONS",
    "MESSAGES",
    "is_gateway",
    "streams_by_itself",
    "violation",
]

_MODEL = Model("opea", "chat", 32_768)
_DEFAULT_TOKENS = 1024
_FORBIDDEN = re.compile(r"\b(kill|bomb|poison)\w*", re.IGNORECASE)

MESSAGES: Check = either(
    "a string or a list of messages", str=string(), list=array(mapping(required=("role",)), low=1)
)
_BODY: Mapping[str, Check] = {
    "messages": MESSAGES,
    "max_tokens": integer(1),
    "temperature": number(0, 2),
    "top_k": integer(),
    "top_p": number(0, 1),
    "top_n": integer(1),
    "k": integer(1),
    "fetch_k": integer(1),
    "stream": boolean,
    "chat_template": string(),
    "language_from": string(),
    "language_to": string(),
    "source_code": string(),
    "source_language": string(),
}
# Path to the members that the answer is made of; all of them are needed.
_GATEWAYS: Mapping[str, tuple[str, ...]] = {
    "chatqna": ("messages",),
    "codegen": ("messages",),
    "searchqna": ("messages",),
    "graphrag": ("messages",),
    "hybridrag": ("messages",),
    "faqgen": ("messages",),
    "codetrans": ("language_from", "language_to", "source_code"),
    "translation": ("language_from", "language_to", "source_language"),
    "visualqna": ("messages",),
    "multimodalqna": ("messages",),
}
_WHOLE_BY_THEMSELVES = frozenset({"visualqna", "multimodalqna"})


def is_gateway(path: str) -> bool:
    """Say whether a path is one of theirs."""
    return path.removeprefix("/v1/") in _GATEWAYS


def streams_by_itself(call: Call) -> bool:
    """Say whether a request that does not ask for the one or the other gets a stream."""
    name = call.path.removeprefix("/v1/")
    if name in {"chat/completions", "docsum"}:
        # The older form of the request has the other default.
        return name == "docsum" or "query" in call.data
    return is_gateway(call.path) and name not in _WHOLE_BY_THEMSELVES


def violation(text: str) -> str | None:
    """Give what a guardrail says instead of this text, or None where it lets it pass."""
    if _FORBIDDEN.search(text) is None:
        return None
    return "Violated policies: Violent Crimes, please check your input."


def _answer(name: str, call: Call) -> Answer:
    needed = _GATEWAYS[name]
    check_body(call.data, _BODY, needed, open_ended=True)
    parts = [prompt_text(call.data[member]) for member in needed]
    question = "\n".join(parts)
    budget = call.data.get("max_tokens") or _DEFAULT_TOKENS
    choice = make_choice(call, _MODEL, question, Wish(budget=budget))
    refusal = violation(question)
    if call.stream:
        frames = _blocked(refusal) if refusal else _frames(choice)
        return Answer(events=(*frames, DONE), content_type=call.provider.stream_type)
    return Answer.of_json(_whole(name, call, refusal or choice.text))


def _frames(choice: Choice) -> Iterator[bytes]:
    """Give a frame for each token: Python's text for its bytes, after one that is empty."""
    for token in ("", *choice.tokens):
        yield server_sent_event(repr(token.encode()).encode())


def _blocked(text: str) -> Iterator[bytes]:
    """Give the frame of a guardrail, which escapes nothing."""
    yield server_sent_event(b"b'" + text.encode() + b"'")


def _whole(name: str, call: Call, text: str) -> dict[str, Any]:
    # Why it ended is always the same, the counts are always 0, and the model is the gateway.
    message = {"role": "assistant", "content": text, "audio": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "metadata": None}
    return {
        "id": f"chatcmpl-{digest('opea', call.seed, call.index, size=22)}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": name,
        "choices": [choice],
        "usage": {"prompt_tokens": 0, "total_tokens": 0, "completion_tokens": 0},
    }


GATEWAY_OPERATIONS = tuple(
    Operation(name, "POST", f"/v1/{name}", partial(_answer, name)) for name in _GATEWAYS
)
