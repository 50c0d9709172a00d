"""The figures as a Markdown page: the table, and beneath it every figure with its spread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.figures import Figure
from benchmarks.harness import DEFAULT, PLAIN, Contest, Result

__all__ = ["FACTORS", "details", "number", "shown", "summary", "table", "verdict"]

_OURS = (PLAIN, DEFAULT)
FACTORS = {"µs": 1e6, "ms": 1e3, "bytes": 1.0}
_RATES = {"M/s": 1e-6, "k/s": 1e-3}


def summary(results: Sequence[Result]) -> str:
    """Return the table: ours beside the goal and the peers."""
    header = ("what", PLAIN, DEFAULT, "goal", "reached", "baseline", "others")
    return table(header, (_summary_row(result) for result in results))


def details(results: Sequence[Result]) -> str:
    """Return every figure with its spread, and the best sample behind it."""
    header = ("contest", "contestant", "ratio", "median", "spread", "best")
    rows = (
        (result.contest.name, label, *_figure_cells(result.contest, figure))
        for result in results
        for label, figure in result.figures.items()
    )
    return table(header, rows)


def _summary_row(result: Result) -> tuple[str, ...]:
    contest, figures = result.contest, result.figures
    others = [
        f"{label} {number(figure.ratio)}"
        for label, figure in sorted(figures.items(), key=lambda item: item[1].ratio)
        if label not in (*_OURS, contest.baseline)
    ]
    others += [f"{label} is missing" for label in result.absent]
    return (
        contest.title,
        *(_own_cell(contest, figures.get(label)) for label in _OURS),
        "; ".join(_goal_cell(goal) for goal in contest.goals.values()),
        "; ".join(_verdicts(result)),
        _baseline_cell(result),
        ", ".join(others),
    )


def _own_cell(contest: Contest, figure: Figure | None) -> str:
    if figure is None:
        return ""
    return f"{number(figure.ratio)} {contest.unit} ({number(figure.median)})"


def _goal_cell(goal: float | str) -> str:
    return goal if isinstance(goal, str) else number(goal)


def _baseline_cell(result: Result) -> str:
    contest = result.contest
    if contest.baseline is None or contest.baseline not in result.figures:
        return ""
    return f"{contest.baseline}: {shown(contest.shown, result.figures[contest.baseline].best)}"


def _verdicts(result: Result) -> Iterable[str]:
    """Say for each goal whether it is reached; where it lies within the spread, nobody knows."""
    for label, goal in result.contest.goals.items():
        figure, ratio = result.figures.get(label), _ratio_to_reach(result, goal)
        if figure is None or ratio is None:
            continue
        yield verdict(figure, ratio, is_rate=result.contest.is_rate)


def verdict(figure: Figure, goal: float, *, is_rate: bool = False) -> str:
    """Say whether a goal is reached by both ends of the spread, by one of them, or by none."""
    ends = [end >= goal if is_rate else end <= goal for end in figure.spread]
    return "yes" if all(ends) else "perhaps" if any(ends) else "no"


def _ratio_to_reach(result: Result, goal: float | str) -> float | None:
    if not isinstance(goal, str):
        return goal
    rival = result.figures.get(goal)
    return None if rival is None else rival.ratio


def _figure_cells(contest: Contest, figure: Figure) -> tuple[str, str, str, str]:
    spread = " to ".join(number(end) for end in figure.spread)
    ratio = f"{number(figure.ratio)} {contest.unit}"
    return ratio, number(figure.median), spread, shown(contest.shown, figure.best)


def shown(unit: str, value: float) -> str:
    """Return a figure of one call in a unit: a time or a size, or the calls in a second."""
    if unit in _RATES:
        return f"{number(_RATES[unit] / value)} {unit}"
    return f"{number(value * FACTORS[unit])} {unit}"


def number(value: float) -> str:
    """Return three digits that count, without an exponent."""
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{decimals}f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
