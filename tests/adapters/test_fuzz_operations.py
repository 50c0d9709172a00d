"""Operations with whatever a server answers, and streams wherever their chunks end.

`test_fuzz` reads single answers; here a whole operation runs, with all its requests, and the
borders of chunks are shown to change nothing.
"""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from operator import itemgetter
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import claude, gemini, groq, llvm, ollama, opea, openai, ovms, tei, tgi
from adapters._claude_stream import read_message_stream
from adapters._exchange import MakeReader
from adapters._flows import drive
from adapters._gemini_stream import read_generated_stream
from adapters._messages import Headers, Reply, Result, StreamEvent
from adapters._ollama_answers import read_answer_stream, read_pull_stream
from adapters._openai_answers import read_chat_stream
from adapters._raw import read_any_stream
from adapters._setup import Setup
from adapters._tgi_native import read_generate_stream
from adapters.errors import AdapterError

# Members that the answers of the APIs have, so that what is made up gets past the first look.
WORDS = (  # noqa: SIM905 - a list of quoted words is hard to read
    "answer args arguments candidates choices code content content_block data delta details done "
    "done_reason embedding embeddings error event finishReason finish_reason function functionCall "
    "generated_text has_more id index input input_tokens last_id message model models name names "
    "nextPageToken object outputs parts partial_json promptFeedback blockReason predictions role "
    "response results score scores shape status stop_reason text thinking thought token tokens "
    "tool_calls totalTokens type usage usageMetadata values x_groq"
).split()
EVENTS = (  # noqa: SIM905
    "content_block_delta content_block_start content_block_stop error message_delta message_start "
    "message_stop ping success text text_delta tool_use"
).split()
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(EVENTS)
)
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
    ),
    max_leaves=16,
)


class Asked(NamedTuple):
    """An operation: arguments that it takes, and an answer as the API gives it."""

    args: tuple[Any, ...]
    good: Any = None


CALL = {"id": "c", "function": {"name": "look", "arguments": {"at": 1}}}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
CHAT = {"model": "m", "choices": [{"index": 0, "finish_reason": "stop"}], "usage": USAGE}
SAID = {"role": "assistant", "content": "hi", "tool_calls": [CALL]}
CHAT_ANSWER = {**CHAT, "choices": [{**CHAT["choices"][0], "message": SAID}], "x_groq": {"id": "r"}}
VECTORS = {"data": [{"index": 0, "embedding": [0.5]}], "usage": USAGE}
NAMES = {"data": [{"id": "a"}], "has_more": True, "last_id": "a"}
BLOCKS = [
    {"type": "text", "text": "hi"},
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "tool_use", "id": "t", "name": "look", "input": {"at": 1}},
]
COUNTS = {"input_tokens": 1, "output_tokens": 2, "cache_read_input_tokens": 3}
MESSAGE = {"content": BLOCKS, "model": "m", "stop_reason": "end_turn", "usage": COUNTS}
PARTS_OF_GEMINI = [
    {"text": "hm", "thought": True},
    {"text": "hi"},
    {"functionCall": {"name": "look", "args": {"at": 1}}},
    {"inlineData": {"mimeType": "image/png", "data": "eA=="}},
]
CANDIDATE = {"index": 0, "content": {"parts": PARTS_OF_GEMINI}, "finishReason": "STOP"}
GENERATED = {"candidates": [CANDIDATE], "usageMetadata": {"totalTokenCount": 3}}
BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}}
LINE = {"message": {"content": "hi", "thinking": "hm", "tool_calls": [CALL]}, "eval_count": 1}
CHUNK = {**CHAT, "choices": [{"index": 0, "delta": SAID}], "x_groq": {"id": "r", "usage": USAGE}}

TENSOR = {"name": "y", "datatype": "FP32", "shape": [1], "data": [0.5]}

