"""Alerts, and the file of rules that Prometheus reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Alert", "groups_of"]


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes:
        name: What Alertmanager calls it.
        expr: It is on for each series that this expression gives.
        hold: For how long it has to be so before somebody is told.
        severity: "critical": somebody gets up; "warning": today; "info": some day.
        summary: One line about the case at hand; a template of Prometheus.
        means: What has happened.
        do: What to look at, and what helps.
        keep: For how long it stays on when the expression gives nothing more.
    """

    name: str
    expr: str
    hold: str
    severity: Literal["critical", "warning", "info"]
    summary: str
    means: str
    do: str
    keep: str = ""

    @property
    def description(self) -> str:
        """What it means and what to do."""
        return f"{self.means} {self.do}"


def groups_of(alerts: Sequence[Alert]) -> dict[str, Any]:
    """The content of the file of rules."""
    return {"groups": [{"name": "resilience", "rules": [_rule(alert) for alert in alerts]}]}


def _rule(alert: Alert) -> dict[str, Any]:
    keep = {"keep_firing_for": alert.keep} if alert.keep else {}
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.hold,
        **keep,
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary, "description": alert.description},
    }
