"""The figures as a Markdown page: the table, and beneath it every figure with its spread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.harness import DEFAULT, PLAIN, Contest, Figure, Result

__all__ = ["details", "summary"]

_OURS = (PLAIN, DEFAULT)
_FACTORS = {"µs": 1e6, "ms": 1e3, "bytes": 1.0}


def summary(results: Sequence[Result]) -> str:
    """Return the table: ours beside the goal and the peers."""
    header = ("what", PLAIN, DEFAULT, "goal", "reached", "baseline", "others")
    return _table(header, (_summary_row(result) for result in results))


def details(results: Sequence[Result]) -> str:
    """Return every figure with its spread, and the best sample behind it."""
    header = ("contest", "contestant", "ratio", "spread", "best")
    rows = (
        (result.contest.name, label, *_figure_cells(result.contest, figure))
        for result in results
        for label, figure in result.figures.items()
    )
    return _table(header, rows)


def _summary_row(result: Result) -> tuple[str, ...]:
    contest, figures = result.contest, result.figures
    others = [
        f"{label} {_number(figure.ratio)}"
        for label, figure in sorted(figures.items(), key=lambda item: item[1].ratio)
        if label not in (*_OURS, contest.baseline)
    ]
    others += [f"{label} is missing" for label in result.absent]
    return (
        contest.title,
        *(_own_cell(contest, figures.get(label)) for label in _OURS),
        "; ".join(map(_number, contest.goals.values())),
        "; ".join(_verdicts(result)),
        _baseline_cell(result),
        ", ".join(others),
    )


def _own_cell(contest: Contest, figure: Figure | None) -> str:
    return "" if figure is None else f"{_number(figure.ratio)} {contest.unit}"


def _baseline_cell(result: Result) -> str:
    contest = result.contest
    if contest.baseline is None or contest.baseline not in result.figures:
        return ""
    return f"{contest.baseline}: {_shown(contest, result.figures[contest.baseline].best)}"


def _verdicts(result: Result) -> Iterable[str]:
    """Say for each goal whether it is reached; where it lies within the spread, nobody knows."""
    for label, goal in result.contest.goals.items():
        figure = result.figures.get(label)
        if figure is None:
            continue
        ends = [end >= goal if result.contest.is_rate else end <= goal for end in figure.spread]
        yield "yes" if all(ends) else "perhaps" if any(ends) else "no"


def _figure_cells(contest: Contest, figure: Figure) -> tuple[str, str, str]:
    spread = " to ".join(_number(end) for end in figure.spread)
    ratio = f"{_number(figure.ratio)} {contest.unit}"
    return ratio, spread, _shown(contest, figure.best)


def _shown(contest: Contest, value: float) -> str:
    if contest.shown == "M/s":
        return f"{_number(1e-6 / value)} M/s"
    return f"{_number(value * _FACTORS[contest.shown])} {contest.shown}"


def _number(value: float) -> str:
    """Return three digits that count, without an exponent."""
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{decimals}f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
