"""`explain`: what stands around a function, and what that means at worst."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience._attempt_timeout import AttemptTimeoutLayer
from resilience._order import mistakes_of
from resilience._pool_layer import PoolLayer
from resilience._retry import RetryLayer
from resilience._rules import fail
from resilience._site import Layer
from resilience._switches import is_off
from resilience._wrapper import stack_of

__all__ = ["explain"]


def explain(function: Callable[..., Any]) -> str:
    """Return the layers of a decorated function, outermost first, its worst case and warnings.

    Raises:
        SettingsError: if the function has no layer of the toolkit.
    """
    stack = stack_of(function)
    if stack is None:
        fail("function", "must be decorated with this toolkit", function)
    site, layers = stack
    lines = [f"{site.name} ({site.shape})"]
    lines += [f"  {number}. {_line_of(layer)}" for number, layer in enumerate(layers, start=1)]
    lines.append(f"worst case: {_worst_case(layers)}")
    lines += [f"warning: {mistake}" for mistake in mistakes_of(site.inside)]
    return "\n".join(lines)


def _line_of(layer: Layer) -> str:
    works = layer.enabled and not is_off(layer.kind)
    return layer.explain() if works else f"{layer.explain()} (disabled)"


def _worst_case(layers: tuple[Layer, ...]) -> str:
    """Return the most attempts, and how long they and the waits between them may take."""
    attempts, computed, longest = _retries(layers)
    keys = [layer.pool for layer in layers if isinstance(layer, PoolLayer)]
    each = " on each key" if any(len(pool) > 1 for pool in keys) else ""
    text = f"{attempts} attempt{'s' * (attempts != 1)}{each}, {computed:g} s of back-off"
    if longest > computed:
        text += f" ({longest:g} s if the server asks for it)"
    limits = [layer.seconds for layer in layers if isinstance(layer, AttemptTimeoutLayer)]
    if limits:
        return f"{text} and {min(limits) * attempts:g} s of attempts; queue waits come on top"
    return f"{text}; attempts have no time limit of their own, and queue waits come on top"


def _retries(layers: tuple[Layer, ...]) -> tuple[int, float, float]:
    """Return the most attempts, and the most seconds of back-off: computed, and with hints."""
    retries = [layer for layer in layers if isinstance(layer, RetryLayer) and layer.is_on]
    attempts, computed, longest = 1, 0.0, 0.0
    for index, layer in enumerate(retries):
        inner = retries[index + 1 :]
        if inner and all(each.is_plain for each in (layer, *inner)):
            continue  # what the inner one has given up on is not repeated
        tries, shorter, longer = layer.worst_case()
        computed += shorter * attempts
        longest += longer * attempts
        attempts *= tries
    return attempts, computed, longest
