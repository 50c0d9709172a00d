"""Ollama: answers, streams, errors and the address, byte by byte and on the emulator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters import errors, ollama
from adapters._messages import ToolCall, Usage
from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.emulator.answers import count_tokens, expected_thoughts
from adapters.errors import AdapterError
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer, chunked

MODEL = "llama3.2"
THINKER = "qwen3"
ANSWER = expected_answer("Say hello", seed=7)
THOUGHTS = expected_thoughts("Say hello", seed=7)
CALL = {"id": "c1", "function": {"name": "look", "arguments": {"at": 1}}}
COUNTS = {"prompt_eval_count": 5, "eval_count": 7}
USAGE = Usage(input_tokens=5, output_tokens=7, total_tokens=12)


@pytest.fixture
def client(emulator: Emulator, make: Make) -> Any:
    """A client of the emulator that repeats nothing."""
    return make(ollama, base_url=emulator.base_url("ollama"), max_retries=0)


@pytest.fixture
def scripted(server: Recorder, make: Make) -> Any:
    """A client of the scripted server that repeats nothing."""
    return make(ollama, base_url=server.url.removesuffix("/v1"), max_retries=0)


def message(content: str = "", **more: Any) -> dict[str, Any]:
    """What one line of a chat has."""
    return {"model": "m", "message": {"role": "assistant", "content": content, **more}}


def lines(*parts: Any, kind: str = "application/x-ndjson") -> list[bytes]:
    """A stream of these lines."""
    return chunked(*(f"{json.dumps(part)}\n".encode() for part in parts), kind=kind)


def done(reason: str = "stop", **more: Any) -> dict[str, Any]:
    """The last line of a chat."""
    return {**message(), "done": True, "done_reason": reason, **COUNTS, **more}


def test_a_chat(server: Recorder, scripted: Any):
    """Text, thoughts, tools and usage are read apart."""
    body = {**message("Hello", thinking="Hm", tool_calls=[CALL, CALL]), **COUNTS, "done": True}
    server.play(answer({**body, "done_reason": "stop"}))

    found = scripted.chat(MODEL, "Hi")

    assert ("Hello", ("Hello",), "Hm", "m") == (
        found.text,
        found.texts,
        found.reasoning,
        found.model,
    )
    arguments = '{"at": 1}'
    calls = (ToolCall("c1", "look", arguments, 0), ToolCall("c1", "look", arguments, 1))
    assert (calls, USAGE, "tool_calls") == (found.tool_calls, found.usage, found.finish_reason)


@pytest.mark.parametrize("reason", ["stop", "length", "load", "unload"])
def test_finish_reasons(server: Recorder, scripted: Any, reason: str):
    """The words are those of the vocabulary, and two of Ollama's own."""
    server.play(answer(done(reason)))

    assert reason == scripted.chat(MODEL, "Hi").finish_reason


def test_counts_may_be_left_out(server: Recorder, scripted: Any):
    """Zeros are; and what a prompt's cache served is not told."""
    server.play(answer({**message("Hello"), "done": True}))

    found = scripted.chat(MODEL, "Hi")

    assert (Usage(), None) == (found.usage, found.finish_reason)


@pytest.mark.parametrize("body", [{}, {"message": {}}, {"message": 5}, {"model": "m"}, [], 5])
def test_an_answer_of_another_form_is_refused(server: Recorder, scripted: Any, body: Any):
    """What has neither message nor response is an error, not a guess."""
    server.play(answer(body))

    with pytest.raises(errors.InvalidResponseError):
        scripted.chat(MODEL, "Hi")


def test_a_stream(server: Recorder, scripted: Any):
    """Pieces of thoughts, text and tools; the last line has the usage."""
    parts = [message(thinking="Hm"), message("Hel"), message("lo"), message(tool_calls=[CALL])]
    server.play(lines(*parts, message(tool_calls=[CALL]), done()))

    with scripted.stream(MODEL, "Hi") as stream:
        list(stream)

    assert ("Hello", "Hm", "m") == (stream.text, stream.reasoning, stream.model)
    assert [0, 1] == [call.index for call in stream.tool_calls]
    assert (USAGE, "tool_calls") == (stream.usage, stream.finish_reason)


