"""Arguments that no server could make sense of: one error names them, and nothing is sent."""

from __future__ import annotations

import io
from typing import Any

import pytest

from adapters import gemini, llvm, opea, openai, ovms, s3, tei
from adapters.errors import SettingsError
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder

ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)
NAN = float("nan")
HUGE = 10**5_000
HALF = "\ud800"

CALLS: list[tuple[str, Any, Any]] = [
    ("temperature", openai, lambda client: client.chat("m", "hi", temperature=NAN)),
    ("tools", openai, lambda client: client.chat("m", "hi", tools={1, 2})),
    ("messages", openai, lambda client: client.chat("m", ["hi", ENDLESS])),
    ("messages", openai, lambda client: client.chat("m", None)),
    ("messages", openai, lambda client: list(client.stream("m", iter("hi")))),
    ("input", openai, lambda client: client.embed("m", [b"x"])),
    ("seed", openai, lambda client: client.chat("m", "hi", seed=HUGE)),
    ("extra_body", openai, lambda client: client.chat("m", "hi", extra_body=[1])),
    ("extra_body", openai, lambda client: client.chat("m", "hi", extra_body={(1, 2): 3})),
    ("extra_headers", openai, lambda client: client.chat("m", "hi", extra_headers=["a"])),
    ("extra_headers", openai, lambda client: client.models(extra_headers="a: b")),
    ("json", openai, lambda client: client.request("POST", "x", json={"a": object()})),
    ("json", openai, lambda client: client.request("POST", "x", json=[1], extra_body={"a": 1})),
    ("path", openai, lambda client: client.request("GET", None)),
    ("file", openai, lambda client: client.transcribe("m", 5)),
    ("prompt", openai, lambda client: client.transcribe("m", b"x", prompt=ENDLESS)),
    ("model", openai, lambda client: client.transcribe(HALF, b"x")),
    ("model", gemini, lambda client: client.chat(None, "hi")),
    ("model", gemini, lambda client: client.generate(HALF, "hi")),
    ("messages", gemini, lambda client: client.chat("m", ["hi"])),
    ("messages", gemini, lambda client: client.chat("m", 5)),
    ("inputs", tei, lambda client: client.embed(None)),
    ("inputs", tei, lambda client: client.predict([5])),
    ("documents", tei, lambda client: client.rerank("q", "not a list")),
    ("documents", llvm, lambda client: client.rerank("m", "q", {"a": 1})),
    ("conversations", llvm, lambda client: client.chat_batch("m", [])),
    ("conversations", llvm, lambda client: client.chat_batch("m", "letters")),
    ("model", ovms, lambda client: client.metadata(5)),
    ("version", ovms, lambda client: client.status("m", version=HALF)),
    ("inputs", ovms, lambda client: client.predict("m", ENDLESS)),
    ("inputs", ovms, lambda client: client.infer("m", {"x": ENDLESS})),
    ("inputs", ovms, lambda client: client.infer("m", {"x": {"data": ENDLESS, "shape": [1]}})),
    ("documents", opea, lambda client: client.rerank("q", 5)),
    ("gateway", opea, lambda client: client.chatqna("hi", gateway=HALF)),
    ("files", opea, lambda client: client.ingest([5])),
    ("links", opea, lambda client: client.ingest(links=[b"x"])),
    ("bucket", s3, lambda client: client.get(None, "k")),
    ("bucket", s3, lambda client: client.delete_many(HALF, ["k"])),
    ("bucket", s3, lambda client: list(client.list(None))),
    ("key", s3, lambda client: client.delete("bucket", None)),
    ("key", s3, lambda client: client.put("bucket", None, b"x")),
    ("key", s3, lambda client: client.copy("bucket", "k", "bucket", None)),
    ("key", s3, lambda client: client.copy("bucket", None, "bucket", "k")),
    ("key", s3, lambda client: client.get("bucket", HALF)),
    ("keys", s3, lambda client: client.delete_many("bucket", None)),
    ("body", s3, lambda client: client.put("bucket", "k", 5)),
    ("body", s3, lambda client: client.put("bucket", "k", [1, 2])),
    ("body", s3, lambda client: client.put("bucket", "k", HALF)),
    ("metadata", s3, lambda client: client.put("bucket", "k", b"", metadata=["a"])),
    ("Content-Type", s3, lambda client: client.put("bucket", "k", b"", content_type="a\r\nb: c")),
    ("path_or_file", s3, lambda client: client.download("bucket", "k", 5)),
    ("path_or_file", s3, lambda client: client.download("bucket", "k", io.StringIO())),
    ("prefix", s3, lambda client: list(client.list("bucket", 5.0))),
    ("page_size", s3, lambda client: list(client.list("bucket", page_size=0))),
    ("version_id", s3, lambda client: client.head("bucket", "k", version_id=HALF)),
]


@pytest.mark.parametrize(
    ("name", "module", "call"),
    CALLS,
    ids=[f"{number}-{module.__name__}-{name}" for number, (name, module, _) in enumerate(CALLS)],
)
def test_an_argument_that_cannot_be_sent_is_named(
    name: str, module: Any, call: Any, make: Make, server: Recorder
):
    """It is the caller's mistake: the error is about the argument, and the server hears nothing."""
    client = make(module, "access:secret", base_url=server.url)

    with pytest.raises(SettingsError, match=rf"\b{name}\b"):
        call(client)

    assert [] == server.requests


def test_bytes_of_any_kind_are_the_content_of_an_object(make: Make, server: Recorder):
    """Whatever gives its bytes can be written, without being turned into something else."""
    client = make(s3, "access:secret", base_url=server.url)
    wrote = b'HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 0\r\n\r\n'

    for body in (b"ab", bytearray(b"ab"), memoryview(b"ab"), "ab"):
        server.play(wrote)
        client.put("bucket", "k", body)

    assert [b"ab"] * 4 == [request.body for request in server.requests]


def test_one_link_is_one_document(make: Make, server: Recorder):
    """A text is not taken for its letters."""
    client = make(opea, "key", base_url=server.url)
    server.play(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    client.ingest(links="http://host/page")

    assert b'["http://host/page"]' in server.requests[0].body
