"""Run all jobs with one way of sending, on a fixed number of threads."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from adapters.cli.demo.jobs import Job, Outcome

__all__ = ["Race", "Sender"]

Answer = str | tuple[float, ...]
Sender = Callable[[Job], Answer]


@dataclass(slots=True)
class Race:
    """One run and its progress; the view reads while workers write.

    Attributes:
        reasons: How many jobs were lost, by reason.
    """

    jobs: Sequence[Job]
    seed: int
    workers: int
    outcomes: list[Outcome] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)
    ended: float | None = None

    def run(self, send: Sender, reason_of: Callable[[Exception], str]) -> None:
        """Send every job; an exception loses its job, nothing else."""
        self.began = time.monotonic()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="demo") as pool:
            for job in self.jobs:
                pool.submit(self._one, job, send, reason_of)
        self.ended = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return (self.ended or time.monotonic()) - self.began

    @property
    def rate(self) -> float:
        """Jobs for each second so far."""
        return len(self.outcomes) / self.seconds if self.seconds else 0.0

    def _one(self, job: Job, send: Sender, reason_of: Callable[[Exception], str]) -> None:
        began = time.monotonic()
        try:
            answer = send(job)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted and shown
            failure: str | None = reason_of(error)
        else:
            failure = None if job.is_right(answer, self.seed) else "wrong answer"
        if failure is not None:
            self.reasons[failure] += 1
        self.outcomes.append(Outcome(job, failure, time.monotonic() - began))