def test_a_stream_of_one_line_may_come_as_json(server: Recorder, scripted: Any):
    """What only loads a model is answered so."""
    server.play(answer(done("load")))

    with scripted.stream(MODEL, []) as stream:
        list(stream)

    assert ("", "load") == (stream.text, stream.finish_reason)


def test_an_error_line_interrupts(server: Recorder, scripted: Any):
    """What came is in the error, and what went wrong is its cause."""
    server.play(lines(message("Hel"), {"error": "out of memory"}))

    with pytest.raises(errors.StreamInterruptedError) as caught, scripted.stream(MODEL, "Hi") as s:
        list(s)

    assert "Hel" == caught.value.partial
    assert "out of memory" in str(caught.value.__cause__)
    assert isinstance(caught.value.__cause__, errors.ServerError)


def test_a_stream_that_is_not_done_was_cut(server: Recorder, scripted: Any):
    """The server died, or the model was unloaded."""
    server.play(lines(message("Hel")))

    with pytest.raises(errors.StreamInterruptedError) as caught, scripted.stream(MODEL, "Hi") as s:
        list(s)

    assert isinstance(caught.value.__cause__, errors.ConnectionFailedError)


@pytest.mark.parametrize("line", ["nonsense", "5", "{}", '{"message": 5}'])
def test_a_line_of_another_form_is_refused(server: Recorder, scripted: Any, line: str):
    """Neither a guess nor an accident of Python."""
    server.play(chunked(f"{line}\n".encode(), kind="application/x-ndjson"))

    with pytest.raises(errors.InvalidResponseError), scripted.stream(MODEL, "Hi") as stream:
        list(stream)


def test_a_web_page_is_no_stream(server: Recorder, scripted: Any):
    """It says that the address leads elsewhere."""
    page = answer(b"<html>", headers={"Content-Type": "text/html"})
    server.play(page)

    with (
        pytest.raises(errors.InvalidResponseError, match="base_url"),
        scripted.stream(MODEL, "Hi") as s,
    ):
        list(s)


def test_answers_on_the_emulator(client: Any):
    """They belong to their prompt, and their cost is told."""
    said, written = client.chat(THINKER, "Say hello"), client.generate(THINKER, "Say hello")

    assert (ANSWER, THOUGHTS) == (said.text, said.reasoning) == (written.text, written.reasoning)
    assert 32 + count_tokens(ANSWER) == said.usage.output_tokens == written.usage.output_tokens
    assert "stop" == said.finish_reason == written.finish_reason


@pytest.mark.parametrize(
    ("whole", "streamed"), [("chat", "stream"), ("generate", "stream_generate")]
)
def test_a_stream_on_the_emulator_is_the_whole_answer(client: Any, whole: str, streamed: str):
    """Everything that a plain answer has, a stream has in the end."""
    found = getattr(client, whole)(THINKER, "Say hello", options={"num_predict": 40})

    with getattr(client, streamed)(THINKER, "Say hello", options={"num_predict": 40}) as stream:
        list(stream)

    assert (found.text, found.reasoning) == (stream.text, stream.reasoning)
    assert (found.usage, "length") == (stream.usage, stream.finish_reason)


def test_embeddings(client: Any):
    """A vector for each text; an empty list has none."""
    found = client.embed("all-minilm", ["a", "b c"], dimensions=8)

    assert [list(expected_vector(text, 8, seed=7)) for text in ("a", "b c")] == found.vectors
    assert (3, "all-minilm") == (found.usage.input_tokens, found.model)
    assert 1 == len(client.embed("all-minilm", "a").vectors)
    assert [] == client.embed("all-minilm", []).vectors


