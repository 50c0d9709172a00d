"""Groq's own client is the judge: what the emulator answers parses into its types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import groq
import openai
import pytest
from groq.types.chat import ChatCompletion

from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.emulator.answers import count_tokens, expected_thoughts
from adapters.emulator.openai_style.transcriptions import heard

from .conftest import SEED

MODEL = "llama-3.1-8b-instant"
THINKER = "openai/gpt-oss-20b"
USER = [{"role": "user", "content": "Say hello"}]
ANSWER = expected_answer("Say hello", seed=SEED)
THOUGHTS = expected_thoughts("Say hello", seed=SEED)
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
# Every byte, and both ends of a line at the end: a form must bring all of it.
SOUND = bytes(range(256)) * 3 + b"\r\n\n\r"


@pytest.fixture
def client(server: Emulator) -> Iterator[groq.Groq]:
    """The vendor's client, which does not repeat anything; its base URL has no version."""
    with groq.Groq(
        api_key=server.keys("groq")["production"],
        base_url=server.base_url("groq").removesuffix("/openai/v1"),
        max_retries=0,
        timeout=20,
    ) as found:
        yield found


def chat(client: groq.Groq, **more: Any) -> Any:
    """Ask for a chat completion."""
    return client.chat.completions.create(**{"model": MODEL, "messages": USER, **more})


def test_a_chat(client: groq.Groq, server: Emulator) -> None:
    """An answer belongs to its prompt, says what it cost, how long it took, and its id."""
    answer = chat(client)

    assert isinstance(answer, ChatCompletion)
    choice, usage = answer.choices[0], answer.usage
    assert (ANSWER, "stop") == (choice.message.content, choice.finish_reason)
    assert usage is not None
    assert (6, count_tokens(ANSWER)) == (usage.prompt_tokens, usage.completion_tokens)
    assert usage.total_time is not None
    assert usage.total_time > 0
    assert server.log()[0].request_id == answer.x_groq.id
    assert (MODEL, "production") == (server.log()[0].model, server.log()[0].key)


@pytest.mark.parametrize(
    ("more", "reasoning", "content"),
    [
        ({}, THOUGHTS, ANSWER),
        ({"reasoning_format": "parsed"}, THOUGHTS, ANSWER),
        ({"reasoning_format": "hidden"}, None, ANSWER),
        ({"include_reasoning": False}, None, ANSWER),
        ({"reasoning_format": "raw"}, None, f"<think>\n{THOUGHTS}\n</think>\n{ANSWER}"),
        ({"reasoning_effort": "none"}, None, ANSWER),
    ],
)
def test_reasoning(client: groq.Groq, more: Any, reasoning: str | None, content: str) -> None:
    """It stands beside the text, in it, or nowhere; a stream gives the same."""
    answer = chat(client, model=THINKER, **more)
    chunks = list(chat(client, model=THINKER, stream=True, **more))

    message = answer.choices[0].message
    assert (reasoning, content) == (message.reasoning, message.content)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert (reasoning or "") == "".join(delta.reasoning or "" for delta in deltas)
    assert content == "".join(delta.content or "" for delta in deltas)
    thoughts = 0 if "reasoning_effort" in more else 32
    usage = answer.usage
    assert thoughts == usage.completion_tokens_details.reasoning_tokens
    assert thoughts + count_tokens(ANSWER) == usage.completion_tokens


