"""Storms as tables: what each contestant came to, and who got more for less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from benchmarks.storm.measure import Races
from benchmarks.storm.senders import OURS
from benchmarks.table import number, table

__all__ = ["Total", "storm_tables", "total"]


@dataclass(frozen=True)
class Total:
    """The medians over the races of one contestant.

    Attributes:
        goodput: Right answers a second.
        spread: The lowest and the highest of the goodputs.
        requests: Requests that were sent.
        of_a_thousand: Requests for a thousand right answers.
        too_early: Requests before the server's time.
        failed: Calls that ended with an error.
        slowest: Seconds within which 99 of 100 questions were answered, of those that were.
    """

    goodput: float
    spread: tuple[float, float]
    requests: float
    of_a_thousand: float
    too_early: float
    failed: float
    slowest: float


def total(races: Races, label: str) -> Total:
    """Return what a contestant's races came to."""
    finishes = races.finishes[label]
    answers = [max(1, len(each.count.answered)) for each in finishes]
    goodputs = [number / races.storm.seconds for number in answers]
    return Total(
        goodput=median(goodputs),
        spread=(min(goodputs), max(goodputs)),
        requests=median(each.requests for each in finishes),
        of_a_thousand=median(
            1_000 * each.requests / number for each, number in zip(finishes, answers, strict=True)
        ),
        too_early=median(each.too_early for each in finishes),
        failed=median(sum(each.count.failed.values()) for each in finishes),
        slowest=median(quantiles([0.0, *each.count.waits], n=100)[98] for each in finishes),
    )


def storm_tables(every: Sequence[Races]) -> str:
    """Return a table for each storm, with a line for each contestant, and what it shows."""
    return "\n\n".join(_section(races) for races in every)


def _section(races: Races) -> str:
    answers = ("right answers a second", "spread", "99 of 100 within")
    requests = ("requests", "for 1,000 answers", "before the server's time")
    header = ("who", *answers, *requests, "calls that failed")
    lines = table(header, (_row(races, label) for label in races.finishes))
    return f"### {races.storm.title}\n\n{lines}\n\n{_comparison(races)}"


def _row(races: Races, label: str) -> tuple[str, ...]:
    found = total(races, label)
    return (
        label,
        number(found.goodput),
        " to ".join(map(number, found.spread)),
        f"{number(found.slowest)} s",
        f"{found.requests:,.0f}",
        f"{found.of_a_thousand:,.0f}",
        f"{found.too_early:,.0f}",
        f"{found.failed:,.0f}",
    )


def _comparison(races: Races) -> str:
    """Say for each peer how many times its answers we got, and with which part of its requests."""
    ours = total(races, OURS)
    lines: list[str] = []
    for label in races.finishes:
        if label != OURS:
            theirs = total(races, label)
            lines.append(
                f"- {number(ours.goodput / theirs.goodput)} times the answers of {label}, with "
                f"{number(ours.of_a_thousand / theirs.of_a_thousand)} times its requests for each."
            )
    return "\n".join([*lines, *(f"- {label} is missing." for label in races.absent)])
