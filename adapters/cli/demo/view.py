"""What the demo shows: a live view of a run, and the table that compares both."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from adapters.cli.demo.proof import Proof
from adapters.cli.demo.race import Race

__all__ = ["Column", "comparison", "watch"]

_REFRESH = 5.0  # times a second
_STATES = {"CLOSED": "green", "HALF-OPEN": "yellow", "OPEN": "red"}


@contextmanager
def watch(
    console: Console, title: str, race: Race, details: Callable[[], dict[str, str]]
) -> Generator[None]:
    """Show the progress of a run while it runs; one line at its end where nobody watches."""
    if not console.is_terminal:
        yield
        console.print(_summary(title, race))
        return
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )
    task = progress.add_task(title, total=len(race.jobs))

    def render() -> RenderableType:
        progress.update(task, completed=len(race.outcomes))
        rows = Table.grid(padding=(0, 2))
        for name, value in {"rate": f"{race.rate:.0f} jobs/s", **details()}.items():
            rows.add_row(name, Text(value, style=_STATES.get(value, "")))
        rows.add_row("lost", str(sum(race.reasons.copy().values())))
        return Group(progress, rows)

    with Live(get_renderable=render, console=console, refresh_per_second=_REFRESH, transient=True):
        yield
    console.print(_summary(title, race))


@dataclass(frozen=True, slots=True)
class Column:
    """One run in the table."""

    title: str
    race: Race
    proof: Proof
    extra: dict[str, str]


def comparison(columns: Sequence[Column]) -> Table:
    """Return the table: what each way achieved, and what it cost."""
    table = Table(title="The same storm, twice")
    table.add_column("")
    for column in columns:
        table.add_column(column.title, justify="right")
    for name, values in _rows(columns).items():
        table.add_row(name, *values)
    return table


def _rows(columns: Sequence[Column]) -> dict[str, list[str]]:
    reasons = sorted({reason for column in columns for reason in column.race.reasons})
    extras = list(dict.fromkeys(name for column in columns for name in column.extra))
    rows = {
        "jobs": [str(len(column.race.jobs)) for column in columns],
        "succeeded": [str(len(column.race.jobs) - column.proof.lost) for column in columns],
        "lost": [str(column.proof.lost) for column in columns],
    }
    for reason in reasons:
        rows[f"  {reason}"] = [str(column.race.reasons[reason]) for column in columns]
    rows |= {
        "latency p50": [_latency(column.race, 50) for column in columns],
        "latency p95": [_latency(column.race, 95) for column in columns],
        "requests sent": [str(column.proof.requests) for column in columns],
        "  needless": [str(column.proof.needless) for column in columns],
        "  before Retry-After": [str(column.proof.too_early) for column in columns],
        "longest outage survived": [f"{column.proof.survived:.1f} s" for column in columns],
        "took": [f"{column.race.seconds:.1f} s" for column in columns],
    }
    for name in extras:
        rows[name] = [column.extra.get(name, "-") for column in columns]
    return rows


def _latency(race: Race, percent: int) -> str:
    """Return a percentile over the jobs that succeeded, waits and retries included."""
    seconds = [outcome.seconds for outcome in race.outcomes if outcome.failure is None]
    if len(seconds) < 2:  # noqa: PLR2004 - quantiles need two
        return "-"
    return f"{statistics.quantiles(seconds, n=100)[percent - 1]:.2f} s"


def _summary(title: str, race: Race) -> str:
    done = len(race.outcomes)
    lost = sum(race.reasons.values())
    return f"{title}: {done} jobs in {race.seconds:.1f} s, {lost} lost"
