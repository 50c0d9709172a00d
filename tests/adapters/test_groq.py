"""Groq: what is its own in answers, streams, errors and addresses, by hand and on the emulator."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from adapters import errors, groq
from adapters.emulator import Emulator, expected_answer
from adapters.emulator.answers import count_tokens, expected_thoughts
from adapters.emulator.openai_style.transcriptions import heard
from adapters.errors import AdapterError
from tests.adapters.flavours import Make
from tests.adapters.oracle import form_of
from tests.adapters.recorder import Recorder, answer, event_stream

MODEL = "llama-3.1-8b-instant"
THINKER = "openai/gpt-oss-20b"
ANSWER = expected_answer("Say hello", seed=7)
CHOICE = {"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}
LAST = {"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}
USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
SOUND = bytes(range(256))


@pytest.fixture
def client(emulator: Emulator, make: Make) -> Any:
    """A client of the emulator that repeats nothing."""
    address = emulator.base_url("groq")
    return make(groq, keys=emulator.keys("groq"), base_url=address, max_retries=0)


@pytest.fixture
def scripted(server: Recorder, make: Make) -> Any:
    """A client of the scripted server that repeats nothing."""
    return make(groq, "gsk_x", base_url=server.url, max_retries=0)


def test_a_chat(client: Any, emulator: Emulator):
    """Text, usage and reason; the id of the server comes from the body."""
    found = client.chat(THINKER, "Say hello", reasoning_effort="low")

    assert (ANSWER, "stop", THINKER) == (found.text, found.finish_reason, found.model)
    assert expected_thoughts("Say hello", seed=7) == found.reasoning
    assert (32, 32 + count_tokens(ANSWER)) == (
        found.usage.reasoning_tokens,
        found.usage.output_tokens,
    )
    assert emulator.log()[0].request_id == found.server_request_id


def test_a_stream_reports_its_usage_without_being_asked(client: Any, emulator: Emulator):
    """Usage and id come in `x_groq`."""
    with client.stream(MODEL, "Say hello") as stream:
        for _ in stream:
            pass

    assert (ANSWER, "stop") == (stream.text, stream.finish_reason)
    assert count_tokens(ANSWER) == stream.usage.output_tokens
    assert emulator.log()[0].request_id == stream.server_request_id


def test_a_soft_error_interrupts_a_stream(client: Any, emulator: Emulator):
    """What `x_groq` says went wrong is no end of the answer, though the status was 200."""
    emulator.script(["stream_error:after=3,code=soft"])

    with pytest.raises(errors.StreamInterruptedError) as caught, client.stream(MODEL, "Hi") as s:
        list(s)

    assert isinstance(caught.value.__cause__, errors.ServerError)
    assert "over capacity" in str(caught.value.__cause__)
    assert caught.value.partial == s.text != ""


def test_a_soft_error_before_the_first_event_is_a_failed_request(emulator: Emulator, make: Make):
    """It is tried again like any other failure."""
    emulator.script(["stream_error:after=0,code=soft,first=1"])
    arguments: Any = {"keys": emulator.keys("groq"), "base_url": emulator.base_url("groq")}

    with make(groq, initial_retry_delay=0, **arguments).stream(MODEL, "Say hello") as stream:
        list(stream)

    assert (ANSWER, 2) == (stream.text, len(emulator.log()))


def test_the_usage_of_a_chunk_wins(server: Recorder, scripted: Any):
    """Where both are there, the standard place does; a chunk without either has none."""
    server.play(
        event_stream(
            {"choices": [CHOICE], "x_groq": {"id": "req_9"}},
            {"choices": [LAST], "x_groq": {"id": "req_9", "usage": USAGE}},
            {"choices": [], "usage": USAGE, "x_groq": {"usage": {"total_tokens": 99}}},
            "[DONE]",
        )
    )

    with scripted.stream(MODEL, "Hi") as stream:
        events = list(stream)

    assert [None, 12, 12] == [event.usage and event.usage.total_tokens for event in events]
    assert ("Hello", "req_9") == (stream.text, stream.server_request_id)


@pytest.mark.parametrize("kind", ["bytes", "path", "text", "file", "pair"])
def test_a_recording_comes_in_many_forms(client: Any, tmp_path: Path, kind: str):
    """A path, an open file, bytes, or a name with one of them."""
    path = tmp_path / "a.mp3"
    path.write_bytes(SOUND)
    forms = {
        "bytes": SOUND,
        "path": path,
        "text": str(path),
        "file": io.BytesIO(SOUND),
        "pair": ("b.mp3", io.BytesIO(SOUND)),
    }

    found = client.transcribe("whisper-large-v3", forms[kind])

    assert heard(SOUND, seed=7) == found.text == str(found)


def test_a_transcription_as_text_and_with_details(client: Any, emulator: Emulator):
    """`response_format` decides what `raw` is; the text is the same."""
    text = heard(SOUND, seed=7)

    plain = client.transcribe("whisper-large-v3", SOUND, response_format="text")
    long = client.transcribe("whisper-large-v3", SOUND, response_format="verbose_json")

    assert (text, f"{text}\n") == (plain.text, plain.raw)
    assert (text, text) == (long.text, long.raw["segments"][0]["text"])
    assert emulator.log()[1].request_id == long.server_request_id


def test_a_form_writes_values_of_all_kinds(server: Recorder, scripted: Any):
    """As the vendors' clients do: lists repeat their name, members stand in brackets."""
    server.play(answer({"text": "hi"}))

    scripted.transcribe(
        "m", SOUND, flag=True, none=None, many=[1, "b"], extra_body={"deep": {"at": [0.5, False]}}
    )

    fields = [(name, content) for name, file, content in form_of(server.requests[0]) if not file]
    assert [
        ("deep[at][]", b"0.5"),
        ("deep[at][]", b"false"),
        ("flag", b"true"),
        ("many[]", b"1"),
        ("many[]", b"b"),
        ("model", b"m"),
    ] == fields


