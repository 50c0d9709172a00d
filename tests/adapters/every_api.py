"""One call and one stream of every API, with the bytes of a good answer to each."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from tests.adapters.recorder import answer, chunked

__all__ = ["APIS", "STREAMING", "Api"]

KEY = "sk-every-0123456789"
CHAT = {
    "model": "m",
    "choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
CHUNK = {"model": "m", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}
LAST = {"choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]}
OPENAI_ERROR = {"error": {"message": "Slow down.", "type": "rate_limit_error", "code": "slow_down"}}


@dataclass(frozen=True, kw_only=True)
class Api:
    """One API.

    Attributes:
        name: Of its module.
        path: What its base URL has after the host.
        call: Makes a call of a client.
        good: A complete good answer to it.
        stream: Opens a stream, or None where the API has none.
        events: What the body of a good stream consists of; the last one ends it.
        error_event: An event of the stream that says that something went wrong.
        partial: The text of all events but the last.
        arguments: Of the client, beside key and address.
    """

    name: str
    path: str = ""
    call: Callable[[Any], Any] = lambda client: client.chat("m", "hi")
    good: bytes = answer(CHAT)
    stream: Callable[[Any], Any] | None = lambda client: client.stream("m", "hi")
    events: Sequence[bytes] = ()
    error_event: bytes = b""
    kind: str = "text/event-stream"
    partial: str = "Hel"
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def client(self, make: Any, url: str, **settings: Any) -> Any:
        """A client of a flavour at this address, which is that of a scripted server."""
        address = url.removesuffix("/v1") + self.path
        module = import_module(f"adapters.{self.name}")
        given = {"api_key": KEY, **self.arguments, **settings}
        return make(module, base_url=address, **given)

    @property
    def good_stream(self) -> list[bytes]:
        """A complete good stream."""
        return chunked(*self.events, kind=self.kind)

    @property
    def cut_stream(self) -> list[bytes]:
        """A stream that ends as HTTP wants it, but without its last event."""
        return chunked(*self.events[:-1], kind=self.kind)

    @property
    def failing_stream(self) -> list[bytes]:
        """A stream with an error behind its first event."""
        return chunked(self.events[0], self.error_event, kind=self.kind)

    @property
    def failed_stream(self) -> list[bytes]:
        """A stream whose first event is an error."""
        return chunked(self.error_event, kind=self.kind)


def data(*events: object) -> tuple[bytes, ...]:
    """Server-sent events; what is no text becomes JSON."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return tuple(f"data: {text}\n\n".encode() for text in texts)


def named(**events: object) -> tuple[bytes, ...]:
    """Server-sent events with the names that are their types."""
    return tuple(
        f"event: {name.rstrip('_')}\ndata: {json.dumps(event)}\n\n".encode()
        for name, event in events.items()
    )


def lines(*objects: object) -> tuple[bytes, ...]:
    """JSON lines."""
    return tuple(json.dumps(each).encode() + b"\n" for each in objects)


OPENAI_EVENTS = data(CHUNK, LAST, "[DONE]")
OPENAI_STREAM: Any = {
    "events": (OPENAI_EVENTS[0], OPENAI_EVENTS[1] + OPENAI_EVENTS[2]),
    "error_event": data(OPENAI_ERROR)[0],
}
FLAT_ERROR = data({"error": "Model is overloaded", "error_type": "overloaded"})[0]

CLAUDE = Api(
    name="claude",
    good=answer(
        {
            "type": "message",
            "model": "m",
            "content": [{"type": "text", "text": "Hello"}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    ),
    events=(
        b"".join(
            named(
                message_start={
                    "type": "message_start",
                    "message": {"model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}},
                },
                content_block_start={
                    "type": "content_block_start",
                    "index": 0,
                    "content_block": {"type": "text", "text": ""},
                },
                content_block_delta={
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": "Hel"},
                },
            )
        ),
        b"".join(
            named(
                content_block_delta={
                    "type": "content_block_delta",
                    "index": 0,
                    "delta": {"type": "text_delta", "text": "lo"},
                },
                message_delta={
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn"},
                    "usage": {"output_tokens": 2},
                },
                message_stop={"type": "message_stop"},
            )
        ),
    ),
    error_event=named(
        error={"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    )[0],
)


def gemini_chunk(text: str, **more: Any) -> dict[str, Any]:
    """A whole answer, or a part of one."""
    content = {"role": "model", "parts": [{"text": text}]}
    return {"candidates": [{"index": 0, "content": content, **more}], "modelVersion": "m"}


GEMINI = Api(
    name="gemini",
    good=answer(gemini_chunk("Hello", finishReason="STOP")),
    events=data(gemini_chunk("Hel"), gemini_chunk("lo", finishReason="STOP")),
    error_event=data({"error": {"code": 503, "message": "Overloaded.", "status": "UNAVAILABLE"}})[
        0
    ],
)
OLLAMA = Api(
    name="ollama",
    good=answer({"model": "m", "message": {"content": "Hello"}, "done": True}),
    events=lines(
        {"model": "m", "message": {"content": "Hel"}, "done": False},
        {"model": "m", "message": {"content": "lo"}, "done": True, "done_reason": "stop"},
    ),
    error_event=lines({"error": "out of memory"})[0],
    kind="application/x-ndjson",
)
TGI = Api(
    name="tgi",
    call=lambda client: client.generate("hi"),
    good=answer({"generated_text": "Hello", "details": {"finish_reason": "eos_token"}}),
    stream=lambda client: client.stream_generate("hi"),
    events=data(
        {"token": {"id": 1, "text": "Hel", "special": False}, "generated_text": None},
        {
            "token": {"id": 2, "text": "lo", "special": False},
            "generated_text": "Hello",
            "details": {"finish_reason": "eos_token", "generated_tokens": 2, "input_length": 1},
        },
    ),
    error_event=FLAT_ERROR,
)
TEI = Api(
    name="tei",
    call=lambda client: client.embed("hi"),
    good=answer([[0.5, -1.25]]),
    stream=None,
)
OPEA = Api(
    name="opea",
    call=lambda client: client.chatqna("hi"),
    stream=lambda client: client.stream_chatqna("hi"),
    events=(data("b'Hel'")[0], b"".join(data("b'lo'", "[DONE]"))),
    error_event=data({"error": {"message": "No.", "code": 503}})[0],
)
OVMS = Api(
    name="ovms",
    call=lambda client: client.infer("m", {"x": [[1.0, 2.0]]}),
    good=answer(
        {
            "model_name": "m",
            "model_version": "1",
            "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [2.0, 4.0]}],
        }
    ),
    stream=lambda client: client.stream("m", "hi"),
    events=OPENAI_STREAM["events"],
    error_event=b'{"error": "Mediapipe execution failed."}',
)

S3 = Api(
    name="s3",
    arguments={"api_key": f"AKIAEVERY:{KEY}"},
    call=lambda client: client.buckets(),
    good=answer(
        b"<ListAllMyBucketsResult><Buckets><Bucket><Name>b</Name></Bucket></Buckets>"
        b"</ListAllMyBucketsResult>",
        headers={"Content-Type": "application/xml"},
    ),
    stream=None,
)

APIS = {
    api.name: api
    for api in [
        Api(name="openai", path="/v1", **OPENAI_STREAM),
        CLAUDE,
        Api(name="groq", path="/openai/v1", **OPENAI_STREAM),
        GEMINI,
        OLLAMA,
        TGI,
        TEI,
        Api(name="llvm", **OPENAI_STREAM),
        OVMS,
        OPEA,
        S3,
    ]
}
STREAMING = {name: api for name, api in APIS.items() if api.stream is not None}
