"""How figures come about: the best of each, as ratios, with a spread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.harness import DEFAULT, PLAIN, Contest, Effort, Result, measure
from benchmarks.samples import own_figure
from benchmarks.table import details, summary


def scripted(*figures: float) -> Callable[[], Callable[[int], float]]:
    """Make a contestant whose samples come to these figures, after one that warms it up."""
    rest = iter((1_000.0, *figures))
    return lambda: lambda number: next(rest)


def contest_of(**changes: Any) -> Contest:
    """Return a contest whose contestants say themselves what they come to."""
    fields: dict[str, Any] = {
        "name": "contest",
        "title": "the title",
        "baseline": "base",
        "sample": own_figure,
        "echoes": False,
        "number": 1,
    }
    return Contest(**fields | changes)


def result_of(rounds: int = 3, **changes: Any) -> Result:
    """Measure such a contest."""
    return measure(contest_of(**changes), Effort(rounds=rounds, seconds=0.0, fewest=1))


def missing() -> Any:
    """Stand for a peer that is not installed."""
    raise ModuleNotFoundError


def test_a_figure_is_the_ratio_of_the_best():
    """Slower samples change nothing but the spread, which is that of the thirds."""
    result = result_of(
        contestants={"base": scripted(2.0, 2.0, 4.0), PLAIN: scripted(9.0, 6.0, 4.0)}
    )

    assert 2.0 == result.figures[PLAIN].ratio
    assert 3.0 == result.figures[PLAIN].median
    assert (1.0, 4.5) == result.figures[PLAIN].spread
    assert 4.0 == result.figures[PLAIN].best


def test_a_rate_is_better_the_higher_it_is():
    """Half the time for a call is twice the calls in a second."""
    result = result_of(
        contestants={"base": scripted(2.0, 2.0, 2.0), PLAIN: scripted(1.0, 1.0, 1.0)},
        is_rate=True,
    )

    assert 2.0 == result.figures[PLAIN].ratio


def test_without_a_baseline_figures_stand_for_themselves():
    """Where nothing is compared, the figure is the contestant's own."""
    result = result_of(contestants={PLAIN: scripted(30.0, 20.0, 40.0)}, baseline=None)

    assert 20.0 == result.figures[PLAIN].ratio


def test_who_is_not_installed_is_left_out():
    """The others are measured, and the table says who is missing."""
    result = result_of(
        contestants={"base": scripted(1.0), PLAIN: scripted(2.0), "peer": missing}, rounds=1
    )

    assert ("peer",) == result.absent
    assert {"base", PLAIN} == set(result.figures)
    assert "peer is missing" in summary([result])


def test_without_its_baseline_a_contest_has_no_figures():
    """There is nothing to compare with."""
    result = result_of(contestants={"base": missing, PLAIN: scripted()})

    assert {} == result.figures
    assert "base is missing" in summary([result])


def test_a_wrong_answer_is_not_measured():
    """Who does not return what it was given is no contestant."""
    with pytest.raises(AssertionError, match="plain"):
        result_of(contestants={PLAIN: lambda: lambda value: None}, baseline=None, echoes=True)


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [((1.0, 1.1, 1.2), "yes"), ((1.9, 2.1, 2.2), "perhaps"), ((2.1, 2.2, 2.3), "no")],
)
def test_a_goal_is_reached_when_the_spread_is_within_it(samples: tuple[float, ...], verdict: str):
    """Between, nobody knows."""
    result = result_of(
        contestants={"base": scripted(1.0, 1.0, 1.0), PLAIN: scripted(*samples)},
        goals={PLAIN: 2.0},
    )

    assert f"| 2.00 | {verdict} |" in summary([result])


def test_a_goal_may_be_a_rival():
    """What it comes to in the same run is what must be reached."""
    result = result_of(
        contestants={
            "base": scripted(1.0, 1.0, 1.0),
            PLAIN: scripted(2.0, 2.0, 2.0),
            "rival": scripted(3.0, 3.0, 3.0),
        },
        goals={PLAIN: "rival"},
    )

    assert "| rival | yes |" in summary([result])


def test_every_figure_stands_in_the_details():
    """One line for each contestant: ratio, spread and best sample."""
    result = result_of(
        contestants={"base": scripted(2e-6, 2e-6, 2e-6), DEFAULT: scripted(25e-6, 24e-6, 26e-6)},
    )

    line = "| contest | ours default | 12.0 c | 12.5 | 12.0 to 13.0 | 24.0 µs |"

    assert line in details([result])
