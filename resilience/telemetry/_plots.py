"""The plots of a report: shapes as SVG that stretches, labels as text that does not.

So that a label is as large on a telephone as on a desk. All text is escaped.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from resilience._record import record
from resilience.telemetry._units import number_text, printable, seconds_text, time_text

__all__ = [
    "OUTCOMES",
    "Scale",
    "axis_of",
    "band",
    "legend",
    "plot_latency",
    "plot_outcomes",
    "text",
]

OUTCOMES = ("success", "failure", "refused", "cancelled")
_PERCENTILES = ("p50", "p90", "p99")
_DAY = 86_400.0
_TICKS = 4


@record(kw_only=False)
class Scale:
    """Where a value lies between two others, in per cent."""

    first: float
    last: float

    def place(self, value: float) -> float:
        """Return its place; what lies outside is at the edge."""
        share = (value - self.first) / ((self.last - self.first) or 1.0)
        return 100 * min(1.0, max(0.0, share))


def text(value: object) -> str:
    """Return a text that is nothing but text in a page."""
    return html.escape(printable(str(value)))


def legend(counts: Mapping[str, str]) -> str:
    """Return what the colours mean, each with a figure."""
    items = (
        f'<li><i class="{name.lower()}"></i>{text(name)} <b>{text(figure)}</b></li>'
        for name, figure in counts.items()
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def plot_latency(bars: Sequence[Sequence[float]], latency: Mapping[str, float]) -> str:
    """Return how latencies are spread, on a logarithmic scale, with the percentiles marked.

    The area of a bar is its number of calls.
    """
    bars = [(max(low, high / 2), high, count) for low, high, count in bars if high > _NO_TIME]
    if not bars:
        return '<p class="quiet">Nothing took any time.</p>'
    scale = Scale(math.log2(bars[0][0]), math.log2(bars[-1][1]))
    tallest = max(count / math.log2(high / low) for low, high, count in bars)
    shapes = [
        _rect(
            "bar",
            scale.place(math.log2(low)),
            scale.place(math.log2(high)),
            100 * count / math.log2(high / low) / tallest,
            f"{seconds_text(low)} to {seconds_text(high)}: {number_text(int(count))} calls",
        )
        for low, high, count in bars
    ]
    marks = {name: scale.place(_log2(latency[name])) for name in _PERCENTILES}
    shapes += [f'<path class="mark" d="M{at:.2f} 0V100"/>' for at in marks.values()]
    labels = [
        _label(at, f"{name} {seconds_text(latency[name])}", row)
        for row, (name, at) in enumerate(marks.items())
    ]
    ticks = [(scale.place(math.log2(each)), seconds_text(each)) for each in _decades(bars)]
    return _figure("How latencies are spread", shapes, labels, ticks)


def plot_outcomes(timeline: Mapping[str, Any], axis: Scale) -> str:
    """Return the outcomes of each interval as stacked bars, and its retries as a line."""
    counts = list(zip(*(timeline[kind] for kind in OUTCOMES), strict=True))
    retries, interval = timeline["retries"], timeline["interval"]
    highest = max(1, *map(sum, counts), *retries)
    shapes, line = [], []
    for number, (each, again) in enumerate(zip(counts, retries, strict=True)):
        begin = timeline["start"] + number * interval
        left, right = axis.place(begin), axis.place(begin + interval)
        said = (f"{count} {kind}" for kind, count in zip(OUTCOMES, each, strict=True) if count)
        title = f"{time_text(begin)}: {', '.join((*said, f'{again} retries'))}"
        base = 0.0
        for kind, count in zip(OUTCOMES, each, strict=True):
            if count:
                height = 100 * count / highest
                shapes.append(_rect(kind, left, right, height, title, base=base))
                base += height
        line.append(f"{left:.2f} {100 - 100 * again / highest:.2f}H{right:.2f}")
    if any(retries):
        shapes.append(f'<path class="retries" d="M{"L".join(line)}"/>')
    top = f"{number_text(highest)} in {seconds_text(interval)}"
    return _figure("Outcomes over time", shapes, [_label(0, top, 0)], _times(axis))


def band(name: str, pieces: Iterable[tuple[str, float, float, str]], axis: Scale) -> str:
    """Return one line of a timeline: pieces of a class, from, to and a title."""
    shapes = [
        _rect(kind, axis.place(begin), axis.place(end), 100, title)
        for kind, begin, end, title in pieces
    ]
    drawing = _drawing(name, shapes)
    return f'<div class="band"><span>{text(name)}</span>{drawing}</div>'


def axis_of(axis: Scale) -> str:
    """Return the times below a timeline."""
    return _axis(_times(axis))


def _times(axis: Scale) -> list[tuple[float, str]]:
    """Return where times stand on the axis, and how they are written."""
    span = axis.last - axis.first
    times = [axis.first + span * number / (_TICKS - 1) for number in range(_TICKS)]
    part = slice(5, 16) if span > _DAY else slice(11, 19)  # month to minute, or hour to second
    return [(axis.place(each), time_text(each)[part]) for each in times]


_NO_TIME = 1e-30  # seconds; what is below was 0 on a clock that stood still


def _log2(seconds: float) -> float:
    return math.log2(max(seconds, _NO_TIME))


def _decades(bars: Sequence[Sequence[float]]) -> list[float]:
    """Return round numbers within the bars, at most five of them."""
    low, high = bars[0][0], bars[-1][1]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        values = [digit * 10.0**power for power in powers for digit in digits]
        found = [value for value in values if low <= value <= high]
        if len(found) <= _TICKS + 1:
            return found
    return found[:: math.ceil(len(found) / (_TICKS + 1))]


def _rect(
    kind: str, left: float, right: float, height: float, title: str, *, base: float = 0.0
) -> str:
    place = f'x="{left:.2f}" y="{100 - base - height:.2f}"'
    size = f'width="{max(0.15, right - left):.2f}" height="{height:.2f}"'
    return f'<rect class="{text(kind)}" {place} {size}><title>{text(title)}</title></rect>'


def _label(at: float, label: str, row: int) -> str:
    side = f"right:{100 - at:.2f}%" if at > 50 else f"left:{at:.2f}%"  # noqa: PLR2004 - the middle
    return f'<span style="{side};top:{1.2 * row:.1f}em">{text(label)}</span>'


def _drawing(title: str, shapes: Iterable[str]) -> str:
    head = '<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img"'
    return f'{head} aria-label="{text(title)}">{"".join(shapes)}</svg>'


def _figure(
    title: str, shapes: Iterable[str], labels: Iterable[str], ticks: Iterable[tuple[float, str]]
) -> str:
    drawing = f'<div class="drawing">{_drawing(title, shapes)}{"".join(labels)}</div>'
    return drawing + _axis(ticks)


def _axis(ticks: Iterable[tuple[float, str]]) -> str:
    marks = (f'<span style="left:{at:.2f}%"><b>{text(label)}</b></span>' for at, label in ticks)
    return f'<div class="axis">{"".join(marks)}</div>'
