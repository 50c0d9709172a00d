"""What the callers of one contestant came to; a worker sends it as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Count"]


@dataclass(slots=True)
class Count:
    """What the callers came to.

    Attributes:
        began: When they began, by the clock that all processes share.
        answered: Seconds from the start to each right answer.
        waits: Seconds from each of these questions, first asked, to its answer.
        wrong: Answers that were not right.
        failed: Calls that ended with an error, by its name; their question was asked again.
    """

    began: float = 0.0
    answered: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    wrong: int = 0
    failed: dict[str, int] = field(default_factory=dict)
