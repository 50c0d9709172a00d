"""From samples to a figure: the ratio of the best, the median of the ratios, and the spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Figure", "Round", "figure_of"]

Round = Mapping[str, float]  # one sample of each contestant, by label

_PARTS = 3


@dataclass(frozen=True)
class Figure:
    """What a contestant came to: a ratio to the baseline (without one, the figure itself).

    Attributes:
        ratio: Of the best samples.
        median: Of the ratios in each round.
        spread: The lowest and the highest of the ratios of the parts.
        best: Its own best sample.
    """

    ratio: float
    median: float
    spread: tuple[float, float]
    best: float


def figure_of(
    rounds: Sequence[Round], label: str, baseline: str | None = None, *, is_rate: bool = False
) -> Figure:
    """Return what a contestant came to; a rate is the better the less time a call takes."""

    def ratio(some: Sequence[Round]) -> float:
        best = _best(some, label)
        if baseline is None:
            return best
        return _best(some, baseline) / best if is_rate else best / _best(some, baseline)

    number = min(_PARTS, len(rounds))
    parts = [ratio(rounds[part::number]) for part in range(number)]
    return Figure(
        ratio=ratio(rounds),
        median=median(ratio([each]) for each in rounds),
        spread=(min(parts), max(parts)),
        best=_best(rounds, label),
    )


def _best(rounds: Sequence[Round], label: str) -> float:
    return min(each[label] for each in rounds)
