"""`explain`: what stands around a function, and what that means at worst."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from resilience._attempt_timeout import AttemptTimeoutLayer
from resilience._breaker_layer import BreakerLayer
from resilience._order import mistakes_of
from resilience._retry import RetryLayer
from resilience._rules import fail
from resilience._site import Layer, Site
from resilience._switches import is_off
from resilience._worst_case import WorstCase
from resilience._wrapper import stack_of

__all__ = ["explain"]

_MOST_WRAPPERS = 100  # an object that makes up every attribute wraps itself for ever


def explain(function: Any) -> str:
    """Return the layers of a function, outermost first, its worst case, notes and warnings.

    What is turned off is marked, and counts for nothing. A surrounding `deadline` is taken into
    account.
    A warning is a mistake; a note is what the settings mean together.

    Args:
        function: A decorated function, a method or a partial of one; or an object with a method
            `explain()`, such as a client of `adapters`, or a method of that.

    Raises:
        SettingsError: if nothing of the toolkit stands around it.
    """
    stack = _stack_of(function)
    if stack is None:
        return _explained_by_itself(function)
    site, layers = stack
    working = [layer for layer in layers if _works(layer)]
    worst = WorstCase.of(working)
    lines = [f"{site.name} ({site.shape})"]
    lines += [f"  {number}. {_line_of(layer)}" for number, layer in enumerate(layers, start=1)]
    lines.append(f"worst case: {worst}")
    lines += [f"note: {note}" for note in _notes(site, working, worst)]
    lines += [f"warning: {mistake}" for mistake in _mistakes(working, worst)]
    return "\n".join(lines)


def _stack_of(function: Any) -> tuple[Site, tuple[Layer, ...]] | None:
    """Look through partials, and decorators of others that say what they wrap."""
    for _ in range(_MOST_WRAPPERS):
        stack = stack_of(function)
        if stack is not None:
            return stack
        partial = isinstance(function, functools.partial | functools.partialmethod)
        function = function.func if partial else getattr(function, "__wrapped__", None)
    return None


def _explained_by_itself(thing: Any) -> str:
    owners: list[Any] = [thing, getattr(thing, "__self__", None)]
    able = [owner for owner in owners if callable(getattr(type(owner), "explain", None))]
    if not able:
        fail("function", "must be decorated with this toolkit", thing)
    text: str = able[0].explain()
    return text


def _works(layer: Layer) -> bool:
    return layer.enabled and not is_off(layer.kind)


def _line_of(layer: Layer) -> str:
    return layer.explain() if _works(layer) else f"{layer.explain()} (disabled)"


def _notes(site: Site, layers: Sequence[Layer], worst: WorstCase) -> list[str]:
    """Return what the settings mean together, where that may surprise."""
    notes = []
    for outer, inner in combinations(layers, 2):
        if isinstance(outer, RetryLayer) and isinstance(inner, BreakerLayer):
            threshold = inner.breaker.machine.rules.failure_threshold
            if outer.is_on and threshold is not None and threshold <= worst.attempts:
                notes.append(
                    f"one call alone can open the circuit: failure_threshold={threshold}, and it "
                    f"makes up to {worst.attempts} attempts"
                )
    is_limited = any(isinstance(layer, AttemptTimeoutLayer) for layer in layers)
    if is_limited and not site.is_async:
        notes.append(
            "attempt_timeout does not interrupt a plain function: waits of the toolkit and HTTP "
            "time-outs within it obey"
        )
    return list(dict.fromkeys(notes))


def _mistakes(layers: Sequence[Layer], worst: WorstCase) -> list[str]:
    """Return what is surely not meant: in the order of the layers, and in their settings."""
    mistakes = mistakes_of(tuple(layer.kind for layer in layers))
    limit, left = worst.attempt_timeout, worst.deadline
    if limit is not None and left is not None and limit >= left:
        mistakes.append(
            f"attempt_timeout={limit:g} s ends no attempt: the deadline is over after {left:.3g} s"
        )
    for layer in layers:
        if isinstance(layer, RetryLayer) and layer.is_on:
            mistakes += layer.mistakes()
    breakers = [layer.breaker for layer in layers if isinstance(layer, BreakerLayer)]
    if len(set(map(id, breakers))) < len(breakers):
        mistakes.append("one circuit breaker twice counts each failure twice")
    return mistakes