def test_a_stream_always_ends_with_its_usage(client: groq.Groq, server: Emulator) -> None:
    """It stands in `x_groq`, and on request in a chunk of its own as well."""
    options = {"stream_options": {"include_usage": True}}
    chunks = list(chat(client, stream=True, extra_body=options))
    plain = chat(client)

    assert ANSWER == "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert server.log()[0].request_id == chunks[0].x_groq.id == chunks[-2].x_groq.id
    assert plain.usage == chunks[-2].x_groq.usage == chunks[-1].usage
    assert [] == chunks[-1].choices
    assert chunks[0].x_groq.usage is None
    assert all(chunk.choices for chunk in chat(client, stream=True))


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "weather"}}]
)
def test_a_required_tool_is_called(client: groq.Groq, choice: Any) -> None:
    """However it was asked for, the answer ends with `tool_calls`."""
    answer = chat(client, tools=TOOLS, tool_choice=choice).choices[0]

    (called,) = answer.message.tool_calls
    assert {"city": ANSWER} == json.loads(called.function.arguments)
    assert "tool_calls" == answer.finish_reason


def test_limits_cut_an_answer(client: groq.Groq) -> None:
    """A model that reasons takes the older name of the limit as well."""
    assert "length" == chat(client, max_tokens=3).choices[0].finish_reason
    assert "length" == chat(client, model=THINKER, max_tokens=3).choices[0].finish_reason


def test_models(client: groq.Groq) -> None:
    """Each says how much it takes at once."""
    models = {model.id: model for model in client.models.list().data}

    assert 131_072 == models[MODEL].context_window
    assert THINKER == client.models.retrieve(THINKER).id


def test_embeddings(client: groq.Groq) -> None:
    """A vector for each text."""
    answer = client.embeddings.create(model="nomic-embed-text-v1_5", input=["a", "b"])

    assert [list(expected_vector(text, 768, seed=SEED)) for text in "ab"] == [
        each.embedding for each in answer.data
    ]


@pytest.mark.parametrize("sound", [SOUND, b"x", b"\r\n", b"--\r\nContent-Type: x"])
def test_a_transcription_belongs_to_its_sound(
    client: groq.Groq, server: Emulator, sound: bytes
) -> None:
    """All bytes of the file count, however they look in a form."""
    answer = client.audio.transcriptions.create(model="whisper-large-v3", file=("a.mp3", sound))

    assert heard(sound, seed=SEED) == answer.text
    assert "whisper-large-v3" == server.log()[0].model


def test_forms_of_a_transcription(client: groq.Groq) -> None:
    """As a text, with details, from an address, translated."""
    ask: Any = client.audio.transcriptions.create
    model = "whisper-large-v3-turbo"

    text = heard(SOUND, seed=SEED)
    plain = ask(model=model, file=("a.mp3", SOUND), response_format="text")
    assert f"{text}\n" == plain
    long = ask(
        model=model,
        file=("a.mp3", SOUND),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert (text, "transcribe") == (long.segments[0]["text"], long.task)
    there = "https://example.org/a.mp3"
    assert heard(there.encode(), seed=SEED) == ask(model=model, url=there).text
    translated = client.audio.translations.create(model="whisper-large-v3", file=("a.mp3", SOUND))
    assert text == translated.text


@pytest.mark.parametrize(
    ("model", "kind"), [("whisper-1", "duration"), ("gpt-4o-transcribe", "tokens")]
)
def test_openai_transcribes_as_well(server: Emulator, model: str, kind: str) -> None:
    """There the answer says what it cost, by the second or by tokens."""
    with openai.OpenAI(
        api_key=server.keys()["production"], base_url=server.base_url(), max_retries=0
    ) as vendor:
        answer: Any = vendor.audio.transcriptions.create(model=model, file=("a.mp3", SOUND))

    assert (heard(SOUND, seed=SEED), kind) == (answer.text, answer.usage.type)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "you must provide a model parameter"),
        (b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-9\r\n--x--', "The m"),
        (b'--x\r\nContent-Disposition: form-data; name="mood"\r\n\r\ngood\r\n--x--', "Unknown par"),
        (
            b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-large-v3\r\n--x--',
            "one of file or url must be provided",
        ),
    ],
)
def test_bad_forms_are_refused(wire: Any, server: Emulator, body: bytes, message: str) -> None:
    """A model that there is, a sound, and nothing else."""
    headers = {
        "authorization": f"Bearer {server.keys('groq')['production']}",
        "content-type": "multipart/form-data; boundary=x",
    }

    reply = wire.send(body, "/audio/transcriptions", root="/groq/openai/v1", headers=headers)

    assert reply.status in {400, 404}
    assert reply.error["message"].startswith(message)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"n": 2}, "n"),
        ({"reasoning_effort": "xhigh"}, "reasoning_effort"),
        ({"verbosity": "low"}, "verbosity"),
        ({"reasoning_format": "raw", "include_reasoning": True}, "reasoning_format"),
        ({"messages": []}, "messages"),
    ],
)
def test_bad_chats_are_refused(client: groq.Groq, change: Any, param: str) -> None:
    """One answer only, no parameter of OpenAI's that Groq has not."""
    given = {"model": MODEL, "messages": USER, **change}

    with pytest.raises(groq.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=[], extra_body=given)

    body: Any = caught.value.body
    assert ("invalid_request_error", param) == (body["error"]["type"], body["error"]["param"])


