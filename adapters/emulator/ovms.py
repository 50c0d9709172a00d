"""OpenVINO Model Server 2026.2: KServe's `/v2`, TensorFlow-Serving's `/v1`, OpenAI's `/v3`."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from adapters.emulator._keys import keys_like
from adapters.emulator._kserve import KSERVE_OPERATIONS
from adapters.emulator._tensorflow_serving import TFS_OPERATIONS
from adapters.emulator.answers import expected_score, split_tokens, token_id
from adapters.emulator.checks import array, boolean, check_body, either, integer, string
from adapters.emulator.openai_style.embeddings import as_inputs
from adapters.emulator.openai_style.models import Kind, Model
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
    to_json,
)
from adapters.emulator.self_hosted.chat import answer_chat
from adapters.emulator.self_hosted.completions import answer_completions
from adapters.emulator.self_hosted.embeddings import embedding_data
from adapters.emulator.self_hosted.server import Server

__all__ = ["PROVIDER"]

_CHAT = Model("OpenVINO/Qwen3-8B-int4-ov", "chat", 32_768, owned_by="OVMS")
_EMBED = Model("OpenVINO/bge-base-en-v1.5-fp16-ov", "embedding", 512, dimensions=384)
_RERANK = Model("OpenVINO/bge-reranker-base-fp16-ov", "moderation", 512)
_GRAPHS = (_CHAT, _EMBED, _RERANK)
_MOST_INPUTS = 500
_MOST_DOCUMENTS = 100
_IN_PATH = re.compile(r"/v[12]/models/([^/:]+)")
# The server has no status of its own for a wrong key.
_WRONG_KEY = Problem(500, "Unauthorized request due to invalid or missing api-key")


def _authenticate(call: Call, keys: Mapping[str, str]) -> str | None:
    """Find the key; only `/v3` looks at it, and a request without one is let in."""
    given = call.header("authorization")
    for name, known in keys.items():
        if given == f"Bearer {known}":
            return name
    if given and call.path.startswith("/v3/"):
        raise Refusal(_WRONG_KEY)
    return None


def _describe(call: Call) -> None:
    describe_body(call)
    if found := _IN_PATH.match(call.path):
        call.model = found[1]


def _graph(kind: Kind, call: Call) -> Model:
    for model in _GRAPHS:
        if model.kind == kind and call.data.get("model") == model.id:
            return model
    raise Refusal(Problem(404, "Mediapipe graph definition with requested name is not found"))


def _head(_call: Call, kind: str, model: str) -> dict[str, Any]:
    return {"object": kind, "created": int(time.time()), "model": model}


_SERVER = Server(
    model=partial(_graph, "chat"),
    head=_head,
    first={"role": "assistant", "content": None},
    message={"tool_calls": []},
    choice={"logprobs": None},
)


def _whole(call: Call) -> None:
    """Refuse a body that is no JSON object, as this server does: 412."""
    if not call.data:
        raise Refusal(Problem(412, "JSON body must be an object"))


def _chat(call: Call) -> Answer:
    _whole(call)
    return answer_chat(_SERVER, call, ("model", "messages"))


def _completions(call: Call) -> Answer:
    _whole(call)
    check_body(call.data, {"prompt": string()}, ("model", "prompt"), open_ended=True)
    return answer_completions(_SERVER, call, ("model", "prompt"))


def _embeddings(call: Call) -> Answer:
    _whole(call)
    model = _graph("embedding", call)
    data, tokens = embedding_data(call, ("model", "input"), _few, dimensions=model.dimensions)
    counts = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Answer.of_json({"object": "list", "data": data, "model": model.id, "usage": counts})


def _few(inputs: list[str | list[int]]) -> None:
    if len(inputs) > _MOST_INPUTS:
        message = f"Input length {len(inputs)} is larger than allowed {_MOST_INPUTS}"
        raise Refusal(Problem(400, message))


def _rerank(call: Call) -> Answer:
    _whole(call)
    table = {
        "query": string(),
        "documents": array(string(), low=1),
        "top_n": integer(1),
        "return_documents": boolean,
    }
    check_body(call.data, table, ("model", "query", "documents"), open_ended=True)
    _graph("moderation", call)
    query, documents = call.data["query"], call.data["documents"]
    if len(documents) > _MOST_DOCUMENTS:
        raise Refusal(Problem(400, f"Number of documents exceeds {_MOST_DOCUMENTS}"))
    results: list[dict[str, Any]] = []
    for index, text in enumerate(documents):
        result: dict[str, Any] = {"index": index}
        result |= {"relevance_score": expected_score(query, text, seed=call.seed)}
        if call.data.get("return_documents"):
            result["document"] = {"text": text}
        results.append(result)
    results.sort(key=lambda result: -result["relevance_score"])
    return Answer.of_json({"results": results[: call.data.get("top_n")]})


def _tokenize(call: Call) -> Answer:
    _whole(call)
    text = either("a string or an array of strings", str=string(), list=array(string()))
    check_body(call.data, {"text": text}, ("model", "text"), open_ended=True)
    given = call.data["text"]
    rows = [[token_id(token) for token in split_tokens(str(item))] for item in as_inputs(given)]
    return Answer.of_json({"tokens": rows[0] if isinstance(given, str) else rows})


def _models(_call: Call) -> Answer:
    return Answer.of_json({"object": "list", "data": [_card(model) for model in _GRAPHS]})


def _show(call: Call) -> Answer:
    for model in _GRAPHS:
        if model.id == call.params["model"]:
            return Answer.of_json(_card(model))
    raise Refusal(Problem(404, "Model with requested name is not found"))


def _card(model: Model) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": model.created, "owned_by": "OVMS"}


def _written(problem: Problem) -> dict[str, Any]:
    phrase = "Internal server error"
    if problem.status in set(HTTPStatus):
        phrase = HTTPStatus(problem.status).phrase
    return {"error": problem.message or phrase}


def _problem(problem: Problem, _call: Call) -> Answer:
    status = 406 if problem.status == HTTPStatus.METHOD_NOT_ALLOWED else problem.status
    return Answer.of_json(_written(problem), status)


def _soft_problem(problem: Problem, _call: Call) -> Answer:
    return Answer.of_json(_written(problem))


def _stream_problem(problem: Problem, _call: Call, _position: int) -> bytes:
    # Bare: it is no event, and nothing comes after it.
    return to_json(_written(problem))


def _headers(_call: Call, _quota: Quota | None) -> Headers:
    return []


PROVIDER = Provider(
    name="ovms",
    base_path="",
    operations=(
        *KSERVE_OPERATIONS,
        *TFS_OPERATIONS,
        Operation("chat", "POST", "/v3/chat/completions", _chat, takes_json=False),
        Operation("completions", "POST", "/v3/completions", _completions, takes_json=False),
        Operation("embeddings", "POST", "/v3/embeddings", _embeddings, takes_json=False),
        Operation("rerank", "POST", "/v3/rerank", _rerank, takes_json=False),
        Operation("tokenize", "POST", "/v3/tokenize", _tokenize, takes_json=False),
        Operation("models", "GET", "/v3/models", _models, takes_json=False),
        Operation("model", "GET", "/v3/models/{model:path}", _show, takes_json=False),
    ),
    keys=keys_like("ovms-emulator-", "ovms", 24),
    authenticate=_authenticate,
    problem=_problem,
    stream_problem=_stream_problem,
    soft_problem=_soft_problem,
    headers=_headers,
    describe=_describe,
    stream_type=b"text/event-stream",
)
