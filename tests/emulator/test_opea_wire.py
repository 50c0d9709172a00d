"""OPEA: what its services and gateways answer, byte by byte; there is no client of its own."""

from __future__ import annotations

import ast
from typing import Any

import openai
import pytest

from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.emulator.answers import expected_score

from .conftest import SEED, Wire

USER: Any = [{"role": "user", "content": "hi"}]
ANSWER = expected_answer("hi", seed=SEED)
DOCUMENTS = [{"text": text} for text in ("a", "b", "c")]
BLOCKED = "Violated policies: Violent Crimes, please check your input."


@pytest.fixture
def wire(server: Emulator) -> Wire:
    """Requests by hand."""
    return Wire(server, provider="opea")


def frames(body: bytes) -> list[str]:
    """Give the data of each event."""
    return [event.removeprefix("data: ") for event in body.decode().split("\n\n") if event]


@pytest.mark.parametrize("path", ["/v1/chatqna", "/v1/codegen", "/v1/searchqna", "/v1/faqgen"])
def test_a_gateway_streams_bytes(wire: Wire, path: str) -> None:
    """Unless it is told not to, it answers Python's text for the bytes of each token."""
    reply = wire.send({"messages": USER}, path)
    *pieces, end = frames(reply.body)

    assert ("b''", "[DONE]") == (pieces[0], end)
    assert ANSWER == b"".join(ast.literal_eval(piece) for piece in pieces).decode()
    assert reply.headers["content-type"].startswith("text/event-stream")


def test_a_gateway_answers_as_a_whole(wire: Wire) -> None:
    """Then its usage is 0 and its model is its own name."""
    found = wire.send({"messages": "hi", "stream": False}, "/v1/chatqna").json

    assert (ANSWER, "stop") == (
        found["choices"][0]["message"]["content"],
        found["choices"][0]["finish_reason"],
    )
    assert ("chatqna", {0}) == (found["model"], set(found["usage"].values()))
    assert (
        ANSWER
        == wire.send({"messages": "hi"}, "/v1/visualqna").json["choices"][0]["message"]["content"]
    )


def test_translations(wire: Wire) -> None:
    """They have members of their own, all of which are needed."""
    body = {"language_from": "de", "language_to": "en", "source_language": "hallo"}

    assert (
        expected_answer("de\nen\nhallo", seed=SEED)
        == (
            wire.send({**body, "stream": False}, "/v1/translation").json["choices"][0]["message"][
                "content"
            ]
        )
    )
    assert 500 == wire.send({"language_to": "en"}, "/v1/translation").status


def test_a_guardrail_answers_in_the_place_of_the_model(wire: Wire) -> None:
    """A question that is not allowed gets one frame, with status 200."""
    assert [f"b'{BLOCKED}'", "[DONE]"] == frames(
        wire.send({"messages": "kill"}, "/v1/chatqna").body
    )
    found = wire.send({"text": "kill"}, "/v1/guardrails").json
    passed = wire.send({"text": "hi"}, "/v1/guardrails").json

    assert (BLOCKED, [".*"]) == (found["text"], found["downstream_black_list"])
    assert ("hi", []) == (passed["text"], passed["downstream_black_list"])


def test_the_model_answers_as_it_was_asked(server: Emulator, wire: Wire) -> None:
    """Messages get a chat, a text gets completions, and the model's name is not looked at."""
    text = wire.send({"messages": "hi"}, "/v1/chat/completions").json
    key = server.keys("opea")["production"]
    with openai.OpenAI(
        base_url=f"{server.base_url('opea')}/v1", api_key=key, max_retries=0, timeout=20
    ) as sdk:
        chat = sdk.chat.completions.create(model="any", messages=USER)
        with sdk.chat.completions.create(model="any", messages=USER, stream=True) as stream:
            streamed = "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert ("text_completion", ANSWER) == (text["object"], text["choices"][0]["text"])
    assert ANSWER == chat.choices[0].message.content == streamed


def test_embeddings(wire: Wire) -> None:
    """Neither a model nor usage; more than the server behind it takes is a failure of it."""
    found = wire.send({"input": ["a", "b"]}, "/v1/embeddings").json

    assert pytest.approx(expected_vector("b", 384, seed=SEED)) == found["data"][1]["embedding"]
    assert (None, None) == (found["model"], found["usage"])
    assert 500 == wire.send({"input": ["a"] * 33}, "/v1/embeddings").status