# API: each operation that answers as a whole.
OPERATIONS: dict[ModuleType, dict[str, Asked]] = {
    claude: {
        "chat": Asked(("m", "hi"), MESSAGE),
        "count_tokens": Asked(("m", "hi"), {"input_tokens": 1}),
        "models": Asked((), NAMES),
    },
    gemini: {
        "chat": Asked(("m", "hi"), GENERATED),
        "generate": Asked(("m", "hi"), BLOCKED),
        "embed": Asked(("m", ["a"] * 101), {"embeddings": [{"values": [0.5]}]}),
        "count_tokens": Asked(("m", "hi"), {"totalTokens": 1}),
        "models": Asked((), {"models": [{"name": "models/a"}], "nextPageToken": "1"}),
    },
    groq: {
        "chat": Asked(("m", "hi"), CHAT_ANSWER),
        "embed": Asked(("m", "a"), VECTORS),
        "transcribe": Asked(("m", b"sound"), {"text": "hi", "x_groq": {"id": "r"}}),
        "models": Asked((), NAMES),
    },
    ollama: {
        "chat": Asked(("m", "hi"), {**LINE, "done": True, "done_reason": "stop"}),
        "generate": Asked(("m", "hi"), {"response": "hi", "done": True}),
        "embed": Asked(("m", ["a"]), {"embeddings": [[0.5]], "prompt_eval_count": 1}),
        "models": Asked((), {"models": [{"model": "a"}]}),
        "info": Asked(("m",), {"capabilities": []}),
        "health": Asked((), {"version": "1"}),
    },
    openai: {
        "chat": Asked(("m", "hi"), CHAT_ANSWER),
        "embed": Asked(("m", ["a"] * 2049), VECTORS),
        "moderations": Asked(("a",), {"results": [{"flagged": True, "category_scores": {}}]}),
        "models": Asked((), NAMES),
    },
    tgi: {
        "chat": Asked(("hi",), CHAT_ANSWER),
        "generate": Asked(("hi",), {"generated_text": "hi", "details": {"tokens": []}}),
        "tokenize": Asked(("hi",), [{"id": 1, "text": "hi"}]),
        "info": Asked((), {"model_id": "m"}),
        "health": Asked(()),
    },
    tei: {
        "embed": Asked((["a"],), [[0.5]]),
        "embed_sparse": Asked(("a",), [[{"index": 1, "value": 0.5}]]),
        "info": Asked((), {"model_id": "m"}),
        "health": Asked(()),
    },
    llvm: {
        "chat": Asked(("m", "hi"), CHAT_ANSWER),
        "chat_batch": Asked(("m", ["hi", "ho"]), CHAT_ANSWER),
        "embed": Asked(("m", ["a"]), VECTORS),
        "rerank": Asked(("m", "q", ["a"]), {"results": [{"index": 0, "relevance_score": 0.5}]}),
    },
    ovms: {
        "chat": Asked(("m", "hi"), CHAT_ANSWER),
        "embed": Asked(("m", ["a"]), VECTORS),
        "infer": Asked(("m", {"x": [1]}), {"outputs": [TENSOR]}),
        "predict": Asked(("m", [[1]]), {"predictions": [[1]]}),
        "metadata": Asked(("m",), {"name": "m"}),
        "status": Asked(("m",)),
    },
    opea: {
        "chatqna": Asked(("hi",), CHAT_ANSWER),
        "embed": Asked((["a"] * 33,), VECTORS),
        "rerank": Asked(("q", ["a"]), {"reranked_docs": [{"text": "a", "score": 0.5}]}),
        "retrieve": Asked(("q", [0.5]), {"retrieved_docs": [{"id": "1", "text": "a"}]}),
        "guardrails": Asked(("a",), {"text": "a", "downstream_black_list": []}),
    },
}


class Streamed(NamedTuple):
    """How one stream is read, how its parts are framed, some as they come, and of what type."""

    api: ModuleType
    make: MakeReader
    frame: Callable[[str], str]
    good: tuple[Any, ...]
    kind: str = ""


def as_event(data: str) -> str:
    """Frame a server-sent event."""
    return f"data: {data}\n\n"


def as_line(data: str) -> str:
    """Frame a line."""
    return f"{data}\n"


