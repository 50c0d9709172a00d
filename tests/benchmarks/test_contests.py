"""Every contest of the benchmarks runs, with whichever peers are installed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.contests import CONTESTS
from benchmarks.harness import DEFAULT, PLAIN, Contest, Effort, measure

ONE_SAMPLE = Effort(rounds=1, seconds=0.0, fewest=1)
FEW = 16  # calls, or waiters, where a real run takes thousands


@pytest.mark.parametrize("contest", CONTESTS, ids=[contest.name for contest in CONTESTS])
def test_a_contest_runs(contest: Contest):
    """All who are here do what they are meant to do, and come to a figure if the baseline does."""
    small = replace(contest, number=min(FEW, contest.number or FEW))

    result = measure(small, ONE_SAMPLE)
    here = set(contest.contestants) - set(result.absent)

    assert set(result.figures) == (here if contest.baseline in {None, *here} else set())
    assert all(figure.ratio > 0 and figure.best > 0 for figure in result.figures.values())


@pytest.mark.parametrize("contest", CONTESTS, ids=[contest.name for contest in CONTESTS])
def test_goals_are_ours(contest: Contest):
    """A goal is one for us, plain or default, in the order of the table's columns."""
    assert [label for label in (PLAIN, DEFAULT) if label in contest.goals] == list(contest.goals)
