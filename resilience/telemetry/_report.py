"""A report: the main figures of some calls as a plain dictionary, a text and a page."""

from __future__ import annotations

from typing import Any

from resilience import _clock
from resilience.telemetry._report_text import as_text
from resilience.telemetry._totals import TOKENS, Totals
from resilience.telemetry.history import Changes

__all__ = ["Report", "report_of"]


class Report(dict[str, Any]):
    """A report: a plain dictionary, fit for JSON, that prints as a table and makes a web page.

    What was saved as JSON is a report again: `Report(json.loads(text)).to_html()`.
    """

    def __str__(self) -> str:
        return as_text(self)

    def to_html(self) -> str:
        """Return one web page with figures, tables and plots that needs nothing but itself.

        Plots are of what `include_details` adds.
        """
        from resilience.telemetry._report_page import page  # noqa: PLC0415 - seldom asked for

        return page(self)

    def _repr_html_(self) -> str:
        """Return what a notebook shows in the place of the text."""
        from resilience.telemetry._report_page import body  # noqa: PLC0415 - seldom asked for

        return body(self)


def report_of(totals: Totals, name: str | None, changes: Changes | None) -> Report:
    """Return the report of these counts.

    Args:
        totals: The counts.
        name: Whose they are; None: everybody's.
        changes: Those that are shown; None: no details at all.
    """
    stats, wall = totals.as_dict(), _clock.wall()
    answered = stats["successful_requests"] + stats["failed_requests"]
    total = stats["total_requests"]
    report = Report(
        name=name,
        generated_at=wall,
        total_requests=total,
        successful_requests=stats["successful_requests"],
        failed_requests=stats["failed_requests"],
        refused_requests=stats["refused_requests"],
        cancelled_requests=stats["cancelled_requests"],
        timeouts=stats["timeouts"],
        success_rate=stats["successful_requests"] / answered if answered else None,
        retries=stats["retries"],
        retries_per_request=stats["retries"] / total if total else None,
        cooldowns=stats["cooldowns"],
        average_latency=stats["average_latency"],
        latency=stats["latency"],
        queue_size=stats["queue_size"],
        active_requests=stats["active_requests"],
        circuit_state=stats["circuit_state"],
        **{kind: stats[kind] for kind in TOKENS},
    )
    if changes is not None:
        offset = wall - _clock.now()
        report.update({field: stats[field] for field in _DETAILS})
        report["latency_distribution"] = [list(bar) for bar in totals.latency.bars()]
        report["timeline"] = totals.timeline.as_dict(offset)
        report.update(changes.as_dict(offset))
    return report


_DETAILS = (
    "requests_by_model",
    "tokens_by_model",
    "errors_by_type",
    "attempt_errors_by_type",
    "endpoints",
)
