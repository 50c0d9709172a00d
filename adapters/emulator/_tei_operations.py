"""TEI's operations: embed, rerank, predict, similarity, tokenize.

One model cannot do all of these; the emulated server answers each as the server would that holds
the right one.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters.emulator.answers import (
    expected_score,
    expected_vector,
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
    mapping,
    refuse,
    string,
)
from adapters.emulator.openai_style.embeddings import input_text
from adapters.emulator.protocol import Answer, Call, Problem, Refusal
from adapters.emulator.self_hosted.embeddings import DIMENSIONS, embedding_data, token_count

__all__ = [
    "LABELS",
    "MOST_INPUTS",
    "MOST_TOKENS",
    "check_size",
    "decode",
    "embed",
    "embed_all",
    "embed_sparse",
    "embeddings",
    "predict",
    "rerank",
    "root",
    "similarity",
    "tokenize",
]

MOST_INPUTS = 32
MOST_TOKENS = 512
LABELS = ("negative", "neutral", "positive")
_SPARSE = 8
_VOCABULARY = 30_522

Item = str | list[int]

_TOKENS = array(integer(0), low=1)


def _item(param: str, value: object) -> None:
    either("a string or token ids", str=string(), list=_TOKENS)(param, value)


def _items(param: str, value: object) -> None:
    first = value[0] if isinstance(value, list) and value else ""
    array(integer(0) if isinstance(first, int) else _item)(param, value)


_INPUTS = either("a string, token ids or a list of them", str=string(), list=_items)
_OPTIONS: Mapping[str, Check] = {
    "truncate": boolean,
    "truncation_direction": string("Left", "Right"),
    "prompt_name": string(),
    "raw_scores": boolean,
    "return_text": boolean,
    "add_special_tokens": boolean,
    "skip_special_tokens": boolean,
    "normalize": boolean,
    "dimensions": integer(),
}


def check_size(count: int, name: str = "inputs") -> None:
    """Refuse an empty batch (400) and one that is too large (422)."""
    if count == 0:
        raise Refusal(Problem(400, f"`{name}` cannot be empty", code="Empty"))
    if count > MOST_INPUTS:
        message = f"batch size {count} > maximum allowed batch size {MOST_INPUTS}"
        raise Refusal(Problem(422, message, code="Validation"))


def _checked(call: Call, inputs: Check = _INPUTS) -> list[Any]:
    """Give the inputs of a request as a list."""
    check_body(call.data, {**_OPTIONS, "inputs": inputs}, ("inputs",), open_ended=True)
    given = call.data["inputs"]
    items = [given] if isinstance(given, str) or (given and isinstance(given[0], int)) else given
    check_size(len(items))
    if call.data.get("prompt_name") not in {None, "query", "document"}:
        raise Refusal(Problem(422, "`prompt_name` is not one of the prompts", code="Validation"))
    _check_lengths(call, items)
    return list(items)


def _check_lengths(call: Call, items: Iterable[Item]) -> None:
    longest = max(map(token_count, items))
    if longest > MOST_TOKENS and call.data.get("truncate") is False:
        message = f"`inputs` must have less than {MOST_TOKENS} tokens. Given: {longest}"
        raise Refusal(Problem(422, message, code="Validation"))


def _answered(value: object, items: Sequence[Item]) -> Answer:
    """Give an answer with the headers that tell what it has cost."""
    found = {
        "x-compute-type": "gpu+optimized",
        "x-compute-time": "12",
        "x-compute-characters": str(sum(len(input_text(item)) for item in items)),
        "x-compute-tokens": str(sum(map(token_count, items))),
        "x-total-time": "12",
        "x-tokenization-time": "1",
        "x-queue-time": "1",
        "x-inference-time": "10",
    }
    headers = tuple((name.encode(), value.encode()) for name, value in found.items())
    return replace(Answer.of_json(value), headers=headers)


def embed(call: Call) -> Answer:
    """Answer a list of vectors, for a single input too."""
    items = _checked(call)
    size = call.data.get("dimensions") or DIMENSIONS
    if not 0 < size <= DIMENSIONS:
        raise Refusal(Problem(422, f"`dimensions` must be <= {DIMENSIONS}", code="Validation"))
    vectors = [expected_vector(input_text(item), size, seed=call.seed) for item in items]
    if call.data.get("normalize") is False:
        vectors = [tuple(2 * number for number in vector) for vector in vectors]
    return _answered(vectors, items)


def embed_all(call: Call) -> Answer:
    """Answer a vector for each token of each input."""
    items = _checked(call)
    vectors = [
        [expected_vector(token, DIMENSIONS, seed=call.seed) for token in split_tokens(text)]
        for text in map(input_text, items)
    ]
    return _answered(vectors, items)


def embed_sparse(call: Call) -> Answer:
    """Answer the few places of a long vector that are not zero."""
    items = _checked(call)
    return _answered([_sparse(input_text(item), call.seed) for item in items], items)


def _sparse(text: str, seed: int) -> list[dict[str, Any]]:
    return [
        {
            "index": int(expected_score(text, f"{place}", seed=seed) * _VOCABULARY),
            "value": 1 + expected_score(f"{place}", text, seed=seed),
        }
        for place in range(_SPARSE)
    ]


def embeddings(call: Call) -> Answer:
    """Answer as OpenAI does; the model's name in the request is not looked at."""
    given = call.data.get("input")
    if given == []:
        check_size(0, "input")
    seen: list[Item] = []

    def check(inputs: list[Item]) -> None:
        check_size(len(inputs), "input")
        seen.extend(inputs)

    data, tokens = embedding_data(call, ("input",), check)
    counts = {"prompt_tokens": tokens, "total_tokens": tokens}
    answer = {"object": "list", "data": data, "model": call.model, "usage": counts}
    return _answered(answer, seen)


