"""Completions, the older way: several prompts in one request, `n` answers to each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, zip_longest
from typing import Any

from adapters.emulator.answers import count_tokens, digest
from adapters.emulator.checks import (
    Check,
    array,
    boolean,
    check_body,
    either,
    integer,
    mapping,
    number,
    refuse,
    string,
)
from adapters.emulator.openai_style.chat_checks import STREAM_OPTIONS, check_stream_options
from adapters.emulator.openai_style.chat_stream import DONE
from adapters.emulator.openai_style.choices import Choice, Wish, make_choice
from adapters.emulator.openai_style.embeddings import TEXTS_OR_TOKENS, as_inputs, input_text
from adapters.emulator.openai_style.models import Models, check_context, find_model
from adapters.emulator.protocol import Answer, Call, Operation, server_sent_event, to_json

__all__ = ["completions_operation"]

# What the API allows where the request does not say; it cuts most answers.
_DEFAULT_TOKENS = 16

_BODY: Mapping[str, Check] = {
    "model": string(),
    "prompt": TEXTS_OR_TOKENS,
    "best_of": integer(1, 20),
    "echo": boolean,
    "frequency_penalty": number(-2, 2),
    "logit_bias": mapping(),
    "logprobs": integer(0, 5),
    "max_tokens": integer(1),
    "n": integer(1, 128),
    "presence_penalty": number(-2, 2),
    "seed": integer(),
    "stop": either("a string or an array of strings", str=string(), list=array(string(), high=4)),
    "stream": boolean,
    "stream_options": STREAM_OPTIONS,
    "suffix": string(),
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "user": string(),
}


def completions_operation(models: Models) -> Operation:
    """Give the operation for these models."""
    return Operation("completions", "POST", "/completions", partial(_completions, models))


def _completions(models: Models, call: Call) -> Answer:
    body = call.data
    check_body(body, _BODY, ("model", "prompt"))
    check_stream_options(body)
    model = find_model(models, body["model"], "completion")
    n = body.get("n") or 1
    if (body.get("best_of") or n) < n:
        refuse("'best_of' must not be less than 'n'.", "best_of")
    prompts = [input_text(item) for item in as_inputs(body["prompt"])]
    wish = Wish(budget=body.get("max_tokens") or _DEFAULT_TOKENS, stop=body.get("stop"))
    check_context(model, max(map(count_tokens, prompts)), "prompt")
    choices = [make_choice(call, model, prompt, wish, i) for prompt in prompts for i in range(n)]
    echoes = [prompt if body.get("echo") else "" for prompt in prompts for _ in range(n)]
    head = {
        "id": f"cmpl-{digest('completion', call.seed, call.index, size=29)}",
        "object": "text_completion",
        "created": int(time.time()),
        "model": model.id,
    }
    usage = _usage(sum(map(count_tokens, prompts)), choices)
    log = body.get("logprobs") is not None
    if call.stream:
        events = _events(head, _rows(choices, echoes, log=log), usage, body)
        return Answer(events=tuple(events), content_type=call.provider.stream_type)
    written = [
        _piece(index, echo + choice.text, _reason(choice), choice.tokens if log else None)
        for index, (choice, echo) in enumerate(zip(choices, echoes, strict=True))
    ]
    return Answer.of_json({**head, "choices": written, "usage": usage})


def _usage(prompt_tokens: int, choices: Sequence[Choice]) -> dict[str, int]:
    completion = sum(choice.cost for choice in choices)
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": prompt_tokens + completion,
    }


def _reason(choice: Choice) -> str:
    return "stop" if choice.complete else "length"


def _piece(
    index: int, text: str, reason: str | None, tokens: Sequence[str] | None
) -> dict[str, Any]:
    logs = None
    if tokens is not None:
        offsets = list(accumulate(map(len, tokens), initial=0))[:-1]
        probabilities = [-0.01] * len(tokens)
        logs = {"tokens": tokens, "token_logprobs": probabilities, "text_offset": offsets}
    return {"index": index, "text": text, "logprobs": logs, "finish_reason": reason}


def _rows(
    choices: Sequence[Choice], echoes: Sequence[str], *, log: bool
) -> Iterator[dict[str, Any]]:
    """Give the pieces of all choices in turns, and at last their reasons."""
    for index, echo in enumerate(echoes):
        if echo:
            yield _piece(index, echo, None, None)
    for row in zip_longest(*(choice.tokens for choice in choices)):
        for index, token in enumerate(row):
            if token is not None:
                yield _piece(index, token, None, [token] if log else None)
    for index, choice in enumerate(choices):
        yield _piece(index, "", _reason(choice), None)


def _events(
    head: Mapping[str, Any],
    pieces: Iterator[dict[str, Any]],
    usage: Mapping[str, int],
    body: Mapping[str, Any],
) -> Iterator[bytes]:
    with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    tail: dict[str, Any] = {"usage": None} if with_usage else {}
    for piece in pieces:
        yield server_sent_event(to_json({**head, "choices": [piece], **tail}))
    if with_usage:
        yield server_sent_event(to_json({**head, "choices": [], "usage": usage}))
    yield DONE
