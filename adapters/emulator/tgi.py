"""Hugging Face's text-generation-inference, version 3.3: one model, its native and OpenAI's routes.

A streaming request that the server does not accept is answered with status 200 and an event that
is an error: the server looks at it when the stream has begun.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from adapters.emulator._keys import keys_like
from adapters.emulator._tgi_native import (
    MODEL,
    chat_tokenize,
    generate,
    generate_stream,
    root,
    timed,
    tokenize,
)
from adapters.emulator.answers import digest, prompt_text
from adapters.emulator.hugging_face import (
    error_body,
    optional_bearer,
    problem_answer,
    validation_status,
)
from adapters.emulator.openai_style.chat_stream import DONE
from adapters.emulator.openai_style.models import Model
from adapters.emulator.protocol import (
    Answer,
    Call,
    Headers,
    Operation,
    Problem,
    Provider,
    Quota,
    Refusal,
    describe_body,
    server_sent_event,
    to_json,
)
from adapters.emulator.self_hosted.chat import answer_chat
from adapters.emulator.self_hosted.completions import answer_completions
from adapters.emulator.self_hosted.server import Server

__all__ = ["PROVIDER"]

_MOST_PROMPTS = 4
_OPENAI_ROUTES = frozenset({"chat", "completions"})
_INFO: Mapping[str, Any] = {
    "model_id": MODEL.id,
    "model_sha": digest("model", MODEL.id, size=40),
    "model_pipeline_tag": "text-generation",
    "max_concurrent_requests": 128,
    "max_best_of": 2,
    "max_stop_sequences": 4,
    "max_input_tokens": MODEL.context - 1,
    "max_total_tokens": MODEL.context,
    "validation_workers": 2,
    "max_client_batch_size": _MOST_PROMPTS,
    "router": "text-generation-router",
    "version": "3.3.7",
    "sha": None,
    "docker_label": None,
}
_WORDS = {
    422: ("validation", "Input validation error"),
    424: ("generation", "Request failed during generation: the shard is gone"),
    429: ("overloaded", "Model is overloaded"),
    500: ("incomplete_generation", "Incomplete generation"),
    503: ("healthcheck", "unhealthy"),
    529: ("overloaded", "Model is overloaded"),
}


def _model(_call: Call) -> Model:
    return MODEL


def _head(_call: Call, kind: str, model: str) -> dict[str, Any]:
    return {
        "object": kind,
        "id": "",
        "created": int(time.time()),
        "model": model,
        "system_fingerprint": "3.3.7-native",
    }


def _check_prompts(count: int) -> None:
    if count > _MOST_PROMPTS:
        message = f"Number of prompts exceeds the maximum allowed batch size of {_MOST_PROMPTS}"
        raise Refusal(Problem(422, message, code="batch size exceeded"))


_SERVER = Server(
    model=_model,
    head=_head,
    first={"role": "assistant", "content": ""},
    every={"role": "assistant"},
    choice={"logprobs": None},
    most_choices=False,
    check_prompts=_check_prompts,
    streamed_stop="eos_token",
    usage_of_each=True,
)


def _chat(call: Call) -> Answer:
    return _counted(answer_chat(_SERVER, call), prompt_text(call.data["messages"]))


def _completions(call: Call) -> Answer:
    if call.data.get("suffix") is not None:
        raise Refusal(Problem(422, "Suffix is not supported.", code="suffix not supported"))
    return _counted(answer_completions(_SERVER, call), str(call.data["prompt"]))


def _counted(answer: Answer, text: str) -> Answer:
    """Say in the headers as well what the body of a whole answer says."""
    if answer.events is not None:
        return timed(answer, text)
    usage = json.loads(answer.body)["usage"]
    return timed(answer, text, usage["prompt_tokens"], usage["completion_tokens"])


def _json(value: object, _call: Call) -> Answer:
    return Answer.of_json(value)


def _models(_call: Call) -> Answer:
    card = {"id": MODEL.id, "object": "model", "created": 0, "owned_by": MODEL.id}
    return Answer.of_json({"object": "list", "data": [card]})


def _health(_call: Call) -> Answer:
    return Answer(content_type=b"text/plain; charset=utf-8")


def _metrics(_call: Call) -> Answer:
    body = b"# TYPE tgi_request_count counter\ntgi_request_count 1\n"
    return Answer(body=body, content_type=b"text/plain; charset=utf-8")


def _describe(call: Call) -> None:
    describe_body(call)
    call.model = call.model or MODEL.id
    call.stream = call.stream or call.path == "/generate_stream"
    if call.path == "/generate":
        call.stream = False


def _body(problem: Problem) -> dict[str, Any]:
    return error_body(problem, _WORDS, {"context_length_exceeded": "validation"})


def _problem(problem: Problem, call: Call) -> Answer:
    body = _body(problem)
    answer = problem_answer(problem, body)
    is_refused_inside = answer.content_type == b"application/json" and problem.status in {400, 422}
    if call.stream and call.operation and is_refused_inside:
        event = _stream_problem(problem, call, 0)
        return Answer(events=(event,), content_type=call.provider.stream_type)
    return answer


def _stream_problem(problem: Problem, call: Call, _position: int) -> bytes:
    body = _body(problem)
    if call.operation not in _OPENAI_ROUTES:
        return server_sent_event(to_json(body))
    # The number is always the same, whatever has happened.
    inside = {"error": {"message": body["error"], "http_status_code": 422}}
    return server_sent_event(to_json(inside)) + DONE


def _soft_problem(problem: Problem, _call: Call) -> Answer:
    return Answer.of_json(_body(Problem(validation_status(problem), problem.message, problem.code)))


def _headers(_call: Call, _quota: Quota | None) -> Headers:
    return [(b"vary", b"origin, access-control-request-method, access-control-request-headers")]


PROVIDER = Provider(
    name="tgi",
    base_path="",
    operations=(
        Operation("generate", "POST", "/generate", generate),
        Operation("generate_stream", "POST", "/generate_stream", generate_stream),
        Operation("root", "POST", "/", root),
        Operation("chat", "POST", "/v1/chat/completions", _chat),
        Operation("completions", "POST", "/v1/completions", _completions),
        Operation("tokenize", "POST", "/tokenize", tokenize),
        Operation("chat_tokenize", "POST", "/chat_tokenize", chat_tokenize),
        Operation("info", "GET", "/info", partial(_json, _INFO), takes_json=False),
        Operation("models", "GET", "/v1/models", _models, takes_json=False),
        *(
            Operation("health", "GET", path, _health, takes_json=False)
            for path in ("/health", "/ping", "/")
        ),
        Operation("metrics", "GET", "/metrics", _metrics, takes_json=False),
    ),
    keys=keys_like("hf_emulator", "hf", 24),
    authenticate=optional_bearer,
    problem=_problem,
    stream_problem=_stream_problem,
    soft_problem=_soft_problem,
    headers=_headers,
    describe=_describe,
    stream_type=b"text/event-stream",
)
