"""For each alert a course of things in which it is silent, then fires.

Names and texts are written out here: made by the functions that make the rules, they would agree
with any mistake of theirs.
"""

from __future__ import annotations

from deploy.generator.cases import Scene

__all__ = ["SCENES"]

_SEARCH, _VAULT = {"resilience_name": "search"}, {"resilience_pool": "vault"}
_SPARE = {**_VAULT, "resilience_key_name": "spare"}
_GPT = {"gen_ai_provider_name": "openai", "gen_ai_request_model": "gpt"}
_HOST = {"server_address": "api.example.com"}

_OK = 'resilience_call_duration_seconds_count{resilience_outcome="success"}'
_BAD = 'resilience_call_duration_seconds_count{resilience_outcome="failure"}'
_TOOK = 'resilience_call_duration_seconds_bucket{resilience_outcome="success",le="%s"}'
_WAITED = 'resilience_queue_wait_seconds_bucket{le="%s"}'
_BEGAN = 'gen_ai_client_inference_time_to_first_chunk_seconds_bucket{le="%s"}'
_REQUEST = 'http_client_request_duration_seconds_count{http_response_status_code="%s"}'
_FAILED = (
    'http_client_request_duration_seconds_count{http_response_status_code="%s",error_type="x"}'
)
_REJECTED = 'resilience_key_cooldowns_total{resilience_reason="key"}'
_RESTED = 'resilience_key_cooldowns_total{resilience_reason="rate_limit"}'
_STATE = 'resilience_circuit_breaker_state_ratio{instance="%s"}'  # as the collector names it
_OPENED = 'resilience_circuit_breaker_transitions_total{resilience_to="OPEN"}'

