"""What a definition of telemetry says: of an attribute, a metric, an event, a span."""

from __future__ import annotations

from typing import Literal

from resilience._record import record

__all__ = ["Attribute", "Metric", "Span", "SpanEvent"]

Kind = Literal["histogram", "counter", "up_down_counter", "gauge"]
Type = Literal["str", "int", "float", "bool", "str[]"]


@record(kw_only=False)
class Attribute:
    """An attribute of spans, events or metrics.

    Attributes:
        name: As it is written.
        type: Of its value.
        description: What it says.
        values: All that it can be, or empty where it is open.
    """

    name: str
    type: Type
    description: str
    values: tuple[str | int, ...] = ()


@record(kw_only=False)
class Metric:
    """An instrument.

    Attributes:
        name: As it is written.
        kind: A gauge is asynchronous, the others may be either.
        unit: In UCUM's notation, as OpenTelemetry writes it.
        description: What it measures.
        attributes: Those that each point has.
        optional: Those that a point has only where there is something to say.
        buckets: Upper bounds of a histogram's buckets, in its unit.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[str, ...]
    optional: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


@record(kw_only=False)
class SpanEvent:
    """An event on the span of the call that it happened in.

    Attributes:
        name: As it is written.
        description: When it happens.
        attributes: Those that each has.
        optional: Those that it has only where there is something to say.
    """

    name: str
    description: str
    attributes: tuple[str, ...]
    optional: tuple[str, ...] = ()


@record(kw_only=False)
class Span:
    """A kind of span.

    Attributes:
        name: The pattern of its name.
        kind: OpenTelemetry's kind of span.
        description: What it stands for.
        attributes: Those that each has when it has ended.
        optional: Those that it has only where there is something to say.
    """

    name: str
    kind: Literal["INTERNAL", "CLIENT"]
    description: str
    attributes: tuple[str, ...]
    optional: tuple[str, ...] = ()