def test_vectors_that_do_not_fit_the_inputs_are_refused(server: Recorder, scripted: Any):
    """One vector for two texts is an error: nobody could tell whose it is."""
    server.play(answer({"embeddings": [[1]]}))

    with pytest.raises(errors.InvalidResponseError, match="1 vectors for 2 inputs"):
        scripted.embed("e", ["a", "b"])


def test_models_and_facts(client: Any):
    """What there is, what it can do, and whether the server runs."""
    assert f"{MODEL}:latest" in client.models()
    assert ["completion", "tools"] == client.info(MODEL)["capabilities"]
    health = client.health()
    assert (True, "0.33.0") == (bool(health), health.raw["version"])


def test_a_pull_tells_its_progress(client: Any):
    """From the manifest to success, with the bytes so far."""
    with client.pull(MODEL) as progress:
        events = list(progress)

    assert ("pulling manifest", "success") == (events[0].event, events[-1].event)
    sizes = [event.raw for event in events if "completed" in event.raw]
    assert sizes[-1]["completed"] == sizes[-1]["total"]


def test_a_pull_of_nothing_fails(client: Any):
    """The server says so when its answer has begun."""
    with pytest.raises(errors.StreamInterruptedError) as caught, client.pull("nonsense") as s:
        list(s)

    assert "file does not exist" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    ("spec", "cls", "retryable"),
    [
        ("400", errors.BadRequestError, False),
        ("401", errors.AuthenticationError, False),
        ("403", errors.PermissionDeniedError, False),
        ("404", errors.NotFoundError, False),
        ("429", errors.RateLimitError, True),
        ("499", AdapterError, False),
        ("500", errors.ServerError, True),
        ("502", errors.ServerError, True),
        ("503", errors.OverloadedError, True),
        ("error_in_200", errors.ServerError, True),
    ],
)
def test_errors(
    client: Any, emulator: Emulator, spec: str, cls: type[AdapterError], retryable: bool
):
    """Every row of the API's table, and whether another attempt makes sense."""
    option = "," if ":" in spec else ":"
    emulator.script([f"{spec}{option}message=gone fishing"])

    with pytest.raises(AdapterError) as caught:
        client.chat(MODEL, "Hi")

    assert (cls, retryable) == (type(caught.value), caught.value.retryable)
    assert ("ollama", True) == (caught.value.provider, "gone fishing" in str(caught.value))


def test_a_missing_model_is_told(client: Any):
    """The text of the server is the message, in streams as well."""
    with pytest.raises(errors.NotFoundError, match="model 'llama9' not found"):
        client.chat("llama9", "Hi")
    with pytest.raises(errors.NotFoundError, match="model 'llama9' not found"):
        list(client.stream("llama9", "Hi"))


@pytest.mark.parametrize(
    ("operation", "instead"), [("chat", "stream()"), ("generate", "stream_generate()")]
)
def test_streams_are_operations_of_their_own(client: Any, operation: str, instead: str):
    """`stream=True` for a whole answer is refused, and nothing is sent."""
    with pytest.raises(errors.SettingsError) as caught:
        getattr(client, operation)(MODEL, "Hi", stream=True)

    assert instead in str(caught.value)


def test_no_key_is_needed_and_none_is_sent(server: Recorder, scripted: Any):
    """A local server asks for none."""
    server.play(answer({"models": []}))

    scripted.models()

    assert "authorization" not in server.requests[0].headers


def test_a_server_that_does_not_run(make: Make):
    """The error says where nobody answers."""
    client = make(ollama, base_url=":1", max_retries=0)

    with pytest.raises(errors.ConnectionFailedError, match="127"):
        client.chat(MODEL, "Hi")


def test_the_functions_of_the_module(emulator: Emulator, monkeypatch):
    """They use one client, made of the environment."""
    monkeypatch.setenv("OLLAMA_HOST", emulator.base_url("ollama").removeprefix("http://"))
    ollama.configure(max_retries=0)

    assert ANSWER == ollama.chat(MODEL, "Say hello").text
    assert "success" == list(ollama.pull(MODEL))[-1].event
    assert [None, None] == [record.key for record in emulator.log()]