def rerank(call: Call) -> Answer:
    """Answer the texts' numbers with their scores, the best first."""
    table = {**_OPTIONS, "query": string(), "texts": array(string())}
    check_body(call.data, table, ("query", "texts"), open_ended=True)
    query, texts = call.data["query"], call.data["texts"]
    check_size(len(texts), "texts")
    _check_lengths(call, texts)
    ranks: list[dict[str, Any]] = []
    for index, text in enumerate(texts):
        score = _squeezed(call, expected_score(query, text, seed=call.seed))
        more = {"text": text} if call.data.get("return_text") else {}
        ranks.append({"index": index, **more, "score": score})
    ranks.sort(key=lambda rank: -rank["score"])
    return _answered(ranks, [query, *texts])


def _squeezed(call: Call, score: float) -> float:
    """Give the number before the sigmoid where raw scores are asked for."""
    if not call.data.get("raw_scores"):
        return score
    return math.log(max(score, 1e-9) / max(1 - score, 1e-9))


def predict(call: Call) -> Answer:
    """Answer each label with its score: a list for one input, a list of them for a batch."""
    given = call.data.get("inputs")
    check_body(call.data, {**_OPTIONS, "inputs": _predictable}, ("inputs",), open_ended=True)
    is_batch = isinstance(given, list) and bool(given) and isinstance(given[0], list)
    rows: list[Any] = given if isinstance(given, list) and is_batch else [given]
    check_size(len(rows) if given else 0)
    texts = ["\n".join(row) if isinstance(row, list) else str(row) for row in rows]
    found = [_labelled(call, text) for text in texts]
    return _answered(found if is_batch else found[0], texts)


def _predictable(param: str, value: object) -> None:
    """Allow a text, a text or a pair of them in a list, and a list of such lists."""
    either("a string, a pair or a batch of them", str=string(), list=_pair_or_batch)(param, value)


def _pair_or_batch(param: str, value: object) -> None:
    items = value if isinstance(value, list) else []
    if items and isinstance(items[0], list):
        array(array(string(), low=1, high=2))(param, value)
    else:
        array(string())(param, value)
        if len(items) > 2:  # noqa: PLR2004 - a pair
            refuse("`inputs` must be one text or a pair of texts", param, "invalid_type")


def _labelled(call: Call, text: str) -> list[dict[str, Any]]:
    weights = [expected_score(label, text, seed=call.seed) for label in LABELS]
    whole = 1 if call.data.get("raw_scores") else sum(weights)
    found = [
        {"score": weight / whole, "label": label}
        for label, weight in zip(LABELS, weights, strict=True)
    ]
    return sorted(found, key=lambda item: -float(str(item["score"])))


def similarity(call: Call) -> Answer:
    """Answer the cosines of one sentence with each of the others, in their order."""
    members = {"source_sentence": string(), "sentences": array(string())}
    table = {"inputs": mapping(members, required=tuple(members)), "parameters": mapping(_OPTIONS)}
    check_body(call.data, table, ("inputs",), open_ended=True)
    source, others = (call.data["inputs"][name] for name in members)
    check_size(len(others) and len(others) + 1, "sentences")
    vectors = [expected_vector(text, DIMENSIONS, seed=call.seed) for text in (source, *others)]
    cosines = [sum(map(operator.mul, vectors[0], vector)) for vector in vectors[1:]]
    return _answered(cosines, [source, *others])


def tokenize(call: Call) -> Answer:
    """Answer the tokens of each input, between the marks of beginning and end."""
    items = _checked(call)
    marks = call.data.get("add_special_tokens") is not False
    return Answer.of_json([_tokens(input_text(item), marks=marks) for item in items])


def _tokens(text: str, *, marks: bool) -> list[dict[str, Any]]:
    found, start = [_mark(101, "[CLS]")] if marks else [], 0
    for token in split_tokens(text):
        stop = start + len(token)
        place = {"start": start, "stop": stop}
        found.append({"id": token_id(token), "text": token, "special": False, **place})
        start = stop
    return [*found, _mark(102, "[SEP]")] if marks else found


def _mark(number: int, text: str) -> dict[str, Any]:
    return {"id": number, "text": text, "special": True, "start": None, "stop": None}


def decode(call: Call) -> Answer:
    """Answer a text for each list of ids."""
    check_body(call.data, {**_OPTIONS, "ids": _INPUTS}, ("ids",), open_ended=True)
    given = call.data["ids"]
    rows = [given] if given and isinstance(given[0], int) else given
    return Answer.of_json([input_text(row) for row in rows])


def root(call: Call) -> Answer:
    """Answer at the address itself, by what the body looks like."""
    if "query" in call.data:
        return rerank(call)
    return similarity(call) if isinstance(call.data.get("inputs"), dict) else embed(call)
