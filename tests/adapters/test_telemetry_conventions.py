"""The definitions of model calls and requests are those of the conventions, line by line.

The tables are those of semantic-conventions-genai v0.1.0 ("Client inference", "Client embeddings",
"Token metrics", "Exceptions") and of semantic-conventions v1.44.0 ("HTTP spans", "HTTP metrics"),
written down here once more: what is defined is held against them, and not against itself.
"""

from __future__ import annotations

import pytest
from opentelemetry.semconv.attributes import (
    error_attributes,
    exception_attributes,
    http_attributes,
    network_attributes,
    server_attributes,
    url_attributes,
)
from opentelemetry.semconv.metrics import http_metrics

from resilience.telemetry import conventions
from tests.support.sources import ROOT

SECONDS = (
    *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12),
    *(10.24, 20.48, 40.96, 81.92),
)
TOKENS = (
    *(1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144),
    *(1048576, 4194304, 16777216, 67108864),
)
HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

CALL = {"gen_ai.operation.name", "gen_ai.provider.name"}
WHERE = {"gen_ai.request.model", "gen_ai.response.model", "server.address", "server.port"}
KIND = {"gen_ai.token.modality"}
ERROR = {"error.type"}

_I, _E, H = "gen_ai.client.inference.", "gen_ai.client.embeddings.", "histogram"
# Metric: instrument, unit, buckets, attributes that are required, and all others.
METRICS = {
    f"{_I}duration": (H, "s", SECONDS, CALL, WHERE | ERROR),
    f"{_I}time_to_first_chunk": (H, "s", SECONDS, CALL, WHERE),
    f"{_I}time_per_output_chunk": (H, "s", SECONDS, CALL, WHERE),
    f"{_I}usage.input_tokens": ("counter", "{token}", (), CALL | KIND, WHERE),
    f"{_I}usage.output_tokens": ("counter", "{token}", (), CALL | KIND, WHERE),
    f"{_I}usage.cache_read.input_tokens": ("counter", "{token}", (), CALL | KIND, WHERE),
    f"{_I}usage.cache_write.input_tokens": ("counter", "{token}", (), CALL | KIND, WHERE),
    f"{_I}usage.reasoning.output_tokens": ("counter", "{token}", (), CALL | KIND, WHERE),
    f"{_I}operation.input_tokens": (H, "{token}", TOKENS, CALL, WHERE | ERROR),
    f"{_I}operation.output_tokens": (H, "{token}", TOKENS, CALL, WHERE | ERROR),
    f"{_E}duration": (H, "s", SECONDS, CALL, WHERE | ERROR),
    f"{_E}operation.input_tokens": (H, "{token}", TOKENS, CALL, WHERE | ERROR),
    "gen_ai.client.operation.duration": (H, "s", SECONDS, CALL, WHERE | ERROR),
    "gen_ai.client.token.usage": (
        *(H, "{token}", TOKENS, CALL | {"gen_ai.token.type"}, WHERE | ERROR),
    ),
    "http.client.request.duration": (
        *(H, "s", HTTP_SECONDS, {"http.request.method", "server.address", "server.port"}),
        ERROR | {"http.response.status_code", "network.protocol.version"},
    ),
}