def test_embeddings_and_models(client: Any):
    """A vector for each text; the models by name."""
    assert [768, 768] == [len(v) for v in client.embed("nomic-embed-text-v1_5", ["a", "b"]).vectors]
    assert THINKER in client.models()


@pytest.mark.parametrize(
    ("spec", "cls", "retryable"),
    [
        ("400", errors.BadRequestError, False),
        ("400:code=context_length_exceeded", errors.ContextLengthError, False),
        ("401", errors.AuthenticationError, False),
        ("403", errors.PermissionDeniedError, False),
        ("404", errors.NotFoundError, False),
        ("409", errors.ConflictError, True),
        ("413", errors.PayloadTooLargeError, False),
        ("422", errors.BadRequestError, False),
        ("424", AdapterError, False),
        ("429", errors.RateLimitError, True),
        ("498", errors.RateLimitError, True),
        ("499", AdapterError, False),
        ("500", errors.ServerError, True),
        ("502", errors.ServerError, True),
        ("503", errors.OverloadedError, True),
        ("503:should_retry=false", errors.OverloadedError, False),
        ("error_in_200:status=429", errors.RateLimitError, True),
    ],
)
def test_errors(
    client: Any, emulator: Emulator, spec: str, cls: type[AdapterError], retryable: bool
):
    """Every row of the API's table, and whether another attempt makes sense."""
    emulator.script([spec])

    with pytest.raises(AdapterError) as caught:
        client.chat(MODEL, "Hi")

    assert (cls, retryable) == (type(caught.value), caught.value.retryable)
    assert "groq" == caught.value.provider


def test_a_rate_limit_says_how_long(client: Any, emulator: Emulator):
    """The header's time is in the error."""
    emulator.script(["429:retry_after=1000"])

    with pytest.raises(errors.RateLimitError) as caught:
        client.chat(MODEL, "Hi")

    assert caught.value.retry_after is not None
    assert 900 < caught.value.retry_after <= 1000


@pytest.mark.parametrize(
    ("given", "path"),
    [("", "/openai/v1"), ("/", "/openai/v1"), ("/openai/v1", "/openai/v1"), ("/gw/v1", "/gw/v1")],
)
def test_an_address_may_lack_its_version(server: Recorder, make: Make, given: str, path: str):
    """The host alone is completed; an address with a version is taken as it is."""
    server.play(answer({"data": []}))

    make(groq, "gsk_x", base_url=server.url.removesuffix("/v1") + given).models()

    assert f"{path}/models" == server.requests[0].path


def test_no_key_names_the_variable(make: Make):
    """Without a key nothing is sent."""
    with pytest.raises(errors.MissingKeyError, match="GROQ_API_KEY"):
        make(groq)


def test_what_is_no_completion_is_no_answer(server: Recorder, scripted: Any):
    """`x_groq` of another form does no harm, and an empty list of choices is refused."""
    choices = [{"message": {"content": "hi"}}]
    server.play(answer({"choices": choices, "x_groq": "odd"}), answer({"choices": []}))

    assert "hi" == scripted.chat(MODEL, "Hi").text
    with pytest.raises(errors.InvalidResponseError):
        scripted.chat(MODEL, "Hi")


def test_the_functions_of_the_module(emulator: Emulator, monkeypatch):
    """They use one client, made of the environment."""
    monkeypatch.setenv("GROQ_API_KEY", emulator.keys("groq")["backup"])
    monkeypatch.setenv("GROQ_BASE_URL", emulator.base_url("groq").removesuffix("/openai/v1"))
    groq.configure(max_retries=0)

    assert ANSWER == groq.chat(MODEL, "Say hello").text
    assert json.loads(groq.request("GET", "models").content)["object"] == "list"
    assert ["backup", "backup"] == [record.key for record in emulator.log()]
