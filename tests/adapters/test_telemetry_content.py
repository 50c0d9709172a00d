"""Content leaves the process only where the standard variable asks for it, and never with a key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from adapters import errors, openai
from adapters._content import VARIABLE
from resilience.telemetry import conventions
from resilience.testing import no_waiting
from tests.adapters.every_api import APIS, KEY, STREAMING, Api
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer, event_stream
from tests.adapters.seen import Seen, attributes_of

DETAILS = "gen_ai.client.inference.operation.details"
EXCEPTION = "gen_ai.client.operation.exception"
CONTENT = {
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
}
ASKED = [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]
SAID = {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]}
WITHOUT_CONTENT = ("tei", "ovms", "s3")
WITHOUT_REASON = ("ollama",)


class Logs:
    """The log records of a program."""

    def __init__(self) -> None:
        self._exporter = InMemoryLogRecordExporter()
        self.provider = LoggerProvider(shutdown_on_exit=False)
        self.provider.add_log_record_processor(SimpleLogRecordProcessor(self._exporter))

    def __iter__(self) -> Iterator[Any]:
        return (each.log_record for each in self._exporter.get_finished_logs())

    def named(self, name: str) -> list[Any]:
        """Those of this event."""
        return [record for record in self if record.event_name == name]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """The spans of the program."""
    found = Seen()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", found.provider)
    yield found
    assert [] == list(found.misfits())


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Logs]:
    """The log records of the program; each is held against its definition in the end."""
    found = Logs()
    monkeypatch.setattr("opentelemetry._logs._internal._LOGGER_PROVIDER", found.provider)
    yield found
    defined = {each.name: each for each in conventions.LOG_EVENTS}
    for record in found:
        event = defined[record.event_name]
        assert {*event.attributes} <= {*record.attributes}
        assert {*record.attributes} <= {*event.attributes, *event.optional}


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the standard variable."""
    return lambda value: monkeypatch.setenv(VARIABLE, value)


def content_of(attributes: Any) -> dict[str, Any]:
    """The content among these attributes, read where it is JSON."""
    found = {name: value for name, value in dict(attributes).items() if name in CONTENT}
    return {name: json.loads(v) if isinstance(v, str) else v for name, v in found.items()}


def plain(value: Any) -> Any:
    """Lists and dictionaries, in place of what the SDK has frozen."""
    if isinstance(value, dict) or hasattr(value, "keys"):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("value", [None, "", "true", "nonsense"])
def test_without_being_asked_no_content_goes_anywhere(
    make: Make, server: Recorder, seen: Seen, logs: Logs, capture: Any, value: str | None
):
    """Neither on the span nor in an event; a value that nobody knows asks for nothing."""
    if value is not None:
        capture(value)
    server.play(APIS["openai"].good)

    APIS["openai"].call(APIS["openai"].client(make, server.url))

    assert {} == content_of(attributes_of(seen.call))
    assert [] == list(logs)


@pytest.mark.parametrize("api", APIS.values(), ids=APIS)
def test_on_the_span_alone(
    make: Make, server: Recorder, seen: Seen, logs: Logs, capture: Any, api: Api
):
    """As JSON; of calls that make a model speak, and of no others."""
    capture("span_only")
    server.play(api.good)

    api.call(api.client(make, server.url, enable_batching=False))

    said = SAID if api.name in WITHOUT_REASON else {**SAID, "finish_reason": "stop"}
    expected = {"gen_ai.input.messages": ASKED, "gen_ai.output.messages": [said]}
    found = content_of(attributes_of(seen.call))
    assert ({} if api.name in WITHOUT_CONTENT else expected) == found
    assert [] == list(logs)


@pytest.mark.parametrize("api", STREAMING.values(), ids=STREAMING)
def test_of_a_stream_it_is_what_was_collected(
    make: Make, server: Recorder, seen: Seen, logs: Logs, capture: Any, api: Api
):
    """In an event that belongs to the span, with all that the span knows as well."""
    capture("span_and_event")
    server.play(api.good_stream)

    list(api.stream(api.client(make, server.url)))

    (event,) = logs.named(DETAILS)
    (said,) = plain(content_of(event.attributes)["gen_ai.output.messages"])
    assert [{"type": "text", "content": "Hello"}] == said["parts"]
    assert (seen.call.context.trace_id, seen.call.context.span_id) == (
        event.trace_id,
        event.span_id,
    )
    assert "INFO" == event.severity_text
    assert content_of(attributes_of(seen.call)) == plain(content_of(event.attributes))
    own = {"resilience.attempts", "resilience.outcome", *CONTENT}
    assert {name: value for name, value in attributes_of(seen.call).items() if name not in own} == {
        name: value for name, value in event.attributes.items() if name not in own
    }


