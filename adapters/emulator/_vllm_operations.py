"""vLLM's operations: OpenAI's, and its own for scores, ranks, tokens and the server's state."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from adapters.emulator.answers import (
    count_tokens,
    digest,
    expected_score,
    prompt_text,
    split_tokens,
    token_id,
)
from adapters.emulator.checks import (
    Check,
    array,
    boolean,
    check_body,
    either,
    integer,
    refuse,
    string,
)
from adapters.emulator.openai_style.choices import make_choice
from adapters.emulator.openai_style.embeddings import as_inputs, input_text
from adapters.emulator.openai_style.models import Kind, Model
from adapters.emulator.protocol import Answer, Call, Operation, Problem, Refusal
from adapters.emulator.self_hosted.chat import CHAT, answer_chat, chat_wish
from adapters.emulator.self_hosted.completions import answer_completions
from adapters.emulator.self_hosted.embeddings import embedding_data
from adapters.emulator.self_hosted.server import Server, check_length, finish_reason, usage

__all__ = ["VLLM_OPERATIONS"]

_MODELS = {
    model.id: model
    for model in (
        Model("Qwen/Qwen3-8B", "chat", 32_768, owned_by="vllm"),
        Model("BAAI/bge-small-en-v1.5", "embedding", 512, dimensions=384, owned_by="vllm"),
    )
}
_LABELS = ("negative", "positive")
_FRAMING = 4
_TEXTS = either("a string or an array of strings", str=string(), list=array(string(), low=1))


def _model(kind: Kind, call: Call) -> Model:
    """Find the model; a request may leave it out, and gets the one that can do it."""
    name = call.data.get("model")
    if not isinstance(name, str | None):
        refuse("'model' must be a string.", "model", "invalid_type")
    for model in _MODELS.values():
        if model.kind == kind and name in {None, model.id}:
            return model
    if name in _MODELS:
        message = f"The model `{name}` does not support this API"
        raise Refusal(Problem(400, message, param="model"))
    raise Refusal(Problem(404, f"The model `{name}` does not exist.", param="model"))


def _id(call: Call, prefix: str) -> str:
    given = call.data.get("request_id") or call.header("x-request-id")
    return f"{prefix}-{given or digest(prefix, call.seed, call.index, size=32)}"


def _head(call: Call, kind: str, model: str) -> dict[str, Any]:
    prefix = "cmpl" if kind == "text_completion" else "chatcmpl"
    return {"id": _id(call, prefix), "object": kind, "created": int(time.time()), "model": model}


_SERVER = Server(
    model=partial(_model, "chat"),
    head=_head,
    first={"role": "assistant", "content": ""},
    message={"refusal": None, "tool_calls": [], "reasoning": None},
    choice={"logprobs": None, "stop_reason": None},
    whole={"service_tier": None, "system_fingerprint": None, "prompt_logprobs": None},
    default_tokens=16,
)


def _chat_batch(call: Call) -> Answer:
    """Answer several conversations at once: a choice for each, in their order."""
    body = call.data
    conversations = array(array(_message, low=1), low=1)
    check_body(body, {**CHAT, "messages": conversations}, ("messages",), open_ended=True)
    if body.get("stream") or body.get("tools") or (body.get("n") or 1) > 1:
        refuse("Batches take neither streams nor tools, and one choice each.", "messages")
    model = _model("chat", call)
    choices, spent = [], usage(0, 0)
    for index, messages in enumerate(body["messages"]):
        prompt = prompt_text(messages)
        length = count_tokens(prompt) + _FRAMING * len(messages)
        check_length(model, length, "messages")
        choice = make_choice(call, model, prompt, chat_wish(body))
        message = {"role": "assistant", "content": choice.text, **_SERVER.message}
        reason = finish_reason(choice)
        choices.append({"index": index, "message": message, "finish_reason": reason})
        counts = usage(length, choice.cost)
        spent = {name: spent[name] + counts[name] for name in spent}
    head = _head(call, "chat.completion", model.id)
    return Answer.of_json({**head, "choices": choices, "usage": spent})


def _message(param: str, value: object) -> None:
    """Allow a message."""
    if not isinstance(value, dict) or "role" not in value:
        refuse(f"'{param}' must be a message with a role.", param, "invalid_type")


def _embeddings(call: Call) -> Answer:
    model = _model("embedding", call)

    def check(inputs: list[str | list[int]]) -> None:
        check_length(model, max(count_tokens(input_text(item)) for item in inputs), "input")

    data, tokens = embedding_data(call, ("input",), check, dimensions=model.dimensions)
    return _listed(call, "embd", data, model, tokens)


def _listed(
    call: Call, prefix: str, data: list[dict[str, Any]], model: Model, tokens: int
) -> Answer:
    head = {"id": _id(call, prefix), "object": "list", "created": int(time.time())}
    counts = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0}
    return Answer.of_json({**head, "model": model.id, "data": data, "usage": counts})


def _score(call: Call) -> Answer:
    """Answer a score for each pair of one text with many, or of many with as many."""
    check_body(
        call.data, {"text_1": _TEXTS, "text_2": _TEXTS}, ("text_1", "text_2"), open_ended=True
    )
    first, second = (
        [input_text(item) for item in as_inputs(call.data[name])] for name in ("text_1", "text_2")
    )
    if len(first) not in {1, len(second)}:
        refuse("Input lengths must be either 1:1, 1:N or N:N", "text_2")
    pairs = list(zip(first * (len(second) // len(first)), second, strict=True))
    data = [
        {"index": index, "object": "score", "score": expected_score(a, b, seed=call.seed)}
        for index, (a, b) in enumerate(pairs)
    ]
    tokens = sum(count_tokens(a) + count_tokens(b) for a, b in pairs)
    return _listed(call, "score", data, _model("embedding", call), tokens)


def _rerank(call: Call) -> Answer:
    table = {"query": string(), "documents": array(string(), low=1), "top_n": integer(0)}
    check_body(call.data, table, ("query", "documents"), open_ended=True)
    query, documents = call.data["query"], call.data["documents"]
    results: list[dict[str, Any]] = [
        {
            "index": index,
            "document": {"text": text, "multi_modal": None},
            "relevance_score": expected_score(query, text, seed=call.seed),
        }
        for index, text in enumerate(documents)
    ]
    results.sort(key=lambda result: -result["relevance_score"])
    tokens = sum(map(count_tokens, documents)) + count_tokens(query) * len(documents)
    return Answer.of_json(
        {
            "id": _id(call, "score"),
            "model": _model("embedding", call).id,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            "results": results[: call.data.get("top_n") or None],
        }
    )


def _classify(call: Call) -> Answer:
    check_body(call.data, {"input": _TEXTS}, ("input",), open_ended=True)
    texts = as_inputs(call.data["input"])
    data = []
    for index, text in enumerate(texts):
        positive = expected_score("positive", input_text(text), seed=call.seed)
        label = _LABELS[positive > 0.5]  # noqa: PLR2004 - the middle
        probs = [1 - positive, positive]
        data.append({"index": index, "label": label, "probs": probs, "num_classes": len(probs)})
    tokens = sum(count_tokens(input_text(text)) for text in texts)
    return _listed(call, "classify", data, _model("embedding", call), tokens)


_TOKENIZE: Mapping[str, Check] = {
    "prompt": string(),
    "messages": array(_message, low=1),
    "add_special_tokens": boolean,
    "return_token_strs": boolean,
}


def _tokenize(call: Call) -> Answer:
    body = call.data
    check_body(body, _TOKENIZE, (), open_ended=True)
    if (body.get("prompt") is None) == (body.get("messages") is None):
        refuse("Either 'prompt' or 'messages' must be given.", "prompt")
    model = _model("chat", call)
    prompt = body.get("prompt")
    tokens = split_tokens(prompt if prompt is not None else prompt_text(body["messages"]))
    return Answer.of_json(
        {
            "count": len(tokens),
            "max_model_len": model.context,
            "tokens": [token_id(token) for token in tokens],
            "token_strs": tokens if body.get("return_token_strs") else None,
        }
    )


def _detokenize(call: Call) -> Answer:
    check_body(call.data, {"tokens": array(integer(0))}, ("tokens",), open_ended=True)
    return Answer.of_json({"prompt": input_text(call.data["tokens"])})


def _models(_call: Call) -> Answer:
    cards = [
        {
            "id": model.id,
            "object": "model",
            "created": model.created,
            "owned_by": model.owned_by,
            "root": model.id,
            "parent": None,
            "max_model_len": model.context,
        }
        for model in _MODELS.values()
    ]
    return Answer.of_json({"object": "list", "data": cards})


def _json(value: object, _call: Call) -> Answer:
    return Answer.of_json(value)


def _health(_call: Call) -> Answer:
    return Answer(content_type=b"text/plain; charset=utf-8")


def _metrics(_call: Call) -> Answer:
    body = b"# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 0\n"
    return Answer(body=body, content_type=b"text/plain; version=0.0.4; charset=utf-8")


VLLM_OPERATIONS = (
    Operation("chat", "POST", "/v1/chat/completions", partial(answer_chat, _SERVER)),
    Operation("chat_batch", "POST", "/v1/chat/completions/batch", _chat_batch),
    Operation("completions", "POST", "/v1/completions", partial(answer_completions, _SERVER)),
    Operation("embeddings", "POST", "/v1/embeddings", _embeddings),
    *(Operation("score", "POST", path, _score) for path in ("/score", "/v1/score")),
    *(
        Operation("rerank", "POST", path, _rerank)
        for path in ("/rerank", "/v1/rerank", "/v2/rerank")
    ),
    Operation("classify", "POST", "/classify", _classify),
    Operation("tokenize", "POST", "/tokenize", _tokenize),
    Operation("detokenize", "POST", "/detokenize", _detokenize),
    Operation("models", "GET", "/v1/models", _models, takes_json=False),
    *(Operation("health", "GET", path, _health, takes_json=False) for path in ("/health", "/ping")),
    Operation("load", "GET", "/load", partial(_json, {"server_load": 0}), takes_json=False),
    Operation(
        "version", "GET", "/version", partial(_json, {"version": "0.33.0"}), takes_json=False
    ),
    Operation("metrics", "GET", "/metrics", _metrics, takes_json=False),
)
