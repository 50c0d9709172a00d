"""The instruments; imported only by a program that has set up OpenTelemetry's metrics."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, NoOpMeter, Observation
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, set_span_in_context

from resilience import _fork
from resilience._secrets import log_failure
from resilience.telemetry.conventions import ALL_METRICS, SCOPE
from resilience.telemetry.gauges import readings_of

if TYPE_CHECKING:
    from resilience.telemetry._definitions import Metric

__all__ = ["Meters", "meters_of"]

MOST_WAITING = 16_384  # measurements (0.1 to 0.3 kB each) until calls hand some on themselves
_AT_ONCE = 32  # measurements that such a call hands on: 0.2 ms
_MOST_VALUES = 100  # of such an attribute that metrics tell apart; what comes later is "_OTHER"
_OTHER = "_OTHER"
# What servers, or those who call them, may invent.
_INVENTED = ("error.type", "gen_ai.request.model", "gen_ai.response.model")
_ACTIVE = "resilience.call.active"

_NOWHERE = set_span_in_context(INVALID_SPAN, Context())  # whoever hands on is in another span
_logger = logging.getLogger("resilience.telemetry")

Waiting = tuple[str, float, Mapping[str, Any], SpanContext | None]


def meters_of(provider: MeterProvider) -> Meters | None:
    """Return the instruments of a provider; None where it measures nothing."""
    meter = provider.get_meter(SCOPE)
    return None if isinstance(meter, NoOpMeter) else Meters(meter)


class Meters:
    """What is measured with one provider; thread-safe.

    Measurements wait here until a reader collects: the SDK asks its asynchronous instruments
    first, and the answer of ours begins with handing all of them on. Where none collects in time,
    each call that begins hands on a few.
    """

    __slots__ = ("__weakref__", "_active", "_has_failed", "_instruments", "_values", "_waiting")

    def __init__(self, meter: Meter) -> None:
        # Beyond every bound the oldest goes: only where nothing but streams ends in a program.
        self._waiting: deque[Waiting] = deque(maxlen=4 * MOST_WAITING)
        self._active: dict[str, set[object]] = {}
        self._values: dict[str, set[str]] = {name: set() for name in _INVENTED}
        self._has_failed = False
        self._instruments = {
            metric.name: self._make(meter, metric) for metric in ALL_METRICS.values()
        }
        _fork.renew_after(self)

    def renew_after_fork(self) -> None:
        """Forget what the parent measures, and the calls of threads that do not exist here."""
        self._waiting.clear()
        for calls in self._active.values():
            calls.clear()

    def record(
        self,
        metric: str,
        value: float,
        attributes: Mapping[str, Any],
        span: SpanContext | None = None,
    ) -> None:
        """Measure a value, or count so many more; `span` is an example of where that happens."""
        self._waiting.append((metric, value, attributes, span))

    def active(self, name: str) -> set[object]:
        """Return the calls of this name that are in progress, to be changed by whoever begins."""
        calls = self._active.get(name)
        return self._active.setdefault(name, set()) if calls is None else calls

    def relieve(self, most: int = _AT_ONCE) -> None:
        """Hand some on if too many wait; where a call begins or goes on, never where one ends.

        An end may come in the midst of anything, by the garbage collector.
        """
        if len(self._waiting) > MOST_WAITING:
            self._hand_on(most)

    def _hand_on(self, most: int) -> None:
        """Give the SDK up to so many measurements; those of counters added up before."""
        sums: dict[tuple[str, tuple[tuple[str, Any], ...]], float] = {}
        for _ in range(most):
            try:
                name, value, attributes, span = self._waiting.popleft()
            except IndexError:  # another thread was faster
                break
            attributes = self._bounded(attributes)
            if ALL_METRICS[name].kind == "counter":
                key = (name, tuple(attributes.items()))
                sums[key] = sums.get(key, 0) + value
            else:
                self._give(self._instruments[name].record, value, attributes, span)
        for (name, items), value in sums.items():
            self._give(self._instruments[name].add, value, dict(items), None)

    def _give(
        self,
        instrument: Callable[..., object],
        value: float,
        attributes: Mapping[str, Any],
        span: SpanContext | None,
    ) -> None:
        context = _NOWHERE
        if span is not None:
            context = set_span_in_context(NonRecordingSpan(span), Context())
        try:
            instrument(value, attributes, context)
        except Exception as error:  # noqa: BLE001 - whatever it is, the call goes on
            if not self._has_failed:
                self._has_failed = True
                log_failure(_logger, "an instrument failed, and is used on", error)

    def _bounded(self, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the attributes with few values of each: the SDK never forgets one."""
        for name in _INVENTED:
            value = attributes.get(name)
            if value is None:
                continue
            known = self._values[name]
            if value in known or len(known) < _MOST_VALUES:
                known.add(value)
            else:
                attributes = {**attributes, name: _OTHER}
        return attributes

    def _make(self, meter: Meter, metric: Metric) -> Any:
        about = {"name": metric.name, "unit": metric.unit, "description": metric.description}
        match metric.kind:
            case "counter":
                return meter.create_counter(**about)
            case "histogram":
                bounds = metric.buckets
                return meter.create_histogram(**about, explicit_bucket_boundaries_advisory=bounds)
            case "up_down_counter":
                read = self._read_active
                return meter.create_observable_up_down_counter(callbacks=[read], **about)
            case "gauge":
                read = partial(_read, metric.name)
                return meter.create_observable_gauge(callbacks=[read], **about)

    def _read_active(self, _: CallbackOptions) -> Iterable[Observation]:
        """Hand on all that waits, and return the calls in progress."""
        self._hand_on(len(self._waiting))
        return [
            Observation(len(calls), {"resilience.name": name})
            for name, calls in list(self._active.items())
        ]


def _read(gauge: str, _: CallbackOptions) -> Iterable[Observation]:
    return [Observation(value, attributes) for attributes, value in readings_of(gauge)]
