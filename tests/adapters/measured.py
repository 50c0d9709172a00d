"""What a client's calls are measured by, held against the definitions of the toolkit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resilience.telemetry import conventions
from tests.telemetry.conftest import Metrics

__all__ = ["Measured", "Point"]

SHAPES = {"Histogram": "histogram", "Gauge": "gauge", "Sum": "counter"}
OURS = ("gen_ai.", "http.")

# Attributes in the order of their names, and a number or a histogram's count and sum.
Point = tuple[dict[str, Any], Any]


class Measured(Metrics):
    """The metrics of model calls and of requests."""

    def names(self) -> set[str]:
        """Those that have a point."""
        return {name for name in self.all() if name.startswith(OURS)}

    def told(self, name: str) -> list[Point]:
        """The points of a metric."""
        metric = self.all().get(name)
        points = [] if metric is None else metric.data.data_points
        return [
            (dict(point.attributes), (point.count, point.sum))
            if hasattr(point, "count")
            else (dict(point.attributes), point.value)
            for point in points
        ]

    def one(self, name: str) -> Point:
        """The only point of a metric."""
        (point,) = self.told(name)
        return point

    def misfits(self) -> Iterator[str]:
        """What of any metric is not as it is defined."""
        values = {each.name: each.values for each in conventions.ATTRIBUTES}
        for name, found in self.all().items():
            if not name.startswith(OURS):
                continue
            defined = conventions.ALL_METRICS[name]
            if (defined.unit, defined.description) != (found.unit, found.description):
                yield f"{name} is {found.unit}: {found.description}"
            if SHAPES[type(found.data).__name__] != defined.kind:
                yield f"{name} is {type(found.data)}"
            for point in found.data.data_points:
                if defined.buckets and defined.buckets != point.explicit_bounds:
                    yield f"{name} has other buckets"
                missing = {*defined.attributes} - {*point.attributes}
                yield from (f"{name} lacks {each}" for each in missing)
                known = {*defined.attributes, *defined.optional}
                yield from (f"{name} has {each}" for each in {*point.attributes} - known)
                for attribute, value in point.attributes.items():
                    if values[attribute] and value not in values[attribute]:
                        yield f"{name} has {attribute} {value!r}"