def test_in_the_event_alone(make: Make, server: Recorder, seen: Seen, logs: Logs, capture: Any):
    """The span has none of it."""
    capture("event_only")
    server.play(APIS["openai"].good)

    make(openai, KEY, base_url=server.url).chat("m", "hi")

    (event,) = logs
    assert {} == content_of(attributes_of(seen.call))
    assert ASKED == plain(event.attributes["gen_ai.input.messages"])
    assert seen.call.context.span_id == event.span_id


def test_without_a_logger_an_event_goes_nowhere(
    make: Make, server: Recorder, seen: Seen, capture: Any
):
    """And the call is none the worse for it."""
    capture("event_only")
    server.play(APIS["openai"].good)

    assert "Hello" == make(openai, KEY, base_url=server.url).chat("m", "hi").text
    assert {} == content_of(attributes_of(seen.call))


def test_choices_tools_and_thoughts(make: Make, server: Recorder, seen: Seen, capture: Any):
    """A message for each choice; thoughts and calls are those of the first."""
    capture("span_only")
    calls = [{"index": 0, "id": "c1", "function": {"name": "look", "arguments": '{"at": 1}'}}]
    first = {"content": "a", "reasoning": "hm", "tool_calls": calls}
    choices = [
        {"index": 0, "message": first, "finish_reason": "tool_calls"},
        {"index": 1, "message": {"content": "b"}, "finish_reason": "length"},
    ]
    server.play(answer({"choices": choices}))

    make(openai, KEY, base_url=server.url).chat("m", "hi", n=2)

    call = {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": 1}}
    assert [
        {
            "role": "assistant",
            "parts": [
                {"type": "reasoning", "content": "hm"},
                {"type": "text", "content": "a"},
                call,
            ],
            "finish_reason": "tool_call",
        },
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "b"}],
            "finish_reason": "length",
        },
    ] == content_of(attributes_of(seen.call))["gen_ai.output.messages"]


def test_what_had_come_of_a_stream_that_broke(
    make: Make, server: Recorder, seen: Seen, logs: Logs, capture: Any
):
    """Its reason never came: that is an error."""
    capture("span_only")
    server.play(event_stream({"choices": [{"index": 0, "delta": {"content": "Hel"}}]}))

    with pytest.raises(errors.StreamInterruptedError):
        list(make(openai, KEY, base_url=server.url).stream("m", "hi"))

    said = [{"type": "text", "content": "Hel"}]
    assert [{"role": "assistant", "parts": said, "finish_reason": "error"}] == (
        content_of(attributes_of(seen.call))["gen_ai.output.messages"]
    )


def test_a_failure_is_an_event(make: Make, server: Recorder, seen: Seen, logs: Logs):
    """Class and message, as a warning within the span; what was recovered is none."""
    server.play(answer(b"", status=500), APIS["openai"].good)
    client = make(openai, KEY, base_url=server.url)
    with no_waiting():
        client.chat("m", "hi")
    assert [] == list(logs)

    server.play(answer({"error": {"message": f"bad {KEY}", "code": "bad"}}, status=400))
    with pytest.raises(errors.BadRequestError):
        client.chat("m", "hi")

    (event,) = logs.named(EXCEPTION)
    assert ("WARN", 13) == (event.severity_text, event.severity_number.value)
    assert "adapters.errors.BadRequestError" == event.attributes["exception.type"]
    assert "bad [masked]" in event.attributes["exception.message"]
    assert seen.calls[-1].context.span_id == event.span_id


def test_no_key_is_in_what_is_captured(
    make: Make, server: Recorder, seen: Seen, logs: Logs, capture: Any
):
    """Not the call's own, wherever prompt or answer have it."""
    capture("span_and_event")
    message = {"content": f"you said {KEY}"}
    server.play(answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}))

    make(openai, KEY, base_url=server.url).chat("m", f"I say {KEY}")

    assert KEY not in seen.call.to_json()
    assert KEY not in str([record.attributes for record in logs])
    assert "I say [masked]" in str(attributes_of(seen.call))


def test_events_need_no_span(make: Make, server: Recorder, logs: Logs, capture: Any):
    """A program may have a logger provider alone."""
    capture("event_only")
    server.play(APIS["openai"].good)

    make(openai, KEY, base_url=server.url).chat("m", "hi")

    (event,) = logs
    assert (DETAILS, 0) == (event.event_name, event.span_id)
    assert ASKED == plain(event.attributes["gen_ai.input.messages"])


def test_a_call_that_is_not_sampled_has_its_events(
    make: Make, server: Recorder, logs: Logs, monkeypatch: pytest.MonkeyPatch
):
    """A failure is worth a line, whether or not its trace is kept."""
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    server.play(answer(b"", status=500))

    with pytest.raises(errors.ServerError):
        make(openai, KEY, base_url=server.url, max_retries=0).chat("m", "hi")

    assert [EXCEPTION] == [event.event_name for event in logs]
