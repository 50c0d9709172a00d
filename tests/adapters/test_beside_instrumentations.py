"""Beside OpenTelemetry's own instrumentations of HTTP libraries no request shows twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from opentelemetry import trace
from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.urllib3 import URLLib3Instrumentor

from tests.adapters.every_api import APIS, STREAMING, Api
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer
from tests.adapters.seen import Seen

INSTRUMENTORS = (AioHttpClientInstrumentor, RequestsInstrumentor, URLLib3Instrumentor)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """The spans of a program that has instrumented all libraries beneath the clients."""
    found = Seen()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", found.provider)
    instrumentors = [each() for each in INSTRUMENTORS]
    for each in instrumentors:
        each.instrument(tracer_provider=found.provider)
    yield found
    for each in instrumentors:
        each.uninstrument()


@pytest.mark.parametrize("api", APIS.values(), ids=APIS)
def test_a_call_has_one_request(make: Make, server: Recorder, seen: Seen, api: Api):
    """Ours, a child of the call's; it is this one that goes on at the server."""
    server.play(api.good)

    api.call(api.client(make, server.url, enable_batching=False))

    assert 2 == len(seen)
    assert seen.call.context.span_id == seen.request.parent.span_id
    assert f"{seen.request.context.span_id:016x}" in server.requests[0].headers["traceparent"]


@pytest.mark.parametrize("api", STREAMING.values(), ids=STREAMING)
def test_a_stream_has_one_request(make: Make, server: Recorder, seen: Seen, api: Api):
    """As a call has."""
    server.play(api.good_stream)

    list(api.stream(api.client(make, server.url)))

    assert 2 == len(seen)
    assert seen.call.context.span_id == seen.request.parent.span_id


def test_other_requests_of_the_program_show_as_before(make: Make, server: Recorder, seen: Seen):
    """Also those that it sends while a stream is open: nothing of the silence stays behind."""
    api = APIS["openai"]
    server.play(api.good_stream, answer(b"x"))
    client = api.client(make, server.url)
    stream = api.stream(client)
    next(stream)

    requests.get(server.url, timeout=5)
    own = seen.names()
    list(stream)

    assert ["GET"] == own
    assert ["GET", "POST", "chat m"] == seen.names()
