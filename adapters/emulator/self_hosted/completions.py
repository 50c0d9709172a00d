"""Completions: one prompt or several, whole and as a stream in which they take turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from adapters.emulator.answers import count_tokens
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
from adapters.emulator.openai_style.embeddings import TEXTS_OR_TOKENS, as_inputs, input_text
from adapters.emulator.protocol import Answer, Call, server_sent_event, to_json
from adapters.emulator.self_hosted.chat import wants_usage
from adapters.emulator.self_hosted.server import Server, check_length, finish_reason, usage

__all__ = ["answer_completions"]

_BODY: Mapping[str, Check] = {
    "model": string(),
    "prompt": TEXTS_OR_TOKENS,
    "frequency_penalty": number(-2, 2),
    "max_tokens": integer(1),
    "n": integer(1, 128),
    "presence_penalty": number(-2, 2),
    "seed": integer(),
    "stop": either("a string or an array of strings", str=string(), list=array(string())),
    "stream": boolean,
    "stream_options": mapping(),
    "temperature": number(0, 2),
    "top_p": number(0, 1),
}


def answer_completions(server: Server, call: Call, required: Sequence[str] = ("prompt",)) -> Answer:
    """Answer completions as this server does: with several prompts, `n` choices for each."""
    body = call.data
    check_body(body, _BODY, required, open_ended=True)
    model = server.model(call)
    prompts = [input_text(item) for item in as_inputs(body["prompt"])]
    server.check_prompts(len(prompts))
    lengths = [count_tokens(prompt) for prompt in prompts]
    check_length(model, max(lengths), "prompt")
    wish = Wish(budget=body.get("max_tokens") or server.default_tokens, stop=body.get("stop"))
    n = (body.get("n") or 1) if server.most_choices else 1
    choices = [make_choice(call, model, prompt, wish, i) for prompt in prompts for i in range(n)]
    head = server.head(call, "text_completion", model.id)
    counts = usage(sum(lengths), sum(choice.cost for choice in choices))
    if call.stream:
        events = [*_pieces(server, head, choices), *_ends(server, head, choices, lengths)]
        if wants_usage(body) and not server.usage_of_each:
            events.append(server_sent_event(to_json({**head, "choices": [], "usage": counts})))
        events.append(DONE)
        return Answer(events=tuple(events), content_type=call.provider.stream_type)
    written = [
        _piece(server, index, choice.text, finish_reason(choice))
        for index, choice in enumerate(choices)
    ]
    return Answer.of_json({**head, "choices": written, "usage": counts, **server.whole})


def _piece(server: Server, index: int, text: str, reason: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, **server.choice, "finish_reason": reason}


def _pieces(server: Server, head: Mapping[str, Any], choices: Sequence[Choice]) -> Iterator[bytes]:
    for row in zip_longest(*(choice.tokens for choice in choices)):
        for index, token in enumerate(row):
            if token is not None:
                piece = _piece(server, index, token, None)
                yield server_sent_event(to_json({**head, "choices": [piece]}))


def _ends(
    server: Server, head: Mapping[str, Any], choices: Sequence[Choice], lengths: Sequence[int]
) -> Iterator[bytes]:
    per_prompt = len(choices) // len(lengths)
    for index, choice in enumerate(choices):
        reason = server.streamed_stop if choice.complete else "length"
        chunk: dict[str, Any] = {**head, "choices": [_piece(server, index, "", reason)]}
        if server.usage_of_each:
            chunk["usage"] = usage(lengths[index // per_prompt], choice.cost)
        yield server_sent_event(to_json(chunk))
