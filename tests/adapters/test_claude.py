"""Claude: answers, streams, errors and the environment, byte by byte and on the emulator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters import claude, errors
from adapters._messages import ToolCall, Usage
from adapters.emulator import Emulator, expected_answer
from adapters.emulator.answers import count_tokens, expected_thoughts
from adapters.errors import AdapterError
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer, chunked

MODEL = "claude-sonnet-5-5"
ANSWER = expected_answer("Say hello", seed=7)
THOUGHTS = expected_thoughts("Say hello", seed=7)
TOOLS = [
    {
        "name": "look",
        "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}},
    }
]
COUNTS = {
    "input_tokens": 5,
    "cache_read_input_tokens": 30,
    "cache_creation_input_tokens": 10,
    "output_tokens": 7,
    "output_tokens_details": {"thinking_tokens": 2},
}
USAGE = Usage(
    input_tokens=45,
    output_tokens=7,
    total_tokens=52,
    cached_tokens=30,
    cache_write_tokens=10,
    reasoning_tokens=2,
)


@pytest.fixture
def client(emulator: Emulator, make: Make) -> Any:
    """A client of the emulator that repeats nothing."""
    address = emulator.base_url("claude")
    return make(claude, keys=emulator.keys("claude"), base_url=address, max_retries=0)


@pytest.fixture
def scripted(server: Recorder, make: Make) -> Any:
    """A client of the scripted server that repeats nothing."""
    return make(claude, "sk-ant-x", base_url=server.url.removesuffix("/v1"), max_retries=0)


def message(*blocks: dict[str, Any], reason: str | None = "end_turn", **more: Any) -> bytes:
    """The answer with these blocks."""
    body = {"type": "message", "model": "m", "content": list(blocks), "stop_reason": reason}
    return answer({**body, **more}, headers={"request-id": "req_server"})


def events(*parts: dict[str, Any], end: bool = True) -> list[bytes]:
    """A stream of these events, each with its type as a name."""
    ended = [*parts, {"type": "message_stop"}] if end else parts
    return chunked(
        *(f"event: {part['type']}\ndata: {json.dumps(part)}\n\n".encode() for part in ended)
    )


def start(**counts: Any) -> dict[str, Any]:
    """The first event."""
    return {"type": "message_start", "message": {"model": "m", "usage": counts}}


def block(index: int, **fields: Any) -> dict[str, Any]:
    """The beginning of a block."""
    return {"type": "content_block_start", "index": index, "content_block": fields}


def delta(index: int, **fields: Any) -> dict[str, Any]:
    """A piece of a block."""
    return {"type": "content_block_delta", "index": index, "delta": fields}


def stop(index: int) -> dict[str, Any]:
    """The end of a block."""
    return {"type": "content_block_stop", "index": index}


def last(reason: str = "end_turn", **counts: Any) -> dict[str, Any]:
    """The last event but one."""
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": counts}


TEXT = delta(0, type="text_delta", text="Hel")
FAILED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def test_a_message(server: Recorder, scripted: Any):
    """Text, thoughts, tools and usage are read apart; the id of the server is in a header."""
    server.play(
        message(
            {"type": "thinking", "thinking": "Hm", "signature": "x"},
            {"type": "text", "text": "Hel"},
            {"type": "text", "text": "lo"},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "ä"}},
            {"type": "not_yet_invented"},
            reason="tool_use",
            usage=COUNTS,
        )
    )

    found = scripted.chat(MODEL, "Hi")

    assert ("Hello", ("Hello",), "Hm") == (found.text, found.texts, found.reasoning)
    assert (ToolCall("toolu_1", "look", '{"at": "\\u00e4"}'),) == found.tool_calls
    assert (USAGE, "tool_calls", "m") == (found.usage, found.finish_reason, found.model)
    assert "req_server" == found.server_request_id


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        ("stop", "end_turn"),
        ("stop", "stop_sequence"),
        ("length", "max_tokens"),
        ("length", "model_context_window_exceeded"),
        ("tool_calls", "tool_use"),
        ("content_filter", "refusal"),
        ("pause_turn", "pause_turn"),
        (None, None),
    ],
)
def test_finish_reasons_have_one_vocabulary(
    server: Recorder, scripted: Any, expected: str | None, reason: str | None
):
    """Words of Claude are translated; one that has no counterpart stays."""
    server.play(message({"type": "text", "text": "x"}, reason=reason))

    assert expected == scripted.chat(MODEL, "Hi").finish_reason


def test_a_refusal_is_told(server: Recorder, scripted: Any):
    """It comes with status 200, and says why."""
    details = {"type": "refusal", "category": "c", "explanation": "No."}
    server.play(message(reason="refusal", stop_details=details))

    found = scripted.chat(MODEL, "Hi")

    assert ("", "No.", "content_filter") == (found.text, found.refusal, found.finish_reason)


@pytest.mark.parametrize(
    "body", [{}, {"content": None}, {"content": [{}]}, {"content": [{"type": "text"}]}, [], None]
)
def test_an_answer_of_another_form_is_refused(server: Recorder, scripted: Any, body: Any):
    """What is no message is an error, not a guess."""
    server.play(answer(body))

    with pytest.raises(errors.InvalidResponseError):
        scripted.chat(MODEL, "Hi")


def test_a_stream(server: Recorder, scripted: Any):
    """Pieces of text, of thoughts and of tools; usage is that of the beginning and the end."""
    server.play(
        events(
            start(input_tokens=5, cache_read_input_tokens=30, output_tokens=1),
            {"type": "ping"},
            block(0, type="thinking", thinking="", signature=""),
            delta(0, type="thinking_delta", thinking="Hm"),
            delta(0, type="signature_delta", signature="x"),
            stop(0),
            {"type": "not_yet_invented"},
            block(1, type="text", text=""),
            delta(1, type="text_delta", text="Hello"),
            stop(1),
            block(2, type="tool_use", id="toolu_1", name="look", input={}),
            delta(2, type="input_json_delta", partial_json=""),
            delta(2, type="input_json_delta", partial_json='{"at":'),
            delta(2, type="input_json_delta", partial_json="1}"),
            stop(2),
            block(3, type="tool_use", id="toolu_2", name="stop", input={}),
            stop(3),
            last(
                "tool_use",
                input_tokens=None,
                cache_creation_input_tokens=10,
                output_tokens=7,
                output_tokens_details={"thinking_tokens": 2},
            ),
        )
    )

    with scripted.stream(MODEL, "Hi") as stream:
        found = list(stream)

    assert ("Hello", "Hm", "m") == (stream.text, stream.reasoning, stream.model)
    calls = (ToolCall("toolu_1", "look", '{"at":1}', 0), ToolCall("toolu_2", "stop", "{}", 1))
    assert calls == stream.tool_calls
    assert (USAGE, "tool_calls") == (stream.usage, stream.finish_reason)
    assert ["message_start", "content_block_start", "content_block_delta"] == [
        event.event for event in found[:3]
    ]


@pytest.mark.parametrize("before", [[], [start()], [start(), block(0, type="text", text="")]])
def test_a_stream_that_has_said_nothing_is_tried_again(
    server: Recorder, make: Make, before: list[Any]
):
    """An overloaded server fails after its first events; no word has been given away yet."""
    good = events(start(), TEXT, last())
    server.play(events(*before, FAILED, end=False), good)
    host = server.url.removesuffix("/v1")
    client = make(claude, "sk-ant-x", base_url=host, initial_retry_delay=0)

    with client.stream(MODEL, "Hi") as stream:
        names = [event.event for event in stream]

    assert ("Hel", 2) == (stream.text, len(server.requests))
    assert ["message_start", "content_block_delta", "message_delta"] == names


def test_an_error_after_the_first_word_interrupts(server: Recorder, scripted: Any):
    """What came is in the error, and what went wrong is its cause."""
    server.play(events(start(), TEXT, FAILED, end=False))

    with pytest.raises(errors.StreamInterruptedError) as caught, scripted.stream(MODEL, "Hi") as s:
        list(s)

    assert "Hel" == caught.value.partial
    assert isinstance(caught.value.__cause__, errors.OverloadedError)


def test_a_stream_without_its_end_was_cut(server: Recorder, scripted: Any):
    """Without `message_stop` nobody knows whether the answer is whole."""
    server.play(events(start(), TEXT, last(), end=False))

    with pytest.raises(errors.StreamInterruptedError) as caught, scripted.stream(MODEL, "Hi") as s:
        list(s)

    assert isinstance(caught.value.__cause__, errors.ConnectionFailedError)


@pytest.mark.parametrize("part", [{"type": "message_start"}, {"type": "content_block_delta"}])
def test_an_event_of_another_form_is_refused(server: Recorder, scripted: Any, part: Any):
    """An event that lacks its members is an error."""
    server.play(events(part))

    with pytest.raises(errors.InvalidResponseError), scripted.stream(MODEL, "Hi") as stream:
        list(stream)


def test_a_chat_on_the_emulator(client: Any, emulator: Emulator):
    """The answer belongs to its prompt, and its cost is told."""
    found = client.chat(MODEL, "Say hello", thinking={"type": "adaptive"})

    assert (ANSWER, THOUGHTS) == (found.text, found.reasoning)
    assert (32, 32 + count_tokens(ANSWER)) == (
        found.usage.reasoning_tokens,
        found.usage.output_tokens,
    )
    assert emulator.log()[0].request_id == found.server_request_id
    assert 4096 == claude.MAX_TOKENS


def test_a_stream_on_the_emulator_is_the_whole_answer(client: Any):
    """Everything that a plain answer has, a stream has in the end."""
    more: Any = {"tools": TOOLS, "tool_choice": {"type": "any"}, "thinking": {"type": "adaptive"}}
    whole = client.chat(MODEL, "Say hello", **more)

    with client.stream(MODEL, "Say hello", **more) as stream:
        list(stream)

    assert (whole.usage, whole.finish_reason) == (stream.usage, stream.finish_reason)
    assert whole.reasoning == stream.reasoning
    assert json.loads(whole.tool_calls[0].arguments) == json.loads(stream.tool_calls[0].arguments)
    assert (whole.tool_calls[0].name, 1) == (stream.tool_calls[0].name, len(stream.tool_calls))


def test_tokens_and_models(client: Any, monkeypatch):
    """A count is that of the answer; the models come from all pages."""
    monkeypatch.setattr("adapters._claude_requests._PAGE", 3)

    counted = client.count_tokens(MODEL, "Say hello")
    listed = client.models()

    assert (
        client.chat(MODEL, "Say hello").usage.input_tokens == counted.input_tokens == int(counted)
    )
    assert (7, 3, 3) == (len(set(listed)), len(listed.raw), listed.attempts)
    assert MODEL in listed


@pytest.mark.parametrize(
    ("spec", "cls", "retryable"),
    [
        ("400", errors.BadRequestError, False),
        ("401", errors.AuthenticationError, False),
        ("402", errors.QuotaExceededError, False),
        ("403", errors.PermissionDeniedError, False),
        ("404", errors.NotFoundError, False),
        ("409", errors.ConflictError, True),
        ("413", errors.PayloadTooLargeError, False),
        ("429", errors.RateLimitError, True),
        ("429:code=ramp_limit_exceeded", errors.RateLimitError, True),
        ("quota", errors.QuotaExceededError, False),
        ("429:code=contract_spend_limit_reached", errors.QuotaExceededError, False),
        ("500", errors.ServerError, True),
        ("504", errors.ServerError, True),
        ("529", errors.OverloadedError, True),
        ("529:should_retry=false", errors.OverloadedError, False),
        ("error_in_200:status=529", errors.OverloadedError, True),
        ("error_in_200:status=401", errors.AuthenticationError, False),
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
    assert "claude" == caught.value.provider
    if not spec.startswith("error_in"):
        assert emulator.log()[-1].request_id == caught.value.server_request_id


def test_the_reason_in_the_details_is_the_code(client: Any, emulator: Emulator):
    """Where there is none, the type is."""
    emulator.script(["quota:first=1", "529"])

    with pytest.raises(errors.QuotaExceededError) as spent:
        client.chat(MODEL, "Hi", key="backup")
    with pytest.raises(errors.OverloadedError) as overloaded:
        client.chat(MODEL, "Hi", key="production")

    assert "enforced_spend_limit_reached" == spent.value.code
    assert "overloaded_error" == overloaded.value.code


def test_a_throttled_key_gives_way_to_another(emulator: Emulator, make: Make):
    """A rate limit rests its key, and the call goes on with the next one at once."""
    emulator.script(["429:key=production,retry_after=1000"])
    client = make(claude, keys=emulator.keys("claude"), base_url=emulator.base_url("claude"))

    found = client.chat(MODEL, "Say hello", key=None)

    assert (ANSWER, "backup") == (found.text, found.key_name)


def test_stream_is_an_operation_of_its_own(client: Any):
    """`stream=True` for a whole answer is refused, and nothing is sent."""
    with pytest.raises(errors.SettingsError, match="stream"):
        client.chat(MODEL, "Hi", stream=True)


def test_keys_of_the_first_variable_leave_the_others_alone(make: Make, monkeypatch):
    """A token is another name for a key, not one more."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token")
    monkeypatch.setenv("ANTHROPIC_API_KEY_2", "sk-ant-2")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-1")

    found = make(claude).keys

    assert ["ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_2"] == [*found.get_stats()["endpoints"]]


def test_no_key_names_both_variables(make: Make):
    """Without a key nothing is sent."""
    with pytest.raises(errors.MissingKeyError, match=r"ANTHROPIC_API_KEY.*ANTHROPIC_AUTH_TOKEN"):
        make(claude)


def test_the_functions_of_the_module(emulator: Emulator, monkeypatch):
    """They use one client, made of the environment."""
    monkeypatch.setenv("ANTHROPIC_API_KEY_1", emulator.keys("claude")["backup"])
    monkeypatch.setenv("ANTHROPIC_BASE_URL", emulator.base_url("claude"))
    claude.configure(max_retries=0)

    assert ANSWER == claude.chat(MODEL, "Say hello").text
    assert ["backup"] == [record.key for record in emulator.log()]


def test_a_list_that_never_ends_is_refused(server: Recorder, scripted: Any):
    """A page that leads back to one that was there is an error, and no endless loop."""
    pages = [{"data": [{"id": name}], "has_more": True} for name in ("a", "b", "a")]
    server.play(*map(answer, pages))

    with pytest.raises(errors.InvalidResponseError, match="circles"):
        scripted.models()

    assert [[], ["a"], ["b"]] == [
        [value for name, value in request.query if name == "after_id"]
        for request in server.requests
    ]
