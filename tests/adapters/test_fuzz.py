"""Whatever a server sends, a client gets a result or an `AdapterError`: nothing else comes out.

The functions that read answers are found by their annotations, so that a new API is tested by
being there; those that take more than an answer stand in a table.
"""

from __future__ import annotations

import importlib
import inspect
import json
import math
import pkgutil
import re
from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

import adapters
from adapters import _s3_answers, s3
from adapters._failures import ErrorTable, error_from_status, read_answer
from adapters._messages import Headers, Reply, Result, StreamEvent
from adapters.errors import AdapterError

# What a function needs beside the answer; the rest is found by itself.
MORE: dict[str, dict[str, Any]] = {
    "_gemini_answers.parse_embeddings": {"count": 2, "model": "m"},
    "_ollama_answers.parse_embeddings": {"count": 2},
    "_openai_answers.parse_embeddings": {"count": 2},
    "_kserve._parse": {"arrays": False, "rest": b"\0\1\2\3"},
    "_kserve._read": {"arrays": True},
    "_llvm_older._parse_batch": {"model": "m", "count": 2},
    "_opea_services._parse_ranks": {"documents": ["a", "b"]},
    "_tei_answers.parse_classes": {"model": None},
    "_tei_answers.parse_ranks": {"model": None},
    "_tei_answers.parse_sparse": {"model": None},
    "_tei_answers.parse_vectors": {"model": None},
    "_vllm._one_for_each": {"count": 2},
}
# Not a reader of answers, but what all of them are read with.
NOT_READERS = {"_failures.read_answer"}

Function = Callable[..., Any]


def modules() -> Iterator[ModuleType]:
    """Every module of the adapters themselves."""
    for found in pkgutil.iter_modules(adapters.__path__):
        if not found.ispkg and found.name != "__main__":
            yield importlib.import_module(f"adapters.{found.name}")


def annotated(*last: str) -> dict[str, Function]:
    """Find the functions whose parameters end with these annotations."""
    found = {}
    for module in modules():
        for function in vars(module).values():
            if not inspect.isfunction(function) or function.__module__ != module.__name__:
                continue
            name = f"{module.__name__.removeprefix('adapters.')}.{function.__name__}"
            kinds = [
                parameter.annotation
                for parameter in inspect.signature(function).parameters.values()
                if parameter.default is parameter.empty and parameter.name not in MORE.get(name, ())
            ]
            if tuple(kinds) == last and name not in NOT_READERS:
                found[name] = partial(function, **MORE.get(name, {}))
    return found


PARSERS = annotated("Any", "Reply")
READERS = annotated("ErrorTable", "Reply", "tuple[str, ...]")
STREAMS = annotated("ErrorTable", "Headers", "tuple[str, ...]")
TABLES = {
    f"{module.__name__}.{name}": value
    for module in modules()
    for name, value in vars(module).items()
    if isinstance(value, ErrorTable)
}

