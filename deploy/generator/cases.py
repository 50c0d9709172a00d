"""Unit tests of the rules: courses of things, as promtool reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.generator.rules import Alert

__all__ = ["Scene", "tests_of"]


@dataclass(frozen=True)
class Scene:
    """One alert in one course of things; a minute lies between two values of a series.

    Attributes:
        alert: Its name.
        labels: Of the series and of the alert, beside the job, which is "app".
        summary: Of the alert that fires.
        silent: Minutes after the start at which it does not fire.
        fires: The minute at which it does, if it does.
        series: The values of each, as promtool writes them; a name may have more labels.
    """

    alert: str
    labels: Mapping[str, str]
    summary: str
    silent: Sequence[int]
    fires: int | None
    series: Mapping[str, str]


def tests_of(scenes: Sequence[Scene], alerts: Sequence[Alert]) -> dict[str, Any]:
    """The content of the file of unit tests."""
    named = {alert.name: alert for alert in alerts}
    return {
        "rule_files": ["alerts.yaml"],
        "evaluation_interval": "1m",
        "tests": [_test(scene, named[scene.alert]) for scene in scenes],
    }


def _test(scene: Scene, alert: Alert) -> dict[str, Any]:
    labels = {"job": "app", **scene.labels}
    expected = {
        "exp_labels": {"severity": alert.severity, **labels},
        "exp_annotations": {"summary": scene.summary, "description": alert.description},
    }
    silent = [_at(minute, alert, []) for minute in scene.silent]
    fires = [] if scene.fires is None else [_at(scene.fires, alert, [expected])]
    return {
        "interval": "1m",
        "input_series": [
            {"series": _series(name, labels), "values": values}
            for name, values in scene.series.items()
        ],
        "alert_rule_test": [*silent, *fires],
    }


def _series(name: str, labels: Mapping[str, str]) -> str:
    name, _, more = name.removesuffix("}").partition("{")
    texts = [*(f'{key}="{value}"' for key, value in labels.items()), *([more] if more else [])]
    return f"{name}{{{','.join(texts)}}}"


def _at(minute: int, alert: Alert, expected: list[Any]) -> dict[str, Any]:
    return {"eval_time": f"{minute}m", "alertname": alert.name, "exp_alerts": expected}
