"""How a contest is measured: contestants in turn, in one run, as ratios to a baseline.

No machine is quiet, and no two are alike, so a time says nothing and a ratio does.
Each round takes one short sample of every contestant, one right after the other. What disturbs a
sample makes it longer, never shorter: the figure is the ratio of the best samples. Its spread is
the lowest and the highest of the same ratio in each third of the rounds.

One call after another is measured in time of the processor, which knows nothing of what else runs
on the machine; where threads wait for each other, in time that passes.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import CodeType, FunctionType
from typing import Any, TypeVar, cast

from benchmarks.figures import Figure, Round, figure_of
from benchmarks.samples import VALUE, Call, seconds_per_call

__all__ = [
    "BASE",
    "DEFAULT",
    "FULL",
    "PLAIN",
    "QUICK",
    "Contest",
    "Effort",
    "Result",
    "Sample",
    "fresh",
    "measure",
    "take_rounds",
]

BASE = "c"  # one `functools.wraps` closure around the same function
PLAIN = "ours plain"  # without statistics
DEFAULT = "ours default"  # with them, and without an OpenTelemetry SDK

_FIRST_NUMBER = 8
_MOST = 1_000_000  # calls in a sample

F = TypeVar("F")
Sample = Callable[[Any, int], float | Coroutine[Any, Any, float]]


@dataclass(frozen=True, kw_only=True)
class Contest:
    """One row of the table.

    Attributes:
        name: Selects it on the command line.
        title: What is measured.
        contestants: For each label, what makes the call to measure. A maker that imports what is
            not installed leaves its contestant out.
        baseline: The label that the others are compared with; None compares nothing.
        unit: The baseline's name in the table, or the unit where there is none.
        goals: The ratio to reach, by label; in place of a number, the label of the contestant
            whose ratio is to be reached.
        sample: Takes one sample: a figure for one call (seconds, or bytes), from so many calls.
        echoes: Contestants are called with a value and return it; otherwise they are whatever
            `sample` takes.
        number: The calls of a sample; None chooses it so that a sample takes long enough.
        shown: What the baseline's own figure is shown in: "µs", "ms", "M/s", "k/s" or
            "bytes".
        is_rate: The ratio is one of rates (more is better), not of costs.
        with_gc: The garbage collector runs, because it is a part of the cost.
        weight: Rounds are divided by this: a heavy contest makes few.
        is_long: A quick run leaves it out.
        around: Stands around the whole contest, the making of the contestants included.
    """

    name: str
    title: str
    contestants: Mapping[str, Callable[[], Call]]
    baseline: str | None = BASE
    unit: str = "c"
    goals: Mapping[str, float | str] = field(default_factory=dict)
    sample: Sample = seconds_per_call
    echoes: bool = True
    number: int | None = None
    shown: str = "µs"
    is_rate: bool = False
    with_gc: bool = False
    weight: int = 1
    is_long: bool = False
    around: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        rounds: At most; a heavy contest makes fewer.
        seconds: That one sample takes, where its length is free.
        fewest: Rounds at least.
        races: Of each contestant in each storm.
    """

    rounds: int
    seconds: float
    fewest: int = 3
    races: int = 1


FULL = Effort(rounds=300, seconds=0.002, races=2)
QUICK = Effort(rounds=40, seconds=0.002)


@dataclass(frozen=True)
class Result:
    """A contest and the figures of those who took part; `absent` are not installed."""

    contest: Contest
    figures: Mapping[str, Figure]
    absent: tuple[str, ...]


def _enter(contest: Contest) -> tuple[dict[str, Call], tuple[str, ...]]:
    entrants: dict[str, Call] = {}
    absent: list[str] = []
    for label, make in contest.contestants.items():
        try:
            entrants[label] = make()
        except ModuleNotFoundError:
            absent.append(label)
    return entrants, tuple(absent)


def _value(result: object) -> object:
    return asyncio.run(result) if isinstance(result, Coroutine) else result


def measure(contest: Contest, effort: Effort) -> Result:
    """Measure all contestants of a contest against each other.

    Raises:
        AssertionError: if one of them does not do what it is meant to do.
    """
    rounds, absent = take_rounds(contest, effort)
    baseline = contest.baseline
    figures = {
        label: figure_of(rounds, label, baseline, is_rate=contest.is_rate)
        for label in (rounds[0] if rounds else ())
    }
    return Result(contest, figures, absent)


def take_rounds(contest: Contest, effort: Effort) -> tuple[list[Round], tuple[str, ...]]:
    """Return what each round came to, and who is not installed; no rounds without the baseline."""
    with contest.around():
        entrants, absent = _enter(contest)
        for label, call in entrants.items():
            assert not contest.echoes or VALUE == _value(call(VALUE)), label
        if contest.baseline not in (None, *entrants):
            return [], absent
        gc.collect()
        gc.freeze()  # the collections between samples look at nothing that was here before
        takers = {label: _Taker(contest, call, effort.seconds) for label, call in entrants.items()}
        turns = max(effort.fewest, effort.rounds // contest.weight)
        rounds = [_round(takers, turn) for turn in range(turns)]
        gc.unfreeze()
    return rounds, absent


class _Taker:
    """Takes samples of one contestant, with measuring code of its own.

    The interpreter specialises code for what it has met: a loop that calls first one contestant
    and then another would be slow for both.
    """

    def __init__(self, contest: Contest, call: Call, seconds: float) -> None:
        self._sample = fresh(contest.sample)
        self._call = call
        self._with_gc = contest.with_gc
        self._number = contest.number or self._enough(seconds)
        self.take()  # caches, pools and specialised code are warm when it counts

    def take(self) -> float:
        """Take one sample; what is left of the others is collected before."""
        return self._take(self._number)

    def _take(self, number: int) -> float:
        gc.collect()
        if not self._with_gc:
            gc.disable()
        try:
            figure = self._sample(self._call, number)
            return figure if isinstance(figure, float) else asyncio.run(figure)
        finally:
            gc.enable()

    def _enough(self, seconds: float) -> int:
        """Return how many calls take so many seconds."""
        number = _FIRST_NUMBER
        while (spent := self._take(number) * number) < seconds / 4 and number < _MOST:
            number *= 4
        return max(1, min(_MOST, round(number * seconds / spent)))


def fresh(function: F) -> F:
    """Return a copy of a function whose code nobody else runs."""
    assert isinstance(function, FunctionType)
    copy = FunctionType(
        _fresh(function.__code__),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    return cast("F", copy)


def _fresh(code: CodeType) -> CodeType:
    """Return a copy of the code, and of the functions within it, as if it had never run."""
    constants = (_fresh(each) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_consts=tuple(constants))


def _round(takers: Mapping[str, _Taker], turn: int) -> Round:
    """Take one sample of each, beginning with another one each time."""
    labels = list(takers)
    first = turn % len(labels)
    return {label: takers[label].take() for label in labels[first:] + labels[:first]}