def test_ranks(wire: Wire) -> None:
    """The newer form has scores; the older one is the model's next request; one comes back."""
    newer = wire.send({"input": "q", "retrieved_docs": DOCUMENTS, "top_n": 2}, "/v1/reranking").json
    older = wire.send({"initial_query": "q", "retrieved_docs": DOCUMENTS}, "/v1/reranking").json

    best = sorted("abc", key=lambda text: -expected_score("q", text, seed=SEED))
    assert best[:2] == [item["text"] for item in newer["reranked_docs"]]
    assert ("q", best[:1]) == (older["query"], older["documents"])


def test_retrieval(wire: Wire) -> None:
    """Four documents unless `k` says otherwise; the newer form has less around them."""
    older = wire.send({"text": "q", "embedding": [0.1]}, "/v1/retrieval").json
    newer = wire.send({"input": "q", "embedding": [0.1], "k": 2}, "/v1/retrieval").json

    assert ("q", 4) == (older["initial_query"], len(older["retrieved_docs"]))
    assert older["retrieved_docs"][0]["text"] == newer["retrieved_docs"][0]["text"]
    assert 2 == len(newer["retrieved_docs"])


def test_documents(wire: Wire) -> None:
    """They come as a form, and are listed and deleted by name."""
    form = (
        b'--x\r\ncontent-disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhi\r\n--x--'
    )
    headers = {"content-type": "multipart/form-data; boundary=x"}
    done = wire.send(form, "/v1/dataprep/ingest", headers=headers)

    assert {"status": 200, "message": "Data preparation succeeded"} == done.json
    name = wire.send({}, "/v1/dataprep/get").json[0]["name"]
    assert {"status": True} == wire.send({"file_path": name}, "/v1/dataprep/delete").json
    assert 400 == wire.send({}, "/v1/dataprep/ingest").status
    assert 404 == wire.send({"file_path": "nope"}, "/v1/dataprep/delete").status


def test_a_summary_is_a_log_of_patches(wire: Wire) -> None:
    """The text is what is added below `/streamed_output`."""
    body = wire.send({"messages": "hi"}, "/v1/docsum").body
    whole = wire.send({"messages": "hi", "stream": False}, "/v1/docsum").json

    assert '{"ops":[{"op":"add","path":"/streamed_output/-","value":"0b3461d4"}]}' in frames(body)
    assert ANSWER == whole["text"]


def test_audio_and_state(wire: Wire) -> None:
    """Speech is bytes; each service says what it is."""
    assert wire.send({"input": "hi"}, "/v1/audio/speech").body.startswith(b"RIFF")
    assert "1.5" == wire.send(None, "/v1/health_check", "GET").json["Version"]
    assert 200 == wire.send(None, "/health", "GET").status


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/v1/embeddings", {"x": 1}, 422, '"type":"missing"'),
        ("/v1/embeddings", b"{", 422, '"type":"json_invalid"'),
        ("/v1/chatqna", {"messages": 5}, 500, "Internal Server Error"),
        ("/v1/chatqna", b"{", 500, "Internal Server Error"),
        ("/v1/nope", {"x": 1}, 404, '{"detail":"Not Found"}'),
    ],
)
def test_refusals(wire: Wire, path: str, body: object, status: int, text: str) -> None:
    """Services say which field is wrong; gateways fail."""
    reply = wire.send(body, path)

    assert status == reply.status
    assert text in reply.body.decode()


def test_a_gateway_hides_what_has_failed(server: Emulator, wire: Wire) -> None:
    """Its stream is empty, or breaks off without an end marker; a proxy answers in HTML."""
    server.script(["stream_error:nth=1", "stream_error:after=2,stream=true", "503"])
    empty, broken = (wire.send({"messages": "hi"}, "/v1/chatqna") for _ in range(2))
    page = wire.send({"messages": "hi", "stream": False}, "/v1/chatqna")

    assert (200, b"data: [DONE]\n\n") == (empty.status, empty.body)
    assert ["b''", "b'0b3461d4'"] == frames(broken.body)
    assert (503, "text/html") == (page.status, page.headers["content-type"])
