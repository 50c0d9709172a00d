"""Gemini: answers, streams, errors and messages, byte by byte and on the emulator."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from adapters import errors, gemini
from adapters._gemini_messages import as_contents, as_conversation
from adapters._messages import ToolCall, Usage
from adapters._results import Picture
from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.emulator.answers import count_tokens, expected_thoughts
from adapters.errors import AdapterError
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer, chunked, event_stream

MODEL = "gemini-2.5-flash"
EMBEDDER = "gemini-embedding-001"
ANSWER = expected_answer("Say hello", seed=7)
THOUGHTS = expected_thoughts("Say hello", seed=7)
COUNTS = {
    "promptTokenCount": 30,
    "toolUsePromptTokenCount": 4,
    "cachedContentTokenCount": 20,
    "candidatesTokenCount": 7,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 43,
}
USAGE = Usage(
    input_tokens=34, output_tokens=9, total_tokens=43, cached_tokens=20, reasoning_tokens=2
)
CALL = {"functionCall": {"id": "c1", "name": "look", "args": {"at": 1}}}


@pytest.fixture
def client(emulator: Emulator, make: Make) -> Any:
    """A client of the emulator that repeats nothing."""
    address = emulator.base_url("gemini")
    return make(gemini, keys=emulator.keys("gemini"), base_url=address, max_retries=0)


@pytest.fixture
def scripted(server: Recorder, make: Make) -> Any:
    """A client of the scripted server that repeats nothing."""
    return make(gemini, "AIza-x", base_url=server.url.removesuffix("/v1"), max_retries=0)


def candidate(*parts: Any, reason: str | None = None, index: int = 0) -> dict[str, Any]:
    """One candidate of these parts."""
    found: dict[str, Any] = {"index": index, "content": {"role": "model", "parts": list(parts)}}
    return found | ({"finishReason": reason} if reason else {})


def said(text: str, **more: Any) -> dict[str, Any]:
    """One chunk or answer of a single text."""
    return {"candidates": [candidate({"text": text}, **more)]}


def test_an_answer(server: Recorder, scripted: Any):
    """Text, thoughts, functions, pictures and usage are read apart; the id is in the body."""
    picture = {"inlineData": {"mimeType": "image/png", "data": b64encode(b"PNG").decode()}}
    parts = [{"text": "Hm", "thought": True}, {"text": "Hel"}, {"text": "lo"}, CALL, picture]
    body = {"candidates": [candidate(*parts, reason="STOP")], "usageMetadata": COUNTS}
    server.play(answer({**body, "modelVersion": "m", "responseId": "r1"}))

    found = scripted.generate(MODEL, "Hi")

    assert ("Hello", ("Hello",), "Hm") == (found.text, found.texts, found.reasoning)
    assert (ToolCall("c1", "look", '{"at": 1}'),) == found.tool_calls
    assert (Picture(b"PNG", "image/png"),) == found.pictures
    assert (USAGE, "tool_calls", "m") == (found.usage, found.finish_reason, found.model)
    assert "r1" == found.server_request_id


def test_candidates_are_in_the_order_of_their_index(server: Recorder, scripted: Any):
    """The first is that of index 0, which the API may leave out."""
    first = candidate({"text": "a"}, reason="STOP")
    del first["index"]
    second = candidate({"text": "b"}, reason="SAFETY", index=1)
    server.play(answer({"candidates": [second, first]}))
    found = scripted.generate(MODEL, "Hi")

    assert ("a", "b") == found.texts
    assert ("stop", "content_filter") == found.finish_reasons


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        ("stop", "STOP"),
        ("length", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
        ("content_filter", "RECITATION"),
        ("MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
        (None, None),
    ],
)
def test_finish_reasons_have_one_vocabulary(
    server: Recorder, scripted: Any, expected: str | None, reason: str | None
):
    """Words of Gemini are translated; one that has no counterpart stays. No content is no error."""
    found: dict[str, Any] = {"index": 0, **({"finishReason": reason} if reason else {})}
    server.play(answer({"candidates": [found]}))

    answered = scripted.generate(MODEL, "Hi")

    assert ("", expected) == (answered.text, answered.finish_reason)


@pytest.mark.parametrize(
    ("feedback", "why"),
    [
        ({"blockReason": "SAFETY"}, "SAFETY"),
        ({"blockReason": "OTHER", "blockReasonMessage": "No."}, "No."),
    ],
)
def test_a_blocked_prompt_is_an_answer(
    server: Recorder, scripted: Any, feedback: dict[str, str], why: str
):
    """It has no text, and says why; in a stream as well."""
    body = {"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 3}}
    server.play(answer(body), event_stream(body))

    found = scripted.generate(MODEL, "Hi")
    with scripted.stream_generate(MODEL, "Hi") as stream:
        list(stream)

    assert ("", (), why, "content_filter") == (
        found.text,
        found.texts,
        found.refusal,
        found.finish_reason,
    )
    assert ("content_filter", 3) == (stream.finish_reason, stream.usage.input_tokens)


@pytest.mark.parametrize(
    "body", [{}, {"candidates": []}, {"candidates": [5]}, {"promptFeedback": {}}, [], 5]
)
def test_an_answer_of_another_form_is_refused(server: Recorder, scripted: Any, body: Any):
    """What has neither candidate nor reason is an error, not a guess."""
    server.play(answer(body))

    with pytest.raises(errors.InvalidResponseError):
        scripted.generate(MODEL, "Hi")


def test_a_stream(server: Recorder, scripted: Any):
    """Pieces of thoughts, text and functions; the last usage counts, and is not added up."""
    parts = [{"text": "Hm", "thought": True}, {"text": "Hello"}, CALL, CALL]
    chunks: list[Any] = [
        {"candidates": [candidate(part)], "usageMetadata": {"promptTokenCount": 30}}
        for part in parts
    ]
    last = {"candidates": [candidate({"text": ""}, reason="STOP")], "usageMetadata": COUNTS}
    server.play(event_stream(*chunks, {**last, "modelVersion": "m", "responseId": "r1"}))

    with scripted.stream_generate(MODEL, "Hi") as stream:
        list(stream)

    assert ("Hello", "Hm", "m", "r1") == (
        stream.text,
        stream.reasoning,
        stream.model,
        stream.server_request_id,
    )
    arguments = '{"at": 1}'
    calls = (ToolCall("c1", "look", arguments, 0), ToolCall("c1", "look", arguments, 1))
    assert (calls, USAGE, "tool_calls") == (stream.tool_calls, stream.usage, stream.finish_reason)


def test_a_stream_is_complete_when_all_candidates_are(server: Recorder, scripted: Any):
    """One that has ended does not end the others, and news may still follow."""
    one = {"candidates": [candidate({"text": "a"}), candidate({"text": "b"}, index=1)]}
    ends = [{"candidates": [candidate(reason="STOP", index=index)]} for index in (1, 0)]
    server.play(
        event_stream(one, *ends, {"usageMetadata": COUNTS}),
        event_stream(one, ends[0]),
    )

    with scripted.stream_generate(MODEL, "Hi") as stream:
        list(stream)
    with pytest.raises(errors.StreamInterruptedError), scripted.stream(MODEL, "Hi") as cut:
        list(cut)

    assert (("a", "b"), USAGE) == (stream.texts, stream.usage)


FAILED = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    "failed",
    [
        f"data: {json.dumps(FAILED)}\r\n\r\n",
        f"{json.dumps(FAILED, indent=2)}\n",
        json.dumps([FAILED], indent=2).replace("\n", "\r\n") + "\r\n\r\n",
    ],
    ids=["framed", "bare", "in a list"],
)
def test_an_error_in_the_middle_comes_with_and_without_its_frame(
    server: Recorder, scripted: Any, failed: str
):
    """What came is in the error, and what went wrong is its cause."""
    begun = f"data: {json.dumps(said('Hel'))}\r\n\r\n"
    server.play(chunked(begun.encode(), failed.encode()))

    with pytest.raises(errors.StreamInterruptedError) as caught, scripted.stream(MODEL, "Hi") as s:
        list(s)

    assert "Hel" == caught.value.partial
    assert isinstance(caught.value.__cause__, errors.OverloadedError)


def test_lines_end_where_the_standard_says(server: Recorder, scripted: Any):
    """Characters that some call line ends stand in the text as they are."""
    text = "a\u2028b\u2029c\u0085d"
    chunk = json.dumps(said(text, reason="STOP"), ensure_ascii=False)
    server.play(chunked(f"data: {chunk}\r\n\r\n".encode()))

    with scripted.stream(MODEL, "Hi") as stream:
        list(stream)

    assert text == stream.text


def test_a_stream_without_a_reason_was_cut(server: Recorder, scripted: Any):
    """There is no end marker: the reason is what shows that all has come."""
    server.play(event_stream(said("Hel")))

    with pytest.raises(errors.StreamInterruptedError) as caught, scripted.stream(MODEL, "Hi") as s:
        list(s)

    assert isinstance(caught.value.__cause__, errors.ConnectionFailedError)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a", [{"role": "user", "parts": [{"text": "a"}]}]),
        (["a", {"text": "b"}], [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]),
        ({"parts": [1]}, [{"parts": [1]}]),
        (
            ["a", {"role": "model", "parts": []}, "b"],
            [
                {"role": "user", "parts": [{"text": "a"}]},
                {"role": "model", "parts": []},
                {"role": "user", "parts": [{"text": "b"}]},
            ],
        ),
        ([], []),
    ],
)
def test_contents_have_many_forms(given: Any, expected: Any):
    """Texts and parts that stand side by side are one message of the user."""
    assert expected == as_contents(given)


def test_a_conversation_is_translated():
    """Roles, the system's messages, calls of tools, their results and pictures."""
    function = {"name": "look", "arguments": '{"at": 1}'}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "parts": [{"text": "native"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "function": function}]},
        {"role": "tool", "tool_call_id": "c1", "content": "here"},
        {"role": "user", "content": ["plain", {"fileData": {"fileUri": "x"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y"}}]},
    ]

    found = as_conversation(messages)

    assert {"parts": [{"text": "Be brief."}]} == found["systemInstruction"]
    result = {"id": "c1", "name": "look", "response": {"result": "here"}}
    assert [
        {"role": "user", "parts": [{"text": "native"}]},
        {"role": "model", "parts": [CALL]},
        {"role": "user", "parts": [{"functionResponse": result}]},
        {"role": "user", "parts": [{"text": "plain"}, {"fileData": {"fileUri": "x"}}]},
        {"role": "user", "parts": [{"fileData": {"fileUri": "https://x/y"}}]},
    ] == found["contents"]


@pytest.mark.parametrize("messages", [None, 5, ["Say hello"], {"role": "user"}], ids=repr)
def test_what_is_no_conversation_is_refused(messages: Any):
    """At the call, and not by the translation."""
    with pytest.raises(errors.SettingsError, match="messages must be a text, or a list of mess"):
        as_conversation(messages)


def test_arguments_that_are_no_json_are_refused():
    """The API wants an object, and a broken text cannot become one."""
    calls = [{"id": "c1", "function": {"name": "look", "arguments": "{at: 1"}}]

    with pytest.raises(errors.SettingsError, match="arguments of their tool calls"):
        as_conversation([{"role": "assistant", "tool_calls": calls}])


def test_a_part_that_cannot_be_translated_is_refused():
    """Nothing is dropped in silence."""
    part = {"type": "input_audio", "input_audio": {}}

    with pytest.raises(errors.SettingsError, match="input_audio"):
        as_conversation([{"role": "user", "content": [part]}])


@pytest.mark.parametrize("operation", ["generate", "chat"])
def test_an_answer_on_the_emulator(client: Any, emulator: Emulator, operation: str):
    """The answer belongs to its prompt, and its cost is told."""
    shown = {"thinkingConfig": {"includeThoughts": True}}

    found = getattr(client, operation)(MODEL, "Say hello", generationConfig=shown)

    assert (ANSWER, THOUGHTS, "stop") == (found.text, found.reasoning, found.finish_reason)
    assert 32 + count_tokens(ANSWER) == found.usage.output_tokens
    assert found.usage.input_tokens + found.usage.output_tokens == found.usage.total_tokens
    assert emulator.log()[0].request_id == found.server_request_id


@pytest.mark.parametrize("operation", ["stream_generate", "stream"])
def test_a_stream_on_the_emulator_is_the_whole_answer(client: Any, operation: str):
    """Everything that a plain answer has, a stream has in the end."""
    shown = {"thinkingConfig": {"includeThoughts": True}}
    whole = client.generate(MODEL, "Say hello", generationConfig=shown)

    with getattr(client, operation)(MODEL, "Say hello", generationConfig=shown) as stream:
        list(stream)

    assert (whole.text, whole.reasoning) == (stream.text, stream.reasoning)
    assert (whole.usage, whole.finish_reason) == (stream.usage, stream.finish_reason)


def test_a_model_draws(client: Any):
    """The picture comes as bytes beside the text."""
    found = client.generate("gemini-2.5-flash-image", "Say hello")

    assert ANSWER == found.text
    assert found.pictures[0].data.startswith(b"\x89PNG")


def test_a_long_list_is_embedded_in_parts(client: Any, emulator: Emulator):
    """A hundred inputs at a time, in order; a vector for each text, also with newer models."""
    texts = [str(number) for number in range(201)]

    found = client.embed("gemini-embedding-2", texts, outputDimensionality=8)

    assert [list(expected_vector(text, 8, seed=7)) for text in texts] == found.vectors
    assert (201, 3, 3) == (found.usage.input_tokens, found.attempts, len(emulator.log()))


def test_single_inputs(client: Any):
    """A text alone is one input, and so is one content."""
    content = {"parts": [{"text": "a"}, {"text": "b"}]}

    assert [list(expected_vector("a", 3072, seed=7))] == client.embed(EMBEDDER, "a").vectors
    assert [list(expected_vector("a\nb", 3072, seed=7))] == client.embed(EMBEDDER, content).vectors


def test_vectors_that_do_not_fit_the_inputs_are_refused(server: Recorder, scripted: Any):
    """One vector for two texts is an error: nobody could tell whose it is."""
    server.play(answer({"embeddings": [{"values": [1]}]}))

    with pytest.raises(errors.InvalidResponseError, match="1 vectors for 2 inputs"):
        scripted.embed(EMBEDDER, ["a", "b"])


def test_tokens(client: Any):
    """Options such as the system instruction are counted as well."""
    plain = client.count_tokens(MODEL, "Say hello")
    system = {"parts": [{"text": "Be kind"}]}
    more = client.count_tokens(MODEL, "Say hello", systemInstruction=system)

    assert (3, 5) == (plain.input_tokens, more.input_tokens)
    whole = client.generate(MODEL, "Say hello", systemInstruction=system)
    assert whole.usage.input_tokens == more.input_tokens


def test_models_come_from_all_pages(client: Any, monkeypatch):
    """Their names are those that the other operations take."""
    monkeypatch.setattr("adapters._gemini_requests._PAGE", 4)

    found = client.models()

    assert MODEL in found
    assert (9, 3, 3) == (len(set(found)), len(found.raw), found.attempts)


@pytest.mark.parametrize(
    ("spec", "cls", "retryable"),
    [
        ("400", errors.BadRequestError, False),
        ("400:code=API_KEY_INVALID", errors.AuthenticationError, False),
        ("400:code=API_KEY_EXPIRED", errors.AuthenticationError, False),
        ("400:code=FAILED_PRECONDITION", errors.BadRequestError, False),
        ("401", errors.AuthenticationError, False),
        ("402", errors.QuotaExceededError, False),
        ("403", errors.PermissionDeniedError, False),
        ("404", errors.NotFoundError, False),
        ("429", errors.RateLimitError, True),
        ("429:retry_after=35625", errors.RateLimitError, True),
        ("quota", errors.QuotaExceededError, False),
        ("quota:retry_after=35625", errors.RateLimitError, True),
        ("499", AdapterError, False),
        ("500", errors.ServerError, True),
        ("503", errors.OverloadedError, True),
        ("504", errors.ServerError, True),
        ("error_in_200:status=429", errors.RateLimitError, True),
        ("error_in_200:status=403", errors.PermissionDeniedError, False),
    ],
)
def test_errors(
    client: Any, emulator: Emulator, spec: str, cls: type[AdapterError], retryable: bool
):
    """Every row of the API's table, and whether another attempt makes sense."""
    emulator.script([spec])

    with pytest.raises(AdapterError) as caught:
        client.generate(MODEL, "Hi")

    assert (cls, retryable) == (type(caught.value), caught.value.retryable)
    assert "gemini" == caught.value.provider


@pytest.mark.parametrize("value", ["0", 0])
def test_a_quota_of_nothing_is_no_rate_limit(server: Recorder, scripted: Any, value: Any):
    """No waiting mends it, whatever the body says about waiting."""
    violation = {"quotaId": "GenerateRequestsPerDay", "quotaValue": value}
    details = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]},
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "30s"},
    ]
    error = {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": details}
    server.play(answer({"error": error}, status=429))

    with pytest.raises(errors.QuotaExceededError) as caught:
        scripted.generate(MODEL, "Hi")

    assert "quota_of_zero" == caught.value.code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": 429, "status": "RESOURCE_EXHAUSTED"}, "RESOURCE_EXHAUSTED"),
        ({"code": "invalid_request", "message": "m"}, "invalid_request"),
        ({"code": 400, "details": "odd", "status": "X"}, "X"),
        ({"code": 400, "details": [5, {"violations": 5}], "status": "X"}, "X"),
    ],
)
def test_codes_of_all_forms(server: Recorder, scripted: Any, error: dict[str, Any], code: str):
    """The reason where there is one, else the status, or the code of the newer interface."""
    server.play(answer([{"error": error}], status=400))

    with pytest.raises(errors.BadRequestError) as caught:
        scripted.generate(MODEL, "Hi")

    assert code == caught.value.code