R, U = "gen_ai.request.", "gen_ai.usage."
# Attribute of a model's span: type, and how much it is wanted.
OF_A_MODEL = {
    "gen_ai.operation.name": ("str", "required"),
    "gen_ai.provider.name": ("str", "required"),
    "error.type": ("str", "conditional"),
    f"{R}model": ("str", "conditional"),
    f"{R}stream": ("bool", "conditional"),
    f"{R}choice.count": ("int", "conditional"),
    f"{R}seed": ("int", "conditional"),
    f"{R}top_k": ("int", "conditional"),
    "gen_ai.output.type": ("str", "conditional"),
    "gen_ai.conversation.id": ("str", "conditional"),
    "server.address": ("str", "recommended"),
    "server.port": ("int", "conditional"),
    f"{R}max_tokens": ("int", "recommended"),
    f"{R}temperature": ("float", "recommended"),
    f"{R}top_p": ("float", "recommended"),
    f"{R}frequency_penalty": ("float", "recommended"),
    f"{R}presence_penalty": ("float", "recommended"),
    f"{R}stop_sequences": ("str[]", "recommended"),
    f"{R}reasoning.level": ("str", "recommended"),
    f"{R}previous_response.id": ("str", "recommended"),
    f"{R}encoding_formats": ("str[]", "recommended"),
    "gen_ai.embeddings.dimension.count": ("int", "recommended"),
    "gen_ai.response.id": ("str", "recommended"),
    "gen_ai.response.model": ("str", "recommended"),
    "gen_ai.response.finish_reasons": ("str[]", "recommended"),
    "gen_ai.response.time_to_first_chunk": ("float", "recommended"),
    f"{U}input_tokens": ("int", "recommended"),
    f"{U}output_tokens": ("int", "recommended"),
    f"{U}cache_read.input_tokens": ("int", "recommended"),
    f"{U}cache_write.input_tokens": ("int", "recommended"),
    f"{U}reasoning.output_tokens": ("int", "recommended"),
    **{
        f"{U}{kind}.{what}": ("int", "recommended")
        for kind in ("text", "image", "audio")
        for what in ("input_tokens", "output_tokens", "cache_read.input_tokens")
    },
    "gen_ai.input.messages": ("str", "opt-in"),
    "gen_ai.output.messages": ("str", "opt-in"),
    "gen_ai.system_instructions": ("str", "opt-in"),
    "gen_ai.tool.definitions": ("str", "opt-in"),
}
OF_A_REQUEST = {
    "http.request.method": ("str", "required"),
    "server.address": ("str", "required"),
    "server.port": ("int", "required"),
    "url.full": ("str", "required"),
    "http.response.status_code": ("int", "conditional"),
    "error.type": ("str", "conditional"),
    "http.request.method_original": ("str", "conditional"),
    "http.request.resend_count": ("int", "recommended"),
    "network.protocol.version": ("str", "recommended"),
    "network.peer.address": ("str", "recommended"),
    "network.peer.port": ("int", "recommended"),
}
TABLES = {
    "{gen_ai.operation.name} {gen_ai.request.model}": OF_A_MODEL,
    "{http.request.method}": OF_A_REQUEST,
}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_that_of_the_conventions(name: str):
    """Instrument, unit, buckets and attributes."""
    found = conventions.ALL_METRICS[name]

    assert METRICS[name] == (
        *(found.kind, found.unit, found.buckets, {*found.attributes}, {*found.optional}),
    )


def test_no_metric_is_missing_or_made_up():
    """The names that belong to the conventions are used for what they define, and for all of it."""
    ours = {name for name in conventions.ALL_METRICS if not name.startswith("resilience.")}

    assert {*METRICS} == ours


@pytest.mark.parametrize("name", TABLES)
def test_a_span_has_what_the_conventions_want(name: str):
    """Types, and what is on each; no attribute of theirs is missing or made up."""
    (span,) = (each for each in conventions.SPANS if each.name == name)
    types = {each.name: each.type for each in conventions.ATTRIBUTES}
    table = TABLES[name]
    on_it = {each for each in (*span.attributes, *span.optional) if "resilience" not in each}

    assert "CLIENT" == span.kind
    assert {*table} == on_it
    assert {each: kind for each, (kind, _) in table.items()} == {
        each: types[each] for each in table
    }
    assert {each for each, (_, level) in table.items() if level == "required"} <= {*span.attributes}


def test_stable_names_are_those_of_the_constants():
    """OpenTelemetry's own package has them for Python; those of GenAI it has no more."""
    known = {
        value
        for module in (
            *(error_attributes, exception_attributes, http_attributes),
            *(network_attributes, server_attributes, url_attributes),
        )
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    prefixes = ("error.", "exception.", "http.", "network.", "server.", "url.")
    ours = {each.name for each in conventions.ATTRIBUTES if each.name.startswith(prefixes)}

    assert set() == ours - known
    assert http_metrics.HTTP_CLIENT_REQUEST_DURATION in METRICS


def test_events_are_those_of_the_conventions():
    """Their names, and what an exception tells."""
    found = {each.name: {*each.attributes} for each in conventions.LOG_EVENTS}

    assert {"exception.type", "exception.message"} == found["gen_ai.client.operation.exception"]
    assert CALL <= found["gen_ai.client.inference.operation.details"]
    assert 2 == len(found)


def test_the_reference_names_them_all():
    """Each metric, and each attribute that is not one of a row's short forms."""
    page = (ROOT / "docs/reference/telemetry.md").read_text("utf-8")
    names = {*METRICS, *OF_A_MODEL, *OF_A_REQUEST}
    missing = {name for name in names if f"`{name}`" not in page}
    short = {name for name in missing if f"`.{name.removeprefix(R)}`" in page}
    endings = {name for name in missing if f"`….{name.partition('usage.')[2]}`" in page}
    kinds = {name for name in missing if name.startswith(U)}

    assert set() == missing - short - endings - kinds - {f"{_I}operation.output_tokens"}
