"""Hugging Face's text-embeddings-inference, version 1.9: embeddings, ranks, classes. No streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.emulator import _tei_operations as operations
from adapters.emulator._keys import keys_like
from adapters.emulator.answers import digest
from adapters.emulator.hugging_face import (
    error_body,
    optional_bearer,
    problem_answer,
    validation_status,
)
from adapters.emulator.protocol import (
    Answer,
    Call,
    Headers,
    Operation,
    Problem,
    Provider,
    Quota,
    server_sent_event,
    to_json,
)

__all__ = ["PROVIDER"]

_MODEL = "BAAI/bge-small-en-v1.5"
_INFO: Mapping[str, Any] = {
    "model_id": _MODEL,
    "model_sha": digest("model", _MODEL, size=40),
    "model_dtype": "float32",
    "served_model_name": _MODEL,
    "model_type": {"embedding": {"pooling": "cls"}},
    "max_concurrent_requests": 512,
    "max_input_length": operations.MOST_TOKENS,
    "max_batch_tokens": 16_384,
    "max_batch_requests": None,
    "max_client_batch_size": operations.MOST_INPUTS,
    "auto_truncate": True,
    "tokenization_workers": 2,
    "version": "1.9.3",
    "sha": None,
    "docker_label": None,
}
_WORDS = {
    400: ("Empty", "The request is empty"),
    413: ("Validation", "Failed to buffer the request body: length limit exceeded"),
    422: ("Validation", "Input validation error"),
    424: ("Backend", "The backend failed"),
    429: ("Overloaded", "Model is overloaded: no permits available"),
    500: ("Backend", "The backend failed"),
    503: ("Unhealthy", "unhealthy"),
    529: ("Overloaded", "Model is overloaded: no permits available"),
}
_KINDS = {"context_length_exceeded": "Validation"}
_OPENAI = frozenset({"/v1/embeddings", "/embeddings"})
# Open to everybody, wrong key or none.
_OPEN = frozenset({"/health", "/ping", "/metrics"})


def _authenticate(call: Call, keys: Mapping[str, str]) -> str | None:
    if call.path in _OPEN or (call.method, call.path) == ("GET", "/"):
        return None
    return optional_bearer(call, keys)


def _describe(call: Call) -> None:
    call.model = _MODEL


def _info(_call: Call) -> Answer:
    return Answer.of_json(_INFO)


def _health(_call: Call) -> Answer:
    return Answer(content_type=b"text/plain; charset=utf-8")


def _metrics(_call: Call) -> Answer:
    body = b"# TYPE te_request_count counter\nte_request_count 1\n"
    return Answer(body=body, content_type=b"text/plain; charset=utf-8")


def _written(problem: Problem, call: Call) -> dict[str, Any]:
    body = error_body(problem, _WORDS, _KINDS)
    if call.path not in _OPENAI:
        return body
    # Flat, and not below `error` as OpenAI has it.
    status = validation_status(problem)
    return {"message": body["error"], "code": status, "type": body["error_type"]}


def _problem(problem: Problem, call: Call) -> Answer:
    return problem_answer(problem, _written(problem, call))


def _soft_problem(problem: Problem, call: Call) -> Answer:
    return Answer.of_json(_written(problem, call))


def _stream_problem(problem: Problem, call: Call, _position: int) -> bytes:
    return server_sent_event(to_json(_written(problem, call)))


def _headers(_call: Call, _quota: Quota | None) -> Headers:
    return [(b"vary", b"origin, access-control-request-method, access-control-request-headers")]


PROVIDER = Provider(
    name="tei",
    base_path="",
    operations=(
        Operation("embed", "POST", "/embed", operations.embed),
        Operation("embed_all", "POST", "/embed_all", operations.embed_all),
        Operation("embed_sparse", "POST", "/embed_sparse", operations.embed_sparse),
        *(Operation("embeddings", "POST", path, operations.embeddings) for path in sorted(_OPENAI)),
        Operation("rerank", "POST", "/rerank", operations.rerank),
        Operation("predict", "POST", "/predict", operations.predict),
        Operation("similarity", "POST", "/similarity", operations.similarity),
        Operation("tokenize", "POST", "/tokenize", operations.tokenize),
        Operation("decode", "POST", "/decode", operations.decode),
        Operation("root", "POST", "/", operations.root),
        Operation("info", "GET", "/info", _info, takes_json=False),
        *(
            Operation("health", "GET", path, _health, takes_json=False)
            for path in ("/health", "/ping", "/")
        ),
        Operation("metrics", "GET", "/metrics", _metrics, takes_json=False),
    ),
    keys=keys_like("hf_emulator", "hf", 24),
    authenticate=_authenticate,
    problem=_problem,
    stream_problem=_stream_problem,
    soft_problem=_soft_problem,
    headers=_headers,
    describe=_describe,
)