def test_the_time_to_wait_is_read_from_the_body(client: Any, emulator: Emulator):
    """There is no header: `RetryInfo` says how long."""
    emulator.script(["429:retry_after=1000.5"])

    with pytest.raises(errors.RateLimitError) as caught:
        client.generate(MODEL, "Hi")

    assert caught.value.retry_after is not None
    assert 900 < caught.value.retry_after <= 1000.5


@pytest.mark.parametrize(
    ("operation", "instead"), [("generate", "stream_generate()"), ("chat", "stream()")]
)
def test_streams_are_operations_of_their_own(client: Any, operation: str, instead: str):
    """`stream=True` for a whole answer is refused, and nothing is sent."""
    with pytest.raises(errors.SettingsError) as caught:
        getattr(client, operation)(MODEL, "Hi", stream=True)

    assert instead in str(caught.value)


def test_no_key_names_both_variables(make: Make):
    """Without a key nothing is sent."""
    with pytest.raises(errors.MissingKeyError, match=r"GOOGLE_API_KEY.*GEMINI_API_KEY"):
        make(gemini)


def test_a_key_never_stands_in_an_address(server: Recorder, scripted: Any):
    """It goes in a header."""
    server.play(answer(said("Hi", reason="STOP")))

    scripted.generate(MODEL, "Hi")

    (request,) = server.requests
    assert ("AIza-x", False) == (request.headers["x-goog-api-key"], "AIza" in request.target)


def test_the_functions_of_the_module(emulator: Emulator, monkeypatch):
    """They use one client, made of the environment."""
    monkeypatch.setenv("GEMINI_API_KEY", emulator.keys("gemini")["backup"])
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", emulator.base_url("gemini"))
    gemini.configure(max_retries=0)

    assert ANSWER == gemini.chat(MODEL, "Say hello").text
    assert ["backup"] == [record.key for record in emulator.log()]


def test_a_list_that_never_ends_is_refused(server: Recorder, scripted: Any):
    """A page that leads back to one that was there is an error, and no endless loop."""
    server.play(answer({"models": [{"name": "models/a"}], "nextPageToken": "1"}))

    with pytest.raises(errors.InvalidResponseError, match="circles"):
        scripted.models()

    assert 2 == len(server.requests)
