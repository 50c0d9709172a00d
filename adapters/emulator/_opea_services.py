"""OPEA's single services: the model, embeddings, retrieval, ranks, guardrails, documents, audio."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from adapters.emulator._opea_gateways import MESSAGES, violation
from adapters.emulator.answers import digest, expected_answer, expected_score, prompt_text
from adapters.emulator.checks import (
    array,
    check_body,
    either,
    integer,
    mapping,
    number,
    string,
)
from adapters.emulator.openai_style.chat_stream import DONE
from adapters.emulator.openai_style.choices import Wish, make_choice
from adapters.emulator.openai_style.models import Model
from adapters.emulator.protocol import (
    Answer,
    Call,
    Operation,
    Problem,
    Refusal,
    server_sent_event,
    to_json,
)
from adapters.emulator.self_hosted.chat import answer_chat
from adapters.emulator.self_hosted.completions import answer_completions
from adapters.emulator.self_hosted.embeddings import embedding_data
from adapters.emulator.self_hosted.server import Server

__all__ = ["SERVICE_OPERATIONS"]

_MODEL = Model("meta-llama/Meta-Llama-3-8B-Instruct", "chat", 8_192)
_DEFAULT_TOKENS = 1024
_BEHIND = 32  # what the TEI behind the embedding service takes
_DOCUMENTS = tuple(f"document {number}" for number in range(1, 9))


def _head(call: Call, kind: str, model: str) -> dict[str, Any]:
    number = digest("opea", call.seed, call.index, size=32)
    return {"id": f"chatcmpl-{number}", "object": kind, "created": 0, "model": model}


_SERVER = Server(
    # What a request calls the model is not looked at.
    model=lambda _call: _MODEL,
    head=_head,
    first={"role": "assistant", "content": ""},
    choice={"logprobs": None},
    default_tokens=_DEFAULT_TOKENS,
)


def _chat(call: Call) -> Answer:
    """Answer a chat; where the messages are a text, with completions in the place of messages."""
    body = call.data
    if "query" in body and "messages" not in body:
        body["messages"] = body["query"]
    check_body(body, {"messages": MESSAGES}, ("messages",), open_ended=True)
    if isinstance(body["messages"], str):
        body["prompt"] = body["messages"]
        return answer_completions(_SERVER, call)
    return answer_chat(_SERVER, call)


def _embeddings(call: Call) -> Answer:
    def check(inputs: list[str | list[int]]) -> None:
        if len(inputs) > _BEHIND:
            raise Refusal(Problem(500))

    data, _ = embedding_data(call, ("input",), check)
    return Answer.of_json({"object": "list", "model": None, "data": data, "usage": None})


_TEXT_DOCUMENTS = array(mapping(required=("text",)), low=1)


def _reranking(call: Call) -> Answer:
    """Answer the best documents: with scores, or in the older form as the model's next request."""
    body = call.data
    older = "initial_query" in body
    query = "initial_query" if older else "input"
    table = {query: string(), "retrieved_docs": _TEXT_DOCUMENTS, "top_n": integer(1)}
    check_body(body, table, (query, "retrieved_docs"), open_ended=True)
    ranked = [
        {"text": item["text"], "score": expected_score(body[query], item["text"], seed=call.seed)}
        for item in body["retrieved_docs"]
    ]
    ranked.sort(key=lambda item: -item["score"])
    best = ranked[: body.get("top_n") or 1]
    if older:
        texts = [item["text"] for item in best]
        return Answer.of_json({"query": body[query], "documents": texts, "max_tokens": 1024})
    return Answer.of_json({"reranked_docs": best})


def _retrieval(call: Call) -> Answer:
    body = call.data
    newer = "input" in body
    query = "input" if newer else "text"
    vector = either("a vector", list=array(number(-1e9, 1e9), low=1))
    table = {query: string(), "embedding": vector, "k": integer(1)}
    check_body(body, table, (query, "embedding"), open_ended=True)
    found = sorted(_DOCUMENTS, key=lambda text: -expected_score(body[query], text, seed=call.seed))[
        : body.get("k") or 4
    ]
    if newer:
        return Answer.of_json({"retrieved_docs": [{"text": t, "metadata": {}} for t in found]})
    documents = [{"id": digest("document", text), "text": text} for text in found]
    return Answer.of_json(
        {
            "id": digest("retrieval", call.seed, call.index, size=32),
            "retrieved_docs": documents,
            "initial_query": body[query],
            "top_n": 1,
            "metadata": [{"source": "emulator"} for _ in documents],
        }
    )