@pytest.mark.parametrize(
    ("spec", "error", "code"),
    [
        ("400:code=context_length_exceeded", groq.BadRequestError, "context_length_exceeded"),
        ("401", groq.AuthenticationError, "invalid_api_key"),
        ("403", groq.PermissionDeniedError, "permission_denied"),
        ("413", groq.APIStatusError, "request_too_large"),
        ("422", groq.UnprocessableEntityError, "unprocessable_entity"),
        ("429", groq.RateLimitError, "rate_limit_exceeded"),
        ("498", groq.APIStatusError, "capacity_exceeded"),
        ("500", groq.InternalServerError, None),
        ("503", groq.InternalServerError, "service_unavailable"),
        ("529", groq.InternalServerError, None),
    ],
)
def test_the_sdk_raises_its_own_errors(
    server: Emulator, client: groq.Groq, spec: str, error: type[Exception], code: str | None
) -> None:
    """Status and code are those of the real API; what there is not is left out."""
    server.script([spec])

    with pytest.raises(error) as caught:
        chat(client)

    body: Any = caught.value.body
    assert code == body["error"].get("code")
    assert "param" not in body["error"]


def test_a_limit_says_how_long_in_three_places(server: Emulator, client: groq.Groq) -> None:
    """`retry-after`, the header of the day's requests, and the message."""
    server.script(["limit:requests=1,window=1000"])
    chat(client)

    with pytest.raises(groq.RateLimitError, match=r"try again in 16m\d") as caught:
        chat(client)

    headers = caught.value.response.headers
    assert 900 < int(headers["retry-after"]) <= 1000
    assert "0" == headers["x-ratelimit-remaining-requests"]
    assert headers["x-ratelimit-reset-requests"].startswith("16m")


@pytest.mark.parametrize("after", [0, 2])
def test_an_error_inside_a_stream(server: Emulator, client: groq.Groq, after: int) -> None:
    """An event that is an error is raised by the client."""
    server.script([f"stream_error:after={after}"])

    with pytest.raises(groq.APIError, match="Internal Server Error"):
        list(chat(client, stream=True))


def test_a_soft_error_inside_a_stream(server: Emulator, client: groq.Groq) -> None:
    """A chunk says that the model has stopped early; the client takes it for one of many."""
    server.script(["stream_error:after=2,code=soft"])

    chunks = list(chat(client, stream=True))

    assert ([], "over capacity") == (chunks[-1].choices, chunks[-1].x_groq.error)


def test_an_error_inside_a_200(server: Emulator, wire: Any) -> None:
    """Status 200 and an error for a body."""
    server.script(["error_in_200:status=503"])
    headers = {"authorization": f"Bearer {server.keys('groq')['production']}"}

    reply = wire.send(
        {"model": MODEL, "messages": USER},
        root="/groq/openai/v1",
        headers=headers,
    )

    assert (200, "service_unavailable") == (reply.status, reply.error["code"])
