"""What the emulator's own log says about a run: nothing lost, nothing sent twice without need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adapters.cli.demo.jobs import Outcome
from adapters.emulator import LogRecord

__all__ = ["Proof", "prove"]

_HARMLESS = {None, "slow"}  # what leaves an answer whole


@dataclass(frozen=True, slots=True)
class Proof:
    """Figures that were counted by the server.

    Attributes:
        requests: Requests that arrived.
        lost: Jobs without a right answer.
        needless: Requests for a job that had been answered whole already.
        too_early: Requests on a key before the time that the server had asked to wait.
        unknown: Requests that belong to no job.
        survived: The longest time in seconds from the first failure of a job to its answer.
    """

    requests: int
    lost: int
    needless: int
    too_early: int
    unknown: int
    survived: float

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, and nothing was sent without need."""
        return not (self.lost or self.needless or self.too_early or self.unknown)


def prove(outcomes: Sequence[Outcome], log: Iterable[LogRecord]) -> Proof:
    """Compare what a program believes with what the server has seen."""
    by_job: dict[str | None, list[LogRecord]] = defaultdict(list)
    for record in log:
        by_job[record.client_request_id].append(record)
    known = [by_job.pop(outcome.job.request_id, []) for outcome in outcomes]
    return Proof(
        requests=sum(map(len, known)) + sum(map(len, by_job.values())),
        lost=sum(outcome.failure is not None for outcome in outcomes),
        needless=sum(map(_after_the_answer, known)),
        too_early=sum(record.too_early for records in known for record in records),
        unknown=sum(map(len, by_job.values())),
        survived=max(map(_longest_trouble, known), default=0.0),
    )


def is_whole(record: LogRecord) -> bool:
    """Whether the server gave this request its whole, right answer."""
    return record.completed and record.status == 200 and record.fault in _HARMLESS  # noqa: PLR2004


def _after_the_answer(records: list[LogRecord]) -> int:
    answered = [index for index, record in enumerate(records) if is_whole(record)]
    return len(records) - 1 - answered[0] if answered else 0


def _longest_trouble(records: list[LogRecord]) -> float:
    """Return the seconds between a job's first failure and its answer; 0 if either is missing."""
    failures = [record.time for record in records if not is_whole(record)]
    answers = [record.time for record in records if is_whole(record)]
    return max(0.0, answers[-1] - failures[0]) if failures and answers else 0.0
