"""Prometheus takes the rules of `deploy`, and they do what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests_real.prometheus import DEPLOY, check


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "--lint=all", "--lint-fatal", DEPLOY / "alerts.yaml"),
        ("check", "config", DEPLOY / "prometheus.yaml"),
        ("test", "rules", DEPLOY / "alerts_test.yaml"),
    ],
    ids=["the rules", "the configuration", "every alert is silent, then fires"],
)
def test_promtool_is_content(arguments: tuple[str | Path, ...]):
    """With the syntax of the files, and with the course of each alert."""
    assert (0, "") == check(*arguments)


@pytest.mark.parametrize(
    ("alert", "right", "wrong"),
    [
        ("ResilienceMostCallsFail", "> 0.5\n", "> 0.7\n"),
        ("ResilienceMostCallsFail", "> 0.03", "> 0"),
        ("ResilienceCallsFail", "for: 10m", "for: 30m"),
        ("ResilienceCallsFail", "for: 10m", "for: 5m"),
        ("ResilienceCircuitOpen", "_ratio or resilience_circuit_breaker_state)", "_ratio)"),
        ("ResilienceCircuitOpen", "resilience_circuit_breaker_state_ratio or ", ""),
        ("ResilienceCircuitOpen", "keep_firing_for: 5m", "keep_firing_for: 1h"),
        ("ResilienceFewKeysAvailable", " > 0)", ")"),
        ("ResilienceKeyRejected", " offset 15m", " offset 1h"),
        ("ResilienceKeyRejected", 'resilience_reason="key"', 'resilience_reason=~".+"'),
        ("ResilienceServerErrors", '"5..|"', '"..."'),
        ("ResilienceTelemetryGone", " offset 15m", ""),
    ],
)
def test_a_rule_that_is_wrong_is_found(tmp_path: Path, alert: str, right: str, wrong: str):
    """The unit tests of an alert fail with another threshold, time, name or label."""
    rules = (DEPLOY / "alerts.yaml").read_text("utf-8")
    (tmp_path / "alerts.yaml").write_text(rules.replace(right, wrong), "utf-8")
    content = yaml.safe_load((DEPLOY / "alerts_test.yaml").read_text("utf-8"))
    own = [each for each in content["tests"] if each["alert_rule_test"][0]["alertname"] == alert]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({**content, "tests": own}), "utf-8")

    code, text = check("test", "rules", tmp_path / "tests.yaml")

    assert right in rules
    assert (1, True) == (code, "FAILED" in text and alert in text)
    assert (0, "") == check("check", "rules", tmp_path / "alerts.yaml")