# The members that the parsers look for: chance alone would never hit one.
WORDS = sorted(
    {
        word
        for module in modules()
        for word in re.findall(r'(?:\[|get\()"(\w+)"', inspect.getsource(module))
    }
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(WORDS)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=30,
)
# Good answers of several APIs; one of their parts is put out of order.
GOOD: list[Any] = [
    {
        "model": "m",
        "choices": [
            {
                "index": 0,
                "text": "a",
                "message": {
                    "content": "a",
                    "tool_calls": [{"id": "c", "index": 0, "function": {"name": "f"}}],
                },
                "delta": {"content": "a", "tool_calls": [{"index": 0, "function": {}}]},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "prompt_tokens_details": {"cached_tokens": 1}},
    },
    {
        "data": [
            {"index": 0, "embedding": [0.5], "score": 0.5, "id": "m"},
            {"embedding": "AAAAPw=="},
        ]
    },
    {"results": [{"index": 0, "relevance_score": 0.5, "flagged": True, "category_scores": {}}]},
    [{"generated_text": "a", "details": {"finish_reason": "length", "generated_tokens": 1}}],
    {"token": {"text": "a", "special": False}, "generated_text": "a", "details": {"x": 1}},
    [{"id": 1, "text": "a", "index": 0, "score": 0.5, "label": "x"}],
    [[{"id": 1, "text": "a", "index": 0, "value": 0.5, "score": 0.5, "label": "x"}], [0.5]],
    {"outputs": [{"name": "y", "datatype": "FP32", "shape": [1], "data": [0.5]}]},
    {
        "outputs": [
            {
                "name": "y",
                "datatype": "FP32",
                "shape": [1],
                "parameters": {"binary_data_size": 4},
            }
        ]
    },
    {"predictions": [{"a": 1}], "model_version_status": [{"state": "AVAILABLE"}]},
    {"reranked_docs": [{"text": "a", "score": 0.5}], "tokens": [[1]], "token_strs": ["a"]},
    {"retrieved_docs": [{"id": 1, "text": "a"}], "metadata": [{}], "models": [{"model_id": "m"}]},
    {"ops": [{"op": "add", "path": "/streamed_output/-", "value": "a"}]},
    {
        "candidates": [{"index": 0, "content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1},
        "embeddings": [{"values": [0.5]}],
        "totalTokens": 1,
    },
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": "a", "stop_reason": "end_turn"},
        "content": [{"type": "text", "text": "a"}],
        "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        "message": {"model": "m", "usage": {"input_tokens": 1}},
        "usage": {"input_tokens": 1, "output_tokens": 1},
        "input_tokens": 1,
    },
    {
        "model": "m",
        "message": {"content": "a", "thinking": "b", "tool_calls": [{"function": {"name": "f"}}]},
        "response": "a",
        "done": True,
        "done_reason": "stop",
        "eval_count": 1,
        "embeddings": [[0.5]],
        "status": "x",
        "completed": 1,
        "total": 2,
    },
]


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every part of an answer, by the way to it."""
    yield place
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        for name, part in inside:
            yield from places(part, (*place, name))


def put(value: Any, place: tuple[Any, ...], part: Any) -> Any:
    """The same answer with another part in one place."""
    if not place:
        return part
    name, *rest = place
    if isinstance(value, dict):
        return {**value, name: put(value[name], tuple(rest), part)}
    return [*value[:name], put(value[name], tuple(rest), part), *value[name + 1 :]]


# What is put there; the numbers are those that JSON can write and others cannot hold.
WRONG: list[Any] = [None, -1, 2**70, 0.5, math.inf, math.nan, "x", {}, [None]]
DAMAGED = [
    json.dumps(put(good, place, part)).encode()
    for good in GOOD
    for place in places(good)
    for part in WRONG
]
damaged = st.sampled_from(DAMAGED)
bodies = values.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=64)
kinds = st.sampled_from(["application/json", "text/event-stream", "text/html", "", "text/plain"])


def reply_of(body: bytes, status: int = 200, **headers: str) -> Reply:
    """An answer as it came."""
    named = ((name.replace("_", "-"), value) for name, value in headers.items())
    return Reply(status=status, headers=Headers(named), body=body)


def test_the_readers_are_found():
    """Every API has some; a function that is renamed or gets a parameter stays in the table."""
    names = {name.partition(".")[0] for name in (*PARSERS, *READERS, *STREAMS)}

    assert {"_openai_answers", "_tgi_native", "_tei_answers", "_kserve", "_servers"} <= names
    assert set(MORE) <= {*PARSERS, *READERS}
    assert {"_openai_answers.read_chat_stream", "_opea_streams.read_opea_stream"} <= set(STREAMS)
    assert 2 <= len(TABLES)


def outcome(call: Callable[[], Any]) -> Any:
    """What comes out of a call, be it an error of the adapters; any other one fails the test."""
    try:
        return call()
    except AdapterError as error:
        return error


@pytest.mark.parametrize("name", PARSERS)
def test_a_good_answer_with_a_wrong_part(name: str):
    """Every part of every good answer, with everything in its place that JSON can write."""
    parse = PARSERS[name]

    for body in DAMAGED:
        reply = reply_of(body, content_type="application/json")
        assert outcome(lambda reply=reply: read_answer(parse, ErrorTable(), reply, ())) is not None


@pytest.mark.parametrize("name", STREAMS)
def test_a_good_event_with_a_wrong_part(name: str):
    """The same in a stream, as an event and as a line."""
    headers = Headers([("content-type", "text/event-stream")])

    for body in DAMAGED:
        reader = STREAMS[name](ErrorTable(), headers, ())
        for piece in (b"data: " + body + b"\n\n", body + b"\n"):
            outcome(lambda reader=reader, piece=piece: list(reader.feed(piece)))


@given(body=bodies, kind=kinds)
def test_any_answer_gives_a_result_or_an_error(body: bytes, kind: str):
    """JSON of any form, and what is no JSON."""
    reply = reply_of(body, content_type=kind)

    for name, parse in PARSERS.items():
        note(name)
        found = outcome(lambda parse=parse: read_answer(parse, ErrorTable(), reply, ("secret",)))
        assert found is not None


@given(
    body=bodies | damaged,
    kind=kinds,
    status=st.sampled_from([200, 404, 466, 503]),
    length=st.none() | st.integers(-1, 80).map(str) | st.text(max_size=3),
)
def test_any_bytes_give_a_result_or_an_error(
    body: bytes, kind: str, status: int, length: str | None
):
    """Answers that are read as a whole, with a border between JSON and bytes anywhere."""
    headers = {} if length is None else {"inference_header_content_length": length}
    reply = reply_of(body, status, content_type=kind, **headers)

    for name, read in READERS.items():
        note(name)
        found = outcome(lambda read=read: read(ErrorTable(), reply, ()))
        assert isinstance(found, Result | AdapterError)


pieces = st.lists(
    st.one_of(
        (values.map(json.dumps) | damaged.map(bytes.decode)).map(
            lambda text: f"data: {text}\n\n".encode()
        ),
        (values.map(json.dumps) | damaged.map(bytes.decode)).map(lambda text: f"{text}\n".encode()),
        st.sampled_from(WORDS).map(lambda word: f"event: {word}\n".encode()),
        st.sampled_from([b"data: [DONE]\n\n", b"data: b'it'\n\n", b"\r", b"\n\n", b": x\n"]),
        st.binary(max_size=16),
    ),
    max_size=6,
)


@given(found=pieces, size=st.integers(1, 40), kind=kinds)
def test_any_stream_gives_events_or_an_error(found: list[bytes], size: int, kind: str):
    """Events of any form, cut into chunks of any size."""
    headers = Headers([("content-type", kind)])
    stream = b"".join(found)
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]

    def read(reader: Any) -> list[Any]:
        events = [event for chunk in chunks for event in reader.feed(chunk)]
        return [*events, *reader.finish()]

    for name, make in STREAMS.items():
        note(name)
        reader = make(ErrorTable(), headers, ())
        events = [] if reader is None else outcome(lambda reader=reader: read(reader))
        assert isinstance(events, AdapterError) or all(
            isinstance(event, StreamEvent) for event in events
        )


@given(body=bodies, kind=kinds, status=st.integers(400, 599))
def test_any_error_has_a_class(body: bytes, kind: str, status: int):
    """Every API's way to read an error bears every body."""
    headers = Headers([("content-type", kind)])

    for name, table in TABLES.items():
        note(name)
        error = error_from_status(table, status, headers, body)
        assert isinstance(error, AdapterError)
        assert status == error.status_code
        assert str(error)


S3 = s3.Client(access_key="AK", secret_key="secret")
# Documents of S3: parser, root, and a good one.
DOCUMENTS: dict[str, tuple[Function, str, bytes]] = {
    "buckets": (
        _s3_answers.parse_buckets,
        "ListAllMyBucketsResult",
        b"<Bucket><Name>b</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>",
    ),
    "page": (
        _s3_answers.parse_page,
        "ListBucketResult",
        b"".join(
            [
                b"<IsTruncated>true</IsTruncated><NextContinuationToken>1</NextContinuationToken>",
                b"<Contents><Key>k%20</Key><Size>1</Size>",
                b"<LastModified>2026-01-01T00:00:00Z</LastModified></Contents>",
                b"<CommonPrefixes><Prefix>p</Prefix></CommonPrefixes>",
            ]
        ),
    ),
    "copied": (_s3_answers.parse_copied, "CopyObjectResult", b"<ETag>1</ETag>"),
    "deleted many": (
        _s3_answers.parse_deleted_many,
        "DeleteResult",
        b"<Deleted><Key>k</Key></Deleted><Error><Key>e</Key><Code>C</Code></Error>",
    ),
    "object": (_s3_answers.parse_object, "", b""),
    "info": (_s3_answers.parse_info, "", b""),
    "written": (_s3_answers.parse_written, "", b""),
    "deleted": (_s3_answers.parse_deleted, "", b""),
}
tags = st.sampled_from(re.findall(rb"<[^>]+>", b"".join(good for *_, good in DOCUMENTS.values())))
some_text = st.text(max_size=8)


@pytest.mark.parametrize("name", DOCUMENTS)
@given(data=st.data())
def test_any_document_gives_a_result_or_an_error(name: str, data: st.DataObject):
    """Good documents with a part left out, doubled or put in its place, and any headers."""
    parse, root, good = DOCUMENTS[name]
    pieces = [piece for piece in re.split(rb"(<[^>]+>)", good) if piece]
    for place in data.draw(st.lists(st.integers(0, 30), max_size=3)):
        wrong = data.draw(st.binary(max_size=6) | tags)
        if place < len(pieces):
            pieces[place] = wrong
    body = b"<%b>%b</%b>" % (root.encode(), b"".join(pieces), root.encode()) if root else good
    body = data.draw(st.sampled_from([body, body[: len(body) // 2], b"<Error/>"]) | st.binary())
    given_headers = data.draw(
        st.fixed_dictionaries(
            {"etag": some_text},
            optional={
                "content-length": some_text,
                "content-range": some_text | st.just("bytes 0-1/2"),
                "last-modified": some_text,
                "date": some_text,
                "x-amz-bucket-region": some_text,
            },
        )
    )
    status = data.draw(st.sampled_from([200, 206, 301, 304, 307, 400, 403]))
    read = _s3_answers.reading(S3._setup, "bucket", parse, root or None)
    reply = Reply(status=status, headers=Headers(given_headers.items()), body=body)

    assert outcome(lambda: read(S3.provider.errors, reply, ("secret",))) is not None
