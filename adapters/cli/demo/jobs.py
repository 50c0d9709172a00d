"""The work of the demo: requests whose right answers are known."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

from adapters.emulator import expected_answer, expected_vector
from resilience import Priority

__all__ = ["EMBED_MODEL", "MODEL", "Job", "Operation", "Outcome", "make_jobs"]

Operation = Literal["chat", "stream", "embed"]

MODEL = "gpt-4o-mini"
EMBED_MODEL = "text-embedding-3-small"
DIMENSIONS = 32  # enough to tell vectors apart, and quick to compare
_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Job:
    """One request to make; its number stands in the prompt, so that no two answers are equal."""

    number: int
    operation: Operation
    prompt: str
    priority: Priority

    @property
    def request_id(self) -> str:
        """The id under which the server's log knows it, however often it is sent."""
        return f"job-{self.number:05d}"

    def is_right(self, answer: str | tuple[float, ...], seed: int) -> bool:
        """Whether this is the answer to this very prompt, whole and unspoilt."""
        if isinstance(answer, str):
            return answer == expected_answer(self.prompt, seed=seed)
        vector = expected_vector(self.prompt, DIMENSIONS, seed=seed)
        pairs = zip(answer, vector, strict=True) if len(answer) == DIMENSIONS else [(0.0, 1.0)]
        return all(math.isclose(a, b, abs_tol=_TOLERANCE) for a, b in pairs)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job.

    Attributes:
        failure: Why it was lost, in two or three words; None for a right answer.
        seconds: From its first attempt to the end.
    """

    job: Job
    failure: str | None
    seconds: float


def make_jobs(count: int, seed: int) -> list[Job]:
    """Return the same `count` jobs for the same seed: half chat, a quarter each of the others."""
    lines = (
        files("adapters.cli.demo").joinpath("prompts.txt").read_text(encoding="utf-8").splitlines()
    )
    dice = random.Random(seed)  # noqa: S311 - a seeded mixture, no secret
    operations: list[Operation] = ["chat", "chat", "stream", "embed"]
    priorities = [Priority.HIGH, *[Priority.NORMAL] * 3, Priority.LOW]
    return [
        Job(
            number,
            operations[number % len(operations)],
            f"{lines[number % len(lines)]} ({number})",
            dice.choice(priorities),
        )
        for number in range(count)
    ]
