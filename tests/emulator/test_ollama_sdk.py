"""Ollama's own client is the judge: what the emulator answers parses into its types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import ollama
import pytest

from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.emulator.answers import count_tokens, expected_thoughts

from .conftest import SEED

MODEL = "llama3.2"
USER = [{"role": "user", "content": "Say hello"}]
ANSWER = expected_answer("Say hello", seed=SEED)
THOUGHTS = expected_thoughts("Say hello", seed=SEED)
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]


@pytest.fixture
def local(server: Emulator) -> Iterator[ollama.Client]:
    """The vendor's client; it never repeats anything."""
    with ollama.Client(host=server.base_url("ollama"), timeout=20) as found:
        yield found


def chat(local: ollama.Client, **more: Any) -> Any:
    """Ask for a message."""
    return local.chat(**{"model": MODEL, "messages": USER, **more})


def test_a_chat(local: ollama.Client, server: Emulator) -> None:
    """An answer belongs to its prompt, and says what it cost."""
    answer = chat(local)

    assert isinstance(answer, ollama.ChatResponse)
    assert (ANSWER, MODEL) == (answer.message.content, answer.model)
    assert (True, "stop") == (answer.done, answer.done_reason)
    assert count_tokens("Say hello") + 4 == answer.prompt_eval_count
    assert count_tokens(ANSWER) == answer.eval_count
    assert (None, MODEL) == (answer.message.thinking, server.log()[0].model)


def test_a_generation(local: ollama.Client) -> None:
    """A prompt with a system prompt is answered as the chat of both is."""
    answer = local.generate(MODEL, "Say hello", system="Be kind")

    assert isinstance(answer, ollama.GenerateResponse)
    assert expected_answer("Be kind\nSay hello", seed=SEED) == answer.response
    assert answer.context


def test_thoughts_stand_beside_the_answer(local: ollama.Client) -> None:
    """A model that can think does so unless it is told not to; thoughts are counted as output."""
    answer = chat(local, model="qwen3")
    quick = chat(local, model="qwen3", think=False)

    assert (THOUGHTS, ANSWER) == (answer.message.thinking, answer.message.content)
    assert 32 + count_tokens(ANSWER) == answer.eval_count
    assert (None, ANSWER) == (quick.message.thinking, quick.message.content)
    written = local.generate("qwen3", "Say hello", think="low")
    assert (THOUGHTS, ANSWER) == (written.thinking, written.response)


def test_options_cut_and_stop(local: ollama.Client) -> None:
    """`num_predict` cuts an answer, a stop sequence ends it."""
    cut = chat(local, options={"num_predict": 5})
    stopped = chat(local, options={"stop": [" "]})

    assert ("length", 5) == (cut.done_reason, cut.eval_count)
    assert ANSWER.startswith(cut.message.content)
    assert ("stop", ANSWER.split()[0]) == (stopped.done_reason, stopped.message.content)
    empty = chat(local, options={"num_predict": 0})
    assert ("length", None) == (empty.done_reason, empty.eval_count)


def test_a_tool_that_is_named_is_called(local: ollama.Client) -> None:
    """The API cannot force a call; the emulator calls the tool that the last message names."""
    messages = [{"role": "user", "content": "Use weather"}]

    answer = chat(local, messages=messages, tools=TOOLS)

    (called,) = answer.message.tool_calls
    text = expected_answer("Use weather", seed=SEED)
    assert ("weather", {"city": text, "days": 1}) == (
        called.function.name,
        called.function.arguments,
    )
    assert ANSWER == chat(local, tools=TOOLS).message.content
    (streamed,) = [
        line.message.tool_calls[0]
        for line in chat(local, messages=messages, tools=TOOLS, stream=True)
        if line.message.tool_calls
    ]
    assert called == streamed


def test_structured_answers(local: ollama.Client) -> None:
    """A schema or the word `json` gives JSON that fits."""
    assert {"city": ANSWER, "days": 1} == json.loads(chat(local, format=SCHEMA).message.content)
    assert {"answer": ANSWER} == json.loads(chat(local, format="json").message.content)


