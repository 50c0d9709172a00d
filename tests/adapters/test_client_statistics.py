"""What a client counts: for all of its calls, for each model and for each key."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import openai
from resilience import SettingsError
from resilience.telemetry.report import Report
from tests.adapters.recorder import Recorder, answer

MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-4o-mini")
USAGE = {
    "prompt_tokens": 10,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens": 3,
    "completion_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 13,
}
ONE = {
    "total_tokens": 13,
    "input_tokens": 10,
    "output_tokens": 3,
    "cached_tokens": 4,
    "cache_write_tokens": 0,
    "reasoning_tokens": 2,
}


def chat_answer() -> bytes:
    """A chat completion with all that is counted of one."""
    choice = {"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}
    return answer({"model": "any", "choices": [choice], "usage": USAGE})


def times(number: int) -> dict[str, int]:
    """So many times the tokens of one answer."""
    return {kind: number * count for kind, count in ONE.items()}


def tokens(stats: dict[str, Any]) -> dict[str, int]:
    """The tokens among the counts."""
    return {kind: stats[kind] for kind in ONE}


@pytest.fixture
def client(make, server: Recorder, request) -> Any:
    """A client with two keys that has made three calls: with the first, second and first key."""
    server.play(*[chat_answer()] * 3)
    keys, name = {"production": "sk-production", "backup": "sk-backup"}, request.node.name
    client = make(openai, keys=keys, base_url=server.url, name=name)
    for model in MODELS:
        client.chat(model, "Hi")
    return client


def test_tokens_are_counted_by_model_and_by_key(client: Any):
    """All kinds of them, for bills and quotas."""
    stats = client.get_stats()
    keys = stats["endpoints"]

    assert times(3) == tokens(stats)
    assert {"gpt-4o-mini": times(2), "gpt-4o": times(1)} == stats["tokens_by_model"]
    assert {"production": times(2), "backup": times(1)} == {
        name: tokens(each) for name, each in keys.items()
    }
    assert {"gpt-4o-mini": 2} == keys["production"]["requests_by_model"]
    assert {"gpt-4o": times(1)} == keys["backup"]["tokens_by_model"]


def test_one_key_can_be_asked_for_reported_and_reset(client: Any):
    """By its name, as of the pool; the others and the client keep their counts."""
    report = client.generate_report(name="backup", include_details=True)

    assert client.keys.get_stats("backup") == client.get_stats(name="backup")
    assert (1, 13) == (report["total_requests"], report["total_tokens"])
    client.reset_stats(name="backup")
    assert [0, 2, 3] == [
        client.get_stats(name)["total_requests"] for name in ("backup", "production", None)
    ]
    client.reset_stats()
    assert [0, 0, 0] == [
        client.get_stats(name)["total_tokens"] for name in ("backup", "production", None)
    ]


def test_a_report_of_a_client_prints_its_models_and_keys(client: Any):
    """Each with its tokens; and no key is to be seen."""
    report = client.generate_report(include_details=True)
    rows = [line.split() for line in str(report).splitlines()]

    assert isinstance(report, Report)
    assert ["gpt-4o-mini", "2", "20", "8", "6", "4"] in rows
    assert ["backup", "1", "0", "0", "13"] in [row[:5] for row in rows]
    assert "sk-" not in str(report)


def test_an_unknown_key_is_named(client: Any):
    """With the nearest that is known, whatever is asked."""
    for method in (client.get_stats, client.generate_report, client.reset_stats):
        with pytest.raises(SettingsError, match=r"bakcup.*did you mean .*backup"):
            method("bakcup")
