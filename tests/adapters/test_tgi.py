"""The client of TGI: answers, streams and errors, against the emulator and byte by byte."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import tgi
from adapters.emulator import Emulator, expected_answer
from adapters.emulator.answers import count_tokens
from adapters.errors import (
    AdapterError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    OverloadedError,
    PayloadTooLargeError,
    RateLimitError,
    ServerError,
    SettingsError,
    StreamInterruptedError,
)
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer, event_stream

ANSWER = expected_answer("hi", seed=7)
LENGTH = count_tokens(ANSWER)
TOKEN = {"id": 1, "text": "Hi", "logprob": -0.1, "special": False}


def token(text: str, whole: str | None = None, **details: Any) -> dict[str, Any]:
    """An event of the native stream."""
    return {
        "index": 1,
        "token": {**TOKEN, "text": text},
        "generated_text": whole,
        "details": details or None,
    }


@pytest.fixture
def client(emulator: Emulator, make: Make) -> Any:
    """A client of the emulator that repeats nothing."""
    address = emulator.base_url("tgi")
    return make(tgi, keys=emulator.keys("tgi"), base_url=address, max_retries=0)


@pytest.fixture
def scripted(server: Recorder, make: Make) -> Any:
    """A client of the scripted server that repeats nothing."""
    return make(tgi, base_url=server.url, max_retries=0)


def test_generate_counts_its_tokens(client: Any):
    """Those of the prompt stand in a header, those of the answer in its details."""
    found = client.generate("hi")
    short = client.generate("hi", max_new_tokens=3)

    assert (ANSWER, "stop") == (found.text, found.finish_reason)
    assert (1, LENGTH, 1 + LENGTH) == (
        found.usage.input_tokens,
        found.usage.output_tokens,
        found.usage.total_tokens,
    )
    assert ("length", 3) == (short.finish_reason, short.usage.output_tokens)


def test_details_may_be_left_out(client: Any):
    """Then the headers alone count, and nobody says why the answer ended."""
    found = client.generate("hi", details=False)

    assert (1, LENGTH) == (found.usage.input_tokens, found.usage.output_tokens)
    assert found.finish_reason is None


def test_a_list_of_one_is_an_answer_too(scripted: Any, server: Recorder):
    """Some servers answer at their native route as others do at `/`."""
    server.play(answer([{"generated_text": "Hello"}]))

    assert "Hello" == str(scripted.generate("hi"))


def test_a_native_stream_needs_no_end_marker(client: Any):
    """The event with the whole text is its end; special tokens are no text."""
    with client.stream_generate("hi") as stream:
        text = "".join(event.text for event in stream)

    assert ANSWER == text == stream.text
    assert ("stop", 1, LENGTH) == (
        stream.finish_reason,
        stream.usage.input_tokens,
        stream.usage.output_tokens,
    )


def test_the_chat_of_openais_dialect(client: Any):
    """Whole and as a stream: the same text and usage."""
    whole = client.chat("hi")
    with client.stream("hi") as stream:
        list(stream)

    assert ANSWER == whole.text == stream.text
    assert whole.usage == stream.usage
    assert "stop" == whole.finish_reason == stream.finish_reason


def test_the_other_operations(client: Any):
    """Several prompts, tokens, and what the server says about itself."""
    assert tuple(expected_answer(text, seed=7) for text in "ab") == client.completions(
        "a"
    ).texts + (client.completions(["b"]).texts)
    assert (("hello", " world"),) == client.tokenize("hello world").texts
    assert 128 == client.info()["max_concurrent_requests"]
    assert ["meta-llama/Llama-3.1-8B-Instruct"] == list(client.models())


def test_health_may_be_false(client: Any, emulator: Emulator):
    """A server that is alive and not ready is no error, and is not asked again."""
    assert client.health()
    emulator.script(["503"])
    found = client.health()

    assert not found
    assert "unhealthy" == found.raw["error"]
    assert 2 == len(emulator.log())


@pytest.mark.parametrize("call", ["generate", "chat", "completions"])
def test_streams_have_names_of_their_own(client: Any, call: str):
    """`stream=True` is refused where a whole answer is read."""
    with pytest.raises(SettingsError, match="stream cannot be set here"):
        getattr(client, call)("hi", stream=True)


@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (401, b"", AuthenticationError, None),
        (
            404,
            {"error": "no fast tokenizer", "error_type": "tokenizer"},
            NotFoundError,
            "tokenizer",
        ),
        (413, b"length limit exceeded", PayloadTooLargeError, None),
        (422, b"missing field `inputs`", BadRequestError, None),
        (422, {"error": "bad", "error_type": "validation"}, BadRequestError, "validation"),
        (424, {"error": "gone", "error_type": "generation"}, ServerError, "generation"),
        (429, {"error": "busy", "error_type": "overloaded"}, RateLimitError, "overloaded"),
        (500, {"error": "cut", "error_type": "incomplete_generation"}, ServerError, None),
        (503, b"", OverloadedError, None),
    ],
)
def test_errors_by_status(
    scripted: Any,
    server: Recorder,
    status: int,
    body: object,
    error: type[AdapterError],
    code: str | None,
):
    """Every row of the table of errors has its class, and says what the server said."""
    server.play(answer(body, status))

    with pytest.raises(error) as caught:
        scripted.generate("hi")

    assert error is type(caught.value)
    assert status == caught.value.status_code
    assert code in {None, caught.value.code}


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"error": "Model is overloaded", "error_type": "overloaded"}, RateLimitError),
        ({"error": "gone", "error_type": "generation"}, ServerError),
        ({"error": "bad", "error_type": "validation"}, BadRequestError),
        ({"error": "?", "error_type": "new"}, ServerError),
    ],
)
def test_errors_inside_a_native_stream(
    scripted: Any, server: Recorder, make: Make, event: object, error: type[AdapterError]
):
    """After the first event it is an interruption; as the first one, a request that failed."""
    server.play(event_stream(token("Hel"), event), event_stream(event))

    with pytest.raises(StreamInterruptedError) as caught:
        list(scripted.stream_generate("hi"))
    with pytest.raises(error):
        list(make(tgi, base_url=server.url, max_retries=0).stream_generate("hi"))

    assert "Hel" == caught.value.partial
    assert isinstance(caught.value.__cause__, error)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("Model is overloaded", RateLimitError),
        ("Request failed during generation: gone", ServerError),
        ("Incomplete generation", ServerError),
        ("Input validation error: bad", BadRequestError),
        ("Tool error: bad", BadRequestError),
        ("What nobody has seen", ServerError),
    ],
)
def test_the_number_in_a_stream_of_openais_dialect_means_nothing(
    scripted: Any, server: Recorder, message: str, error: type[AdapterError]
):
    """The server writes 422 whatever has happened; only its words tell."""
    inside = {"error": {"message": message, "http_status_code": 422}}
    server.play(event_stream(inside, "[DONE]"))

    with pytest.raises(error) as caught:
        list(scripted.stream("hi"))
    assert error is type(caught.value)


def test_overload_at_the_beginning_of_a_stream_is_tried_again(server: Recorder, make: Make):
    """The permit is taken inside the stream: nothing had been answered yet."""
    overloaded = {"error": "Model is overloaded", "error_type": "overloaded"}
    server.play(event_stream(overloaded), event_stream(token("Hi", "Hi", finish_reason="length")))

    client = make(tgi, base_url=server.url, initial_retry_delay=0.001)
    with client.stream_generate("hi") as stream:
        list(stream)

    assert ("Hi", 2, "length") == (stream.text, stream.attempts, stream.finish_reason)


def test_a_native_stream_without_its_last_event_was_cut(client: Any, emulator: Emulator):
    """There is no end marker to miss, so the whole text is what must come."""
    emulator.script(["cut:after=-1,how=clean"])

    with pytest.raises(StreamInterruptedError, match="cut"):
        list(client.stream_generate("hi"))


def test_the_module_has_a_client_of_its_own(emulator: Emulator, monkeypatch):
    """Its functions find the server in the environment."""
    monkeypatch.setenv("TGI_BASE_URL", emulator.base_url("tgi"))
    tgi.configure()
    try:
        assert ANSWER == tgi.chat("hi").text == tgi.generate("hi").text
    finally:
        tgi.configure()
