"""`fallback`: ask another API, or another client, where the first cannot answer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

from adapters._fallback_streams import stream_of
from adapters._fallback_trail import Trail
from resilience._retry_options import On, predicate
from resilience._rules import fail
from resilience._site import shape_of

__all__ = ["fallback"]

P = ParamSpec("P")
R = TypeVar("R")


def fallback(functions: Sequence[Callable[P, R]], *, on: On = None) -> Callable[P, R]:
    """Return a function that calls the first of these, and the next one where it fails.

    Results and errors of all adapters share their shape, so that the caller need not know who has
    answered (`answer.model`, and `error.provider` tell). Models have names of their own at each
    API: bind them by `functools.partial(openai.chat, "gpt-4o")`.
    Each function keeps its own stack; the fewer retries the earlier ones have, the sooner the next
    one is asked. A stream goes on to the next function until its first event, and never after.
    Thread-safe.

    Args:
        functions: At least one; all plain, all coroutine functions, or all giving streams.
        on: Exception types, or a predicate, that say when the next one is asked. Default: refusals
            (open circuit, no key, full queue) and every `Exception` that does not say that it is
            permanent: the same mistake would be one everywhere.

    Raises:
        SettingsError: for no function, for what cannot be called, and for kinds that are mixed.

    Once none is left, or the deadline has passed, the last real error is raised, with a note of
    what each has said and, as `retry_after`, the earliest time at which one of them may answer.
    """
    given: Any = functions
    if not isinstance(given, Sequence) or not given or not all(map(callable, given)):
        fail("functions", "must be a list of one or more callables", functions)
    shapes = {shape_of(function) for function in functions}
    if shapes not in ({"function"}, {"coroutine function"}):
        fail("functions", "must all be plain functions, or all coroutine functions", functions)
    make = _driver_async if "coroutine function" in shapes else _driver
    driver: Callable[P, R] = make(tuple(functions), predicate("on", on))
    return driver


def _driver(functions: Any, on: Any) -> Any:
    @functools.wraps(functions[0], updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        trail = Trail(functions, on, args, kwargs)
        for one in trail:
            try:
                result = one()
            except Exception as error:  # noqa: BLE001 - the trail decides
                trail.failed(error)
            else:
                return stream_of(result, trail)
        return None  # never: the trail raises when none is left

    return call


def _driver_async(functions: Any, on: Any) -> Any:
    @functools.wraps(functions[0], updated=())
    async def call(*args: Any, **kwargs: Any) -> Any:
        trail = Trail(functions, on, args, kwargs)
        for one in trail:
            try:
                return await one()
            except Exception as error:  # noqa: BLE001 - the trail decides
                trail.failed(error)
        return None

    return call
