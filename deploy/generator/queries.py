"""Expressions of PromQL about the metrics of the definitions.

A name, an attribute or a value that the definitions do not know is an error here, so none gets into
a rule or a panel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.generator.names import label_of, series_of
from resilience.telemetry.conventions import ALL_METRICS, ATTRIBUTES

__all__ = ["Queries"]

_VALUES = {each.name: {str(value) for value in each.values} for each in ATTRIBUTES}


@dataclass(frozen=True)
class Queries:
    """Makes expressions that look at one time and at some of the series.

    Attributes:
        window: Over which rates are taken.
        keep: Labels that every sum keeps, beside those that are asked for.
        filters: Attribute, and what it has to match, for each metric that has it; the key "job"
            stands for the label.
    """

    window: str
    keep: tuple[str, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)

    def select(self, name: str, part: str = "", *, ago: str = "", **where: str) -> str:
        """All series of a metric, now or as they were some time ago.

        `where` says by labels what to look at: "a", "a|b" for either, and "!" in front for any
        other; "!" alone is for where there is any.
        """
        on = {*ALL_METRICS[name].attributes, *ALL_METRICS[name].optional}
        chosen = {_attribute(label, on): value for label, value in where.items()}
        for attribute, value in chosen.items():
            _check(attribute, value)
        filters = {key: value for key, value in self.filters.items() if key in {"job", *on}}
        text = _matchers({**filters, **chosen})
        return " or ".join(f"{each}{text}{_offset(ago)}" for each in series_of(name, part))

    def rate(
        self, name: str, part: str = "", *, over: str = "", ago: str = "", **where: str
    ) -> str:
        """How fast each series of a counter rises, per second."""
        series = self.select(name, part, **where)
        return f"rate({series}[{over or self.window}]{_offset(ago)})"

    def total(self, name: str, part: str = "", *, by: str = "", **how: str) -> str:
        """The sum of these rates, for each value of the labels in `by`."""
        return f"sum{self._by(name, by)} ({self.rate(name, part, **how)})"

    def now(self, name: str, *, by: str = "", how: str = "sum", **where: str) -> str:
        """A gauge, put together over the processes."""
        return f"{how}{self._by(name, by)} ({self.select(name, **where)})"

    def mean(self, name: str, *, by: str = "", **where: str) -> str:
        """The mean of what a histogram has seen."""
        both = (self.total(name, part, by=by, **where) for part in ("sum", "count"))
        return " / ".join(both)

    def quantile(self, quantile: float, name: str, *, by: str = "", **where: str) -> str:
        """A quantile of what a histogram has seen, by its buckets."""
        rates = self.rate(name, "bucket", **where)
        return f"histogram_quantile({quantile}, sum{self._by(name, by, 'le')} ({rates}))"

    def _by(self, name: str, by: str, *more: str) -> str:
        on = {*ALL_METRICS[name].attributes, *ALL_METRICS[name].optional}
        labels = [label_of(_attribute(each, on)) for each in by.split()]
        kept = [*more, *self.keep, *labels]
        return f" by ({', '.join(kept)})" if kept else ""


def _attribute(label: str, on: set[str]) -> str:
    """The attribute that becomes this label."""
    found = [each for each in on if label_of(each) == label]
    if not found:
        raise ValueError(f"no attribute {label}: there are {', '.join(sorted(on))}")
    return found[0]


def _matchers(chosen: Mapping[str, str]) -> str:
    texts = [
        f'{label_of(key)}{_operator(value)}"{value.removeprefix("!")}"'
        for key, value in chosen.items()
    ]
    return f"{{{','.join(texts)}}}" if texts else ""


def _offset(ago: str) -> str:
    return f" offset {ago}" if ago else ""


def _check(attribute: str, value: str) -> None:
    known = _VALUES[attribute]
    for each in value.removeprefix("!").split("|"):
        if known and each not in known:
            one = ", ".join(sorted(known))
            raise ValueError(f"{attribute} is never {each}: it is one of {one}")


def _operator(value: str) -> str:
    """`!` in front turns a match around; a list or a variable is a regular expression."""
    is_pattern = any(each in value for each in "|$.*+")
    if value.startswith("!"):
        return "!~" if is_pattern else "!="
    return "=~" if is_pattern else "="
