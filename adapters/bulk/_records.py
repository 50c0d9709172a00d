"""What a bulk run tells of itself: while it runs, and at its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Literal

from resilience._record import record
from resilience.errors import ResilienceError

__all__ = ["BulkResult", "BulkStoppedError", "Ending", "Progress"]

Ending = Literal["complete", "interrupted", "stopped"]


@record
class Progress:
    """How far a run is.

    Attributes:
        total: How many rows the input holds; None where nobody knows.
        done: How many of them have a result, those of earlier runs included.
        failed: How many of these results are errors.
        active: How many calls are under way.
        limit: How many may be at once.
        requests: How many requests this run has sent.
        retries: How many of them repeated one that had failed.
        throttled: How often a server asked for less.
        tokens: In and out, of all runs.
        seconds: Since the beginning of this run.
        rate: Rows per second, of late.
        waiting: Seconds for which no call is begun, since nobody could serve it.
    """

    total: int | None
    done: int
    failed: int
    active: int
    limit: int
    requests: int
    retries: int
    throttled: int
    tokens: int
    seconds: float
    rate: float
    waiting: float

    @property
    def eta(self) -> float | None:
        """Seconds that are left at the rate of late; None where nobody knows."""
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.done) / self.rate


@record
class BulkResult:
    """What became of a job; `str(result)` is a report.

    Attributes:
        output: The file with the results; not there before all rows have one, where they are to
            stand in the order of the input.
        ending: "complete": every row has a result; "interrupted" or "stopped": go on with the
            same arguments.
        reason: Why it was stopped, or "".
        rows: How many rows have a result.
        succeeded: How many of them an answer.
        failed: How many of them an error.
        errors: How many errors of each kind.
        earlier: How many results an earlier run had left.
        requests: How many requests this run sent for the results that it has got.
        retries: How many requests of this run repeated one that had failed.
        throttled: How often a server asked this run for less.
        concurrency: How many calls this run made at once at most.
        seconds: How long this run took.
        input_tokens: Of all runs.
        output_tokens: Of all runs.
        total_tokens: Of all runs.
    """

    output: Path
    ending: Ending
    reason: str = ""
    rows: int
    succeeded: int
    failed: int
    errors: Mapping[str, int] = field(default_factory=dict[str, int])
    earlier: int
    requests: int
    retries: int
    throttled: int
    concurrency: int
    seconds: float
    input_tokens: int
    output_tokens: int
    total_tokens: int

    def __str__(self) -> str:
        new = self.rows - self.earlier
        rate = f", {new / self.seconds:,.1f} rows/s" if self.seconds and new else ""
        lines = [
            f"{self.ending}{': ' if self.reason else ''}{self.reason}",
            f"rows      {self.rows:,} ({self.earlier:,} from earlier runs)",
            f"succeeded {self.succeeded:,}",
            f"failed    {self.failed:,}",
            *(f"  {count:,} × {kind}" for kind, count in sorted(self.errors.items())),
            f"requests  {self.requests:,} ({self.retries:,} retries, {self.throttled:,} throttled)",
            f"tokens    {self.input_tokens:,} in, {self.output_tokens:,} out",
            f"took      {self.seconds:,.1f} s{rate}, at most {self.concurrency} at once",
        ]
        return "\n".join(lines)


class BulkStoppedError(ResilienceError):
    """A run ended early, since going on would have been of no use; nothing is lost.

    Attributes:
        result: What became of the job so far.
    """

    retryable = False

    def __init__(
        self, message: str = "the run was stopped", result: BulkResult | None = None
    ) -> None:
        super().__init__(message)
        self.result = result