def test_a_stream_is_the_answer_in_lines(local: ollama.Client) -> None:
    """All lines together are the answer; the last one is done and knows the cost."""
    lines = list(chat(local, model="qwen3", stream=True))

    assert THOUGHTS == "".join(line.message.thinking or "" for line in lines)
    assert ANSWER == "".join(line.message.content for line in lines)
    assert [False] * (len(lines) - 1) + [True] == [line.done for line in lines]
    assert [None] * (len(lines) - 1) == [line.eval_count for line in lines[:-1]]
    plain = chat(local, model="qwen3")
    last = lines[-1]
    counts = ("done_reason", "prompt_eval_count", "eval_count", "total_duration")
    assert [plain[name] for name in counts] == [last[name] for name in counts]


def test_a_streamed_generation(local: ollama.Client) -> None:
    """The same for a prompt."""
    lines = list(local.generate(MODEL, "Say hello", stream=True))

    assert (ANSWER, True) == ("".join(line.response for line in lines), lines[-1].done)


def test_both_stream_unless_they_are_told_not_to(wire: Any, server: Emulator) -> None:
    """Without `stream` the answer comes in lines."""
    reply = wire.send({"model": MODEL, "messages": USER}, "/api/chat", root="/ollama")

    assert "application/x-ndjson" == reply.headers["content-type"]
    assert json.loads(reply.body.splitlines()[-1])["done"]
    assert server.log()[0].stream


@pytest.mark.parametrize(("keep", "reason"), [(None, "load"), (0, "unload")])
def test_an_empty_prompt_loads_and_unloads(
    local: ollama.Client, keep: int | None, reason: str
) -> None:
    """Nothing is said, and no token is counted."""
    answer = local.generate(MODEL, keep_alive=keep)

    assert ("", reason, None) == (answer.response, answer.done_reason, answer.eval_count)
    assert reason == local.chat(MODEL, [], keep_alive=keep).done_reason


def test_embeddings(local: ollama.Client) -> None:
    """A vector for each text, in order; the tokens of all are counted together."""
    answer = local.embed("nomic-embed-text", ["one", "two three"], dimensions=16)

    expected = [list(expected_vector(text, 16, seed=SEED)) for text in ("one", "two three")]
    assert expected == answer.embeddings
    assert 3 == answer.prompt_eval_count
    assert 384 == len(local.embed("all-minilm", "one").embeddings[0])
    assert [] == local.embed("all-minilm", []).embeddings
    older = local.embeddings("all-minilm", "one")
    assert list(expected_vector("one", 384, seed=SEED)) == older.embedding


def test_what_is_too_long_is_cut(local: ollama.Client) -> None:
    """With `truncate=False` it is refused."""
    long = "word " * 300

    assert 256 == local.embed("all-minilm", [long]).prompt_eval_count
    with pytest.raises(ollama.ResponseError, match="exceeds the context length") as caught:
        local.embed("all-minilm", [long], truncate=False)
    assert 400 == caught.value.status_code


def test_models(local: ollama.Client) -> None:
    """All models with their details; one that is running; what one can do."""
    models = {model.model: model for model in local.list().models}

    details = models[f"{MODEL}:latest"].details
    assert details is not None
    assert ("llama", "Q4_K_M") == (details.family, details.quantization_level)
    assert [f"{MODEL}:latest"] == [model.model for model in local.ps().models]
    assert ["completion", "tools"] == local.show(MODEL).capabilities


def test_a_pull_reports_its_progress(local: ollama.Client) -> None:
    """From the manifest to success, and how much of it has come."""
    lines = list(local.pull("llama3.2", stream=True))

    assert ("pulling manifest", "success") == (lines[0].status, lines[-1].status)
    layers = [line for line in lines if line.completed]
    assert layers[-1].completed == layers[-1].total
    assert "success" == local.pull("llama3.2").status