# "0+60x20" is 0, 60, …, 1200: sixty a minute. Trouble begins after twenty minutes.
SCENES: tuple[Scene, ...] = (
    Scene(
        *("ResilienceMostCallsFail", _SEARCH, "search: 60% of calls fail"),
        silent=(20, 25),
        fires=35,
        series={_OK: "0+60x20 1224+24x30", _BAD: "0+20x20 436+36x30"},
    ),
    Scene(  # one call in four minutes that fails is no reason to get up
        *("ResilienceMostCallsFail", _SEARCH, ""),
        silent=(22, 28, 34, 40),
        fires=None,
        series={_OK: "0x60", _BAD: "0x20 1x3 2x3 3x3 4x3 5x3 6x3"},
    ),
    Scene(
        *("ResilienceCallsFail", _SEARCH, "search: 10% of calls fail"),
        silent=(20, 30),
        fires=40,
        series={_OK: "0+58x20 1214+54x30", _BAD: "0+2x20 46+6x30"},
    ),
    Scene(
        "ResilienceCallsSlow",
        _SEARCH,
        "search: one call in a hundred takes 59.4s or more",
        silent=(20, 30),
        fires=40,
        series={
            _TOOK % "30.0": "0+60x20 1230+30x30",
            _TOOK % "60.0": "0+60x50",
            _TOOK % "+Inf": "0+60x50",
        },
    ),
    Scene(
        *("ResilienceCallsHang", _SEARCH, "search: 5 calls run, and none has ended"),
        silent=(20, 35, 45),
        fires=52,
        series={"resilience_call_active": "5x90", _OK: "0+60x20 1200x70"},
    ),
    Scene(
        "ResilienceCallsRefused",
        {**_SEARCH, "resilience_reason": "queue_full"},
        "search: 500m calls a second are refused (queue_full)",
        silent=(20, 24),
        fires=32,
        series={"resilience_refused_total": "0+3x20 90+30x30"},
    ),
    Scene(
        *("ResilienceRetriesMultiplyLoad", _SEARCH, "search: 1.5 retries for each call"),
        silent=(20, 30),
        fires=40,
        series={
            'resilience_retry_attempts_total{resilience_reason="transient"}': "0+10x20 290+90x30",
            _OK: "0+60x50",
        },
    ),
    Scene(  # half-open and turned off are not open
        "ResilienceCircuitOpen",
        _SEARCH,
        "search: the circuit is open in 2 of its processes",
        silent=(5, 8, 12, 15, 30),
        fires=16,
        series={_STATE % "a": "0x5 1x4 3x4 2 1 0x20", _STATE % "b": "0x15 2 0x20"},
    ),
    Scene(  # as the exporter of the Python SDK names it
        "ResilienceCircuitOpen",
        _SEARCH,
        "search: the circuit is open in 1 of its processes",
        silent=(9, 18),
        fires=12,
        series={"resilience_circuit_breaker_state": "0x9 2 1x20"},
    ),
    Scene(
        "ResilienceCircuitDoesNotHeal",
        _SEARCH,
        "search: the circuit has opened 15 times in 15 minutes",
        silent=(20, 23, 27),
        fires=45,
        series={
            _OPENED: "0x20 1+1x30",
            _OPENED.replace("OPEN", "HALF-OPEN"): "0+5x50",
        },
    ),
    Scene(
        *("ResilienceQueueLong", _SEARCH, "search: 15 calls wait for each permit"),
        silent=(20, 25),
        fires=27,
        series={
            'resilience_queue_size{resilience_priority="0"}': "5x50",
            'resilience_queue_size{resilience_priority="1"}': "20x20 70x30",
            "resilience_queue_limit": "5x50",
        },
    ),
    Scene(
        "ResilienceQueueWaitLong",
        {**_SEARCH, "resilience_priority": "2"},
        "search, priority 2: one in a hundred waits 59.4s or more",
        silent=(20, 30),
        fires=40,
        series={
            _WAITED % "30.0": "0+60x20 1230+30x30",
            _WAITED % "60.0": "0+60x50",
            _WAITED % "+Inf": "0+60x50",
        },
    ),
    Scene(
        *("ResilienceBatchesOfOne", _SEARCH, "search: a batch has 1 items on average"),
        silent=(20, 50),
        fires=60,
        series={
            "resilience_batch_size_sum": "0+960x20 19320+120x60",
            "resilience_batch_size_count": "0+120x80",
        },
    ),
    Scene(
        "ResilienceNoKeyAvailable",
        _VAULT,
        "vault: no key can be used in 1 of its processes",
        silent=(15, 20),
        fires=22,
        series={"resilience_key_available": "2x9 1x10 0x20"},
    ),
    Scene(
        *("ResilienceFewKeysAvailable", _VAULT, "vault: 25% of its keys can be used"),
        silent=(8, 19, 29, 50),
        fires=35,
        series={"resilience_key_available": "4x9 3x10 1x20 0x20"},
    ),
    Scene(  # the first time, when there was no such counter
        *("ResilienceKeyRejected", _SPARE, "vault: the key spare was rejected"),
        silent=(19, 60),
        fires=22,
        series={_REJECTED: "_x20 1x60", _RESTED: "0+1x80"},
    ),
    Scene(
        *("ResilienceKeyRejected", _SPARE, "vault: the key spare was rejected"),
        silent=(30, 40, 60),
        fires=42,
        series={_REJECTED: "1x40 2x40"},
    ),
    Scene(
        *("ResilienceKeyRestsOften", _SPARE, "vault: 25% of the uses of spare end in a rest"),
        silent=(20, 35),
        fires=45,
        series={_RESTED: "0+3x20 75+15x40", "resilience_key_leases_total": "0+60x60"},
    ),
    Scene(
        *("ResilienceModelFails", _GPT, "gpt of openai: 10% of calls fail"),
        silent=(20, 30),
        fires=40,
        series={
            "gen_ai_client_inference_duration_seconds_count": "0+58x20 1214+54x30",
            'gen_ai_client_inference_duration_seconds_count{error_type="x"}': "0+2x20 46+6x30",
        },
    ),
    Scene(
        "ResilienceFirstChunkLate",
        _GPT,
        "gpt of openai: one stream in twenty begins after 19.97s or later",
        silent=(20, 30),
        fires=40,
        series={
            _BEGAN % "5.12": "0+60x20 1200x30",
            _BEGAN % "10.24": "0+60x20 1200x30",
            _BEGAN % "20.48": "0+60x50",
            _BEGAN % "+Inf": "0+60x50",
        },
    ),
    Scene(  # a day at 20 tokens a second, then 1,000
        "ResilienceTokensSurge",
        _GPT,
        "gpt of openai: 1k tokens a second, three times yesterday's",
        silent=(1500, 1530),
        fires=1620,
        series={
            "gen_ai_client_inference_usage_input_tokens_total": "0+600x1500 945000+45000x200",
            "gen_ai_client_inference_usage_output_tokens_total": "0+600x1500 915000+15000x200",
        },
    ),
    Scene(
        "ResilienceServerErrors",
        _HOST,
        "api.example.com: 20% of requests get a 5xx or no answer",
        silent=(20, 24),
        fires=35,
        series={
            _REQUEST % "200": "0+60x50",
            _FAILED % "429": "0+20x50",
            _FAILED % "503": "0x20 10+10x30",
            _FAILED % "": "0x20 10+10x30",
        },
    ),
    Scene(
        "ResilienceRateLimited",
        _HOST,
        "api.example.com: 20% of requests are one too many (429)",
        silent=(20, 30),
        fires=40,
        series={
            _REQUEST % "200": "0+60x50",
            _FAILED % "429": "0+2x20 60+20x30",
            _FAILED % "503": "0+20x50",
        },
    ),
    Scene(
        *("ResilienceTelemetryGone", {}, "app: no metrics any more"),
        silent=(20, 24, 40),
        fires=30,
        series={'resilience_call_active{resilience_name="search"}': "1x20 stale"},
    ),
)