def _guardrails(call: Call) -> Answer:
    """Answer the text itself, or what is wrong with it; both with status 200."""
    check_body(call.data, {"text": string()}, ("text",), open_ended=True)
    refusal = violation(call.data["text"])
    blocked = [".*"] if refusal else []
    text = refusal or call.data["text"]
    return Answer.of_json({"id": "", "text": text, "downstream_black_list": blocked})


def _ingest(call: Call) -> Answer:
    is_form = "multipart/form-data" in call.header("content-type")
    if not is_form or not (b'name="files"' in call.body or b'name="link_list"' in call.body):
        raise Refusal(Problem(400, "Must provide either a file or a string list.", code="form"))
    return Answer.of_json({"status": 200, "message": "Data preparation succeeded"})


def _documents(_call: Call) -> Answer:
    listed = [{"name": text, "id": text, "type": "File", "parent": ""} for text in _DOCUMENTS]
    return Answer.of_json(listed)


def _delete(call: Call) -> Answer:
    check_body(call.data, {"file_path": string(empty=False)}, ("file_path",), open_ended=True)
    if call.data["file_path"] not in {"all", *_DOCUMENTS}:
        raise Refusal(Problem(404, "File/folder not found. Please check del_path.", code="path"))
    return Answer.of_json({"status": True})


def _docsum(call: Call) -> Answer:
    """Answer a summary: as a stream of patches to a log, unless it is told not to."""
    check_body(call.data, {"messages": MESSAGES}, ("messages",), open_ended=True)
    wish = Wish(budget=call.data.get("max_tokens") or _DEFAULT_TOKENS)
    choice = make_choice(call, _MODEL, prompt_text(call.data["messages"]), wish)
    if call.stream:
        frames = (*_patches(choice.tokens), DONE)
        return Answer(events=frames, content_type=call.provider.stream_type)
    return Answer.of_json({"id": digest("sum", call.seed, call.index), "text": choice.text})


def _patches(tokens: tuple[str, ...]) -> Iterator[bytes]:
    begin = {"op": "replace", "path": "", "value": {"streamed_output": []}}
    yield server_sent_event(to_json({"ops": [begin]}))
    for token in tokens:
        patch = {"op": "add", "path": "/streamed_output/-", "value": token}
        yield server_sent_event(to_json({"ops": [patch]}))


def _transcribe(call: Call) -> Answer:
    if "multipart/form-data" not in call.header("content-type"):
        raise Refusal(Problem(400, "Field required", param="file", code="missing"))
    return Answer.of_json({"text": expected_answer("audio", seed=call.seed)})


def _speech(call: Call) -> Answer:
    check_body(call.data, {"input": string()}, ("input",), open_ended=True)
    sound = b"RIFF" + expected_answer(call.data["input"], seed=call.seed).encode()
    return Answer(body=sound, content_type=b"audio/wav")


def _json(text: str, _call: Call) -> Answer:
    return Answer.of_json(json.loads(text))


_HEALTH = '{"Service Title":"emulator","Version":"1.5","Service Description":"OPEA Microservice"}'

SERVICE_OPERATIONS = (
    Operation("chat", "POST", "/v1/chat/completions", _chat),
    Operation("embeddings", "POST", "/v1/embeddings", _embeddings),
    Operation("reranking", "POST", "/v1/reranking", _reranking),
    Operation("retrieval", "POST", "/v1/retrieval", _retrieval),
    Operation("guardrails", "POST", "/v1/guardrails", _guardrails),
    Operation("ingest", "POST", "/v1/dataprep/ingest", _ingest, takes_json=False),
    Operation("documents", "POST", "/v1/dataprep/get", _documents, takes_json=False),
    Operation("delete", "POST", "/v1/dataprep/delete", _delete),
    Operation("docsum", "POST", "/v1/docsum", _docsum),
    Operation("transcribe", "POST", "/v1/audio/transcriptions", _transcribe, takes_json=False),
    Operation("speech", "POST", "/v1/audio/speech", _speech),
    Operation("health", "GET", "/v1/health_check", partial(_json, _HEALTH), takes_json=False),
    Operation("ping", "GET", "/health", lambda _call: Answer(), takes_json=False),
    Operation("statistics", "GET", "/v1/statistics", partial(_json, "{}"), takes_json=False),
)