def test_a_pull_of_nothing_fails(local: ollama.Client) -> None:
    """In a stream the error is a line, elsewhere a status."""
    with pytest.raises(ollama.ResponseError, match="file does not exist") as caught:
        list(local.pull("nonsense", stream=True))
    assert -1 == caught.value.status_code
    with pytest.raises(ollama.ResponseError, match="file does not exist") as caught:
        local.pull("nonsense")
    assert 500 == caught.value.status_code


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503, 529])
def test_the_sdk_raises_its_own_error(server: Emulator, local: ollama.Client, status: int) -> None:
    """The error is a text, and its status that of the answer."""
    server.script([f"{status}:message=gone fishing"])

    with pytest.raises(ollama.ResponseError) as caught:
        chat(local)

    assert (status, "gone fishing") == (caught.value.status_code, caught.value.error)


@pytest.mark.parametrize("after", [0, 2])
def test_an_error_inside_a_stream(server: Emulator, local: ollama.Client, after: int) -> None:
    """It is a line of its own, and the client raises it."""
    server.script([f"stream_error:after={after},message=out of memory"])

    with pytest.raises(ollama.ResponseError, match="out of memory"):
        list(chat(local, stream=True))
    assert after + 1 == server.log()[0].events


def test_a_key_is_known_and_not_needed(server: Emulator, wire: Any) -> None:
    """A local server answers everybody; the log says whose key it was."""
    keys = [f"Bearer {server.keys('ollama')['backup']}", "Bearer nonsense", None]

    for key in keys:
        headers = {"authorization": key}
        reply = wire.send(None, "/api/version", "GET", root="/ollama", headers=headers)
        assert (200, "0.33.0") == (reply.status, reply.json["version"])

    assert ["backup", None, None] == [record.key for record in server.log()]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/api/chat", {"messages": USER}, 400, "model is required"),
        ("/api/chat", {"model": "llama9"}, 404, "model 'llama9' not found"),
        ("/api/chat", {"model": "all-minilm"}, 400, '"all-minilm" does not support chat'),
        ("/api/chat", {"model": MODEL, "messages": "x"}, 400, "json: cannot unmarshal into Go"),
        ("/api/chat", {"model": MODEL, "messages": USER, "think": True}, 400, '"llama3.2" does'),
        ("/api/generate", {"model": MODEL, "prompt": 5}, 400, "json: cannot unmarshal into Go"),
        ("/api/embed", {"model": MODEL, "input": "x"}, 400, '"llama3.2" does not support emb'),
        ("/api/embed", {"model": "all-minilm", "input": {}}, 400, "json: cannot unmarshal"),
        ("/api/embed", b"nonsense", 400, "The body of the request is no JSON object."),
        ("/api/pull", {}, 400, "The body of the request is no JSON object."),
        ("/api/pull", {"stream": True}, 400, "model is required"),
        ("/api/show", {"model": "llama9"}, 404, "model 'llama9' not found"),
    ],
)
def test_bad_requests_are_refused(
    wire: Any, path: str, body: object, status: int, message: str
) -> None:
    """Status and text are those of the real server, also where a stream was asked for."""
    reply = wire.send(body, path, root="/ollama")

    assert (status, True) == (reply.status, reply.error.startswith(message))
    assert "application/json" == reply.headers["content-type"]


def test_a_tag_may_be_named(local: ollama.Client) -> None:
    """`latest` is the tag that is meant without one; parameters that nobody knows are ignored."""
    answer = chat(local, model=f"{MODEL}:latest")

    assert (ANSWER, f"{MODEL}:latest") == (answer.message.content, answer.model)


def test_routes_that_there_are_not(wire: Any) -> None:
    """Go's own texts, and no JSON."""
    missing = wire.send(None, "/api/songs", root="/ollama")
    wrong = wire.send(None, "/api/tags", root="/ollama")

    assert (404, b"404 page not found") == (missing.status, missing.body)
    assert (405, b"405 method not allowed") == (wrong.status, wrong.body)


def test_the_server_says_that_it_runs(wire: Any) -> None:
    """At its root, to GET and HEAD."""
    assert b"Ollama is running" == wire.send(None, "/", "GET", root="/ollama").body
    assert (200, b"") == (
        (reply := wire.send(None, "/", "HEAD", root="/ollama")).status,
        reply.body,
    )
