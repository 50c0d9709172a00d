"""TGI's own routes: generate, whole and as a stream, and tokenize."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from adapters.emulator.answers import (
    count_tokens,
    prompt_text,
    split_tokens,
    token_id,
)
from adapters.emulator.checks import (
    Check,
    array,
    boolean,
    check_body,
    integer,
    mapping,
    number,
    string,
)
from adapters.emulator.openai_style.choices import Choice, Wish, make_choice
from adapters.emulator.openai_style.models import Model
from adapters.emulator.protocol import (
    Answer,
    Call,
    Problem,
    Refusal,
    server_sent_event,
    to_json,
)
from adapters.emulator.self_hosted.chat import check_chat

__all__ = [
    "MODEL",
    "chat_tokenize",
    "generate",
    "generate_stream",
    "root",
    "timed",
    "tokenize",
]

MODEL = Model("meta-llama/Llama-3.1-8B-Instruct", "chat", 8_192)
_MOST_STOPS = 4
_MOST_ANSWERS = 2

_PARAMETERS: Mapping[str, Check] = {
    "adapter_id": string(),
    "best_of": integer(),
    "decoder_input_details": boolean,
    "details": boolean,
    "do_sample": boolean,
    "frequency_penalty": number(-2, 2),
    "grammar": mapping(required=("type", "value")),
    "max_new_tokens": integer(),
    "repetition_penalty": number(-1e9, 1e9),
    "return_full_text": boolean,
    "seed": integer(0),
    "stop": array(string()),
    "temperature": number(-1e9, 1e9),
    "top_k": integer(),
    "top_n_tokens": integer(0),
    "top_p": number(-1e9, 1e9),
    "truncate": integer(1),
    "typical_p": number(-1e9, 1e9),
    "watermark": boolean,
}


def _lenient(param: str, value: object) -> None:
    """Check the parameters that are known; serde passes over the others."""
    members = value if isinstance(value, dict) else None
    known = {name: member for name, member in (members or {}).items() if name in _PARAMETERS}
    mapping(_PARAMETERS)(param, value if members is None else known)


_BODY: Mapping[str, Check] = {"inputs": string(), "parameters": _lenient, "stream": boolean}


def _invalid(message: str) -> Refusal:
    return Refusal(Problem(422, f"Input validation error: {message}", code="validation"))


def _checked(call: Call, *, stream: bool) -> Mapping[str, Any]:
    """Give the parameters of a request that may be answered."""
    check_body(call.data, _BODY, ("inputs",), open_ended=True)
    parameters: Mapping[str, Any] = call.data.get("parameters") or {}
    for name in ("temperature", "top_k", "repetition_penalty", "max_new_tokens"):
        if parameters.get(name) is not None and parameters[name] <= 0:
            raise _invalid(f"`{name}` must be strictly positive")
    for name in ("top_p", "typical_p"):
        if parameters.get(name) is not None and not 0 < parameters[name] < 1:
            raise _invalid(f"`{name}` must be > 0.0 and < 1.0")
    best_of = parameters.get("best_of") or 1
    if not 0 < best_of <= _MOST_ANSWERS:
        raise _invalid(f"`best_of` must be > 0 and <= {_MOST_ANSWERS}. Given: {best_of}")
    if stream and best_of > 1:
        raise _invalid("`best_of` != 1 is not supported when streaming tokens")
    if len(parameters.get("stop") or ()) > _MOST_STOPS:
        raise _invalid(f"`stop` supports up to {_MOST_STOPS} stop sequences")
    if stream and parameters.get("decoder_input_details"):
        raise _invalid("`decoder_input_details` == true is not supported when streaming tokens")
    _check_length(call.data["inputs"], parameters)
    return parameters


def _check_length(inputs: str, parameters: Mapping[str, Any]) -> None:
    if not inputs:
        raise _invalid("`inputs` cannot be empty")
    length, wanted = count_tokens(inputs), parameters.get("max_new_tokens") or 0
    if parameters.get("truncate") is None and length + wanted > MODEL.context:
        raise _invalid(
            f"`inputs` tokens + `max_new_tokens` must be <= {MODEL.context}. "
            f"Given: {length} `inputs` tokens and {wanted} `max_new_tokens`"
        )


def _made(call: Call, parameters: Mapping[str, Any]) -> Choice:
    grammar = parameters.get("grammar") or {}
    form = {"type": "json_schema", "schema": grammar.get("value")} if grammar else None
    wish = Wish(
        budget=parameters.get("max_new_tokens") or 1024, stop=parameters.get("stop"), format=form
    )
    return make_choice(call, MODEL, call.data["inputs"], wish)


def generate(call: Call) -> Answer:
    """Answer the whole generation as an object."""
    return _answered(call, as_list=False)


def root(call: Call) -> Answer:
    """Answer the compatible route: an array of one, or a stream where the body asks for it."""
    if call.stream:
        return generate_stream(call)
    return _answered(call, as_list=True)


def _answered(call: Call, *, as_list: bool) -> Answer:
    parameters = _checked(call, stream=False)
    choice = _made(call, parameters)
    whole = _whole(call, choice, parameters)
    answer = Answer.of_json([whole] if as_list else whole)
    inputs = call.data["inputs"]
    return timed(answer, inputs, count_tokens(inputs), choice.cost)


def _whole(call: Call, choice: Choice, parameters: Mapping[str, Any]) -> dict[str, Any]:
    text = choice.text
    if parameters.get("return_full_text"):
        text = call.data["inputs"] + text
    answer: dict[str, Any] = {"generated_text": text}
    if parameters.get("details"):
        answer["details"] = {
            **_details(choice, parameters),
            "prefill": [],
            "tokens": [_token(token) for token in choice.tokens],
        }
    return answer


def _details(choice: Choice, parameters: Mapping[str, Any]) -> dict[str, Any]:
    reason = "eos_token" if choice.complete else "length"
    if choice.complete and parameters.get("stop"):
        reason = "stop_sequence"
    seed = parameters.get("seed")
    return {"finish_reason": reason, "generated_tokens": choice.cost, "seed": seed}


def _token(text: str, *, special: bool = False) -> dict[str, Any]:
    return {"id": token_id(text), "text": text, "logprob": -0.01, "special": special}


def generate_stream(call: Call) -> Answer:
    """Answer token by token; the last event has the whole text, and nothing marks the end."""
    parameters = _checked(call, stream=True)
    events = tuple(_events(call, _made(call, parameters), parameters))
    answer = Answer(events=events, content_type=call.provider.stream_type)
    return timed(answer, call.data["inputs"])


def _events(call: Call, choice: Choice, parameters: Mapping[str, Any]) -> Iterator[bytes]:
    details = None
    if parameters.get("details"):
        length = count_tokens(call.data["inputs"])
        details = {**_details(choice, parameters), "input_length": length}
    tokens = [_token(token) for token in choice.tokens]
    if choice.complete:
        tokens.append(_token("</s>", special=True))
    for index, token in enumerate(tokens, start=1):
        is_last = index == len(tokens)
        end = (choice.text, details) if is_last else (None, None)
        yield _event(index, token, *end)


def _event(index: int, token: object, text: str | None, details: object) -> bytes:
    event = {"index": index, "token": token, "generated_text": text, "details": details}
    return server_sent_event(to_json(event))


def tokenize(call: Call) -> Answer:
    """Answer the tokens of a text, with their places in it."""
    check_body(call.data, _BODY, ("inputs",), open_ended=True)
    return Answer.of_json(_tokens(call.data["inputs"]))


def chat_tokenize(call: Call) -> Answer:
    """Answer the tokens of a conversation."""
    check_chat(call.data)
    text = prompt_text(call.data["messages"])
    return Answer.of_json({"tokenize_response": _tokens(text), "templated_text": text})


def _tokens(text: str) -> list[dict[str, Any]]:
    found, start = [], 0
    for token in split_tokens(text):
        stop = start + len(token)
        found.append({"id": token_id(token), "text": token, "start": start, "stop": stop})
        start = stop
    return found


def timed(answer: Answer, text: str, prompt_tokens: int = 0, generated_tokens: int = 0) -> Answer:
    """Add the headers that tell what an answer has cost; a stream does not know it beforehand."""
    found = {"x-compute-type": "gpu+optimized", "x-compute-characters": str(len(text))}
    if answer.events is None:
        found |= {
            "x-compute-time": "0.012",  # seconds; all the others are milliseconds
            "x-total-time": "12",
            "x-validation-time": "1",
            "x-queue-time": "1",
            "x-inference-time": "10",
            "x-time-per-token": "1",
            "x-prompt-tokens": str(prompt_tokens),
            "x-generated-tokens": str(generated_tokens),
        }
    headers = tuple((name.encode(), value.encode()) for name, value in found.items())
    return replace(answer, headers=headers)