MESSAGE_EVENTS: tuple[Any, ...] = (
    {"type": "message_start", "message": {"model": "m", "usage": COUNTS}},
    {"type": "content_block_start", "index": 0, "content_block": BLOCKS[2]},
    {"type": "content_block_delta", "index": 0, "delta": {"partial_json": "{}"}},
    {"type": "content_block_delta", "index": 1, "delta": {"text": "hi", "thinking": "hm"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": COUNTS},
    {"type": "message_stop"},
    {"type": "error", "error": {"type": "overloaded_error", "message": "m"}},
)
CHUNKS_OF_GEMINI = (GENERATED, BLOCKED, {"error": {"code": 503, "status": "UNAVAILABLE"}})
LINES = (LINE, {"response": "hi"}, {**LINE, "done": True, "done_reason": "stop"}, {"error": "m"})
PROGRESS = ({"status": "pulling", "total": 1}, {"status": "success"}, {"error": "m"})
CHUNKS = (CHUNK, {"choices": [], "usage": USAGE}, {"error": {"code": "c"}})
TOKENS = ({"index": 1, "token": {"text": "hi"}, "generated_text": None}, {"error": "m"})

STREAMS = {
    "claude": Streamed(claude, read_message_stream, as_event, MESSAGE_EVENTS),
    "gemini": Streamed(gemini, read_generated_stream, as_event, CHUNKS_OF_GEMINI),
    "gemini, bare": Streamed(gemini, read_generated_stream, as_line, CHUNKS_OF_GEMINI),
    "groq": Streamed(groq, partial(read_chat_stream, refine=groq._refine), as_event, CHUNKS),
    "ollama": Streamed(ollama, read_answer_stream, as_line, LINES),
    "ollama, a pull": Streamed(ollama, read_pull_stream, as_line, PROGRESS),
    "openai": Streamed(openai, read_chat_stream, as_event, CHUNKS),
    "tgi": Streamed(tgi, read_generate_stream, as_event, TOKENS),
    "any events": Streamed(openai, read_any_stream, as_event, CHUNKS, "text/event-stream"),
    "any lines": Streamed(openai, read_any_stream, as_line, LINES, "application/x-ndjson"),
}


@st.composite
def damaged(draw: st.DrawFn, good: Any) -> Any:
    """A good value in which up to two of its parts are something else, or not there."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(0, 2))):
        holders = list(holders_in(value))
        if not holders:
            return draw(JSON)
        holder = draw(st.sampled_from(holders))
        place = draw(
            st.sampled_from(sorted(range(len(holder)) if isinstance(holder, list) else holder))
        )
        if draw(st.booleans()):
            del holder[place]
        else:
            holder[place] = draw(JSON)
    return value


def holders_in(value: Any) -> Iterator[Any]:
    """All lists and objects that hold something."""
    if isinstance(value, list | dict) and value:
        yield value
        for each in value.values() if isinstance(value, dict) else value:
            yield from holders_in(each)


@functools.cache
def setup_of(api: Any) -> Setup:
    """What a client of this API is made of, all by default."""
    address = "http://localhost"
    return Setup.of(api.Client.provider, base_url=address, settings=None, timeout=None, more={})


@pytest.mark.parametrize("api", OPERATIONS, ids=lambda api: api.__name__)
@given(data=st.data(), kind=st.sampled_from(["application/json", "text/plain", "text/html"]))
def test_any_answer_is_a_result_or_an_error(api: Any, data: st.DataObject, kind: str):
    """An operation is driven with whatever comes, one answer for each of its requests."""
    name, asked = data.draw(st.sampled_from(sorted(OPERATIONS[api].items(), key=itemgetter(0))))
    bodies = (damaged(asked.good) | JSON).map(lambda value: json.dumps(value).encode())
    answers = iter(data.draw(st.lists(bodies | st.binary(), max_size=4)))
    errors = api.Client.provider.errors

    def answer(asks: Any) -> Any:
        several = isinstance(asks, list | tuple)
        found = [read(ask) for ask in (asks if several else [asks])]
        return found if several else found[0]

    def read(ask: Any) -> Any:
        headers = Headers([("Content-Type", kind)])
        return ask.read(errors, Reply(status=200, headers=headers, body=next(answers, b"")), ())

    operation: Any = inspect.getattr_static(api.Client, name)
    result: Any = None
    with suppress(AdapterError):
        result = drive(operation.begin(setup_of(api), asked.args, {}), answer)

    assert result is None or isinstance(result, Result)


def read_stream(stream: Streamed, chunks: list[bytes]) -> tuple[list[StreamEvent], Any]:
    """The events of these bytes, and the kind of error with which they ended, or None."""
    headers = Headers([("Content-Type", stream.kind)])
    reader = stream.make(stream.api.Client.provider.errors, headers, ())
    assert reader is not None
    events: list[StreamEvent] = []
    try:
        for chunk in chunks:
            events.extend(reader.feed(chunk))
        events.extend(reader.finish())
    except AdapterError as error:
        return events, type(error)
    return events, None


@pytest.mark.parametrize("name", STREAMS)
@given(data=st.data(), borders=st.lists(st.integers(0, 400), max_size=4))
def test_any_stream_is_events_or_an_error_wherever_its_chunks_end(
    name: str, data: st.DataObject, borders: list[int]
):
    """The borders of the chunks change nothing."""
    stream = STREAMS[name]
    values = st.sampled_from(stream.good).flatmap(damaged) | JSON
    texts = values.map(json.dumps) | st.text(max_size=5) | st.just("[DONE]")
    parts = data.draw(st.lists(texts, max_size=5))
    body = "".join(stream.frame(part) for part in parts).encode("utf-8", "replace")
    cuts = sorted({0, len(body), *(border % (len(body) + 1) for border in borders)})
    chunks = [body[start:end] for start, end in itertools.pairwise(cuts)]

    whole, in_pieces = read_stream(stream, [body]), read_stream(stream, chunks)

    assert all(isinstance(event, StreamEvent) for event in whole[0])
    assert repr(whole) == repr(in_pieces)
