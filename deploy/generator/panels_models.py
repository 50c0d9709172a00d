"""The panels about models, tokens and requests."""

from __future__ import annotations

from deploy.generator.grafana import Panel, Row
from deploy.generator.panels import QUERIES, by_type, quantiles

__all__ = ["ROWS"]

_rate, _quantile = QUERIES.total, QUERIES.quantile

_HTTP, _MODEL = "http.client.request.duration", "gen_ai.client.inference"
_USAGE = f"{_MODEL}.usage"
_BY_MODEL = "{{gen_ai_request_model}}"

_MODEL_PANELS = (
    Panel(
        "Calls by model",
        {_BY_MODEL: _rate(f"{_MODEL}.duration", "count", by="gen_ai_request_model")},
        *("reqps", "Chats, generations and completions."),
        stack=True,
    ),
    Panel(
        "Duration by model",
        quantiles(f"{_MODEL}.duration", "gen_ai_request_model", _BY_MODEL),
        *("s", "Retries and waits included; of a stream to its end."),
    ),
    Panel(
        "Errors by model",
        by_type(f"{_MODEL}.duration", f"{_BY_MODEL}: {{{{error_type}}}}", "gen_ai_request_model"),
        *("reqps", "Calls that failed in the end."),
        stack=True,
    ),
    Panel(
        "Time to the first chunk",
        quantiles(f"{_MODEL}.time_to_first_chunk", "gen_ai_request_model", _BY_MODEL),
        *("s", "Of streams: how long people look at nothing."),
        limits=(10,),
    ),
    Panel(
        "Time between chunks",
        quantiles(f"{_MODEL}.time_per_output_chunk", "gen_ai_request_model", _BY_MODEL),
        *("s", "Of streams: how fast they write."),
    ),
    Panel(
        "Tokens by model",
        {
            f"{_BY_MODEL} {each}": _rate(f"{_USAGE}.{each}_tokens", by="gen_ai_request_model")
            for each in ("input", "output")
        },
        *("suffix: tokens/s", "All input and all output: what is paid for."),
        stack=True,
    ),
    Panel(
        "Tokens that are a part of these",
        {
            "read from a cache": _rate(f"{_USAGE}.cache_read.input_tokens"),
            "written to a cache": _rate(f"{_USAGE}.cache_write.input_tokens"),
            "reasoning": _rate(f"{_USAGE}.reasoning.output_tokens"),
        },
        *("suffix: tokens/s", "Cached input is cheaper, reasoning is output that nobody sees."),
    ),
    Panel(
        "Tokens of a call",
        {
            f"{each} p{text}": _quantile(quantile, f"{_MODEL}.operation.{each}_tokens")
            for each in ("input", "output")
            for text, quantile in (("50", 0.5), ("99", 0.99))
        },
        *("suffix: tokens", "A prompt that grows and grows shows here."),
    ),
    Panel(
        "Embeddings",
        quantiles("gen_ai.client.embeddings.duration", "gen_ai_request_model", _BY_MODEL),
        *("s", "Duration of calls for embeddings."),
    ),
    Panel(
        "Tokens of embeddings",
        quantiles("gen_ai.client.embeddings.operation.input_tokens"),
        *("suffix: tokens", "Input of one call."),
    ),
    Panel(
        "Other operations",
        quantiles(
            "gen_ai.client.operation.duration", "gen_ai_operation_name", "{{gen_ai_operation_name}}"
        ),
        *("s", "Ranks, token counts, moderations, …"),
    ),
)

_BY_STATUS = "server_address http_response_status_code"
_HTTP_PANELS = (
    Panel(
        "Requests by status",
        {"{{server_address}} {{http_response_status_code}}": _rate(_HTTP, "count", by=_BY_STATUS)},
        *("reqps", "Each attempt on the wire; no status: no answer."),
        stack=True,
    ),
    Panel(
        "Duration of requests",
        quantiles(_HTTP, "server_address", "{{server_address}}"),
        *("s", "One attempt, without waits of ours."),
    ),
    Panel(
        "Requests that failed",
        by_type(_HTTP, "{{server_address}}: {{error_type}}", "server_address"),
        *("reqps", "By status, or by the class of the error where there was no answer."),
        stack=True,
    ),
)

ROWS: tuple[Row, ...] = (
    Row("Models and tokens", _MODEL_PANELS),
    Row("HTTP", _HTTP_PANELS),
)
