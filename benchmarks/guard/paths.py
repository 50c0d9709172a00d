"""The hot paths: each is made here, and called once when it is counted."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import Any
from unittest.mock import patch

import resilience
from benchmarks.functions import closure, closure_async, echo, echo_async, fails_first
from benchmarks.samples import VALUE

__all__ = ["FLAT", "PATHS", "SIZES", "still"]

Step = Callable[[], object]

SIZES = (10, 10_000)  # between which nothing that is flat costs more
_KINDS = {"plain": False, "default": True}  # without and with statistics
_names = count()


def _calls(function: Any) -> Step:
    return lambda: function(VALUE)


def _awaits(function: Any) -> Step:
    """Return what runs a coroutine that waits for nothing, without a loop."""

    def step() -> None:
        try:
            function(VALUE).send(None)
        except StopIteration:
            return
        raise AssertionError

    return step


def _decorated(
    decorate: Callable[..., Any], drive: Callable[[Any], Step], function: Any, metrics: bool
) -> Step:
    return drive(decorate(metrics_enabled=metrics)(function))


def _refused(*, metrics_enabled: bool) -> Step:
    breaker = resilience.circuit_breaker(metrics_enabled=metrics_enabled)
    function: Any = breaker(echo)
    function.circuit_breaker.open()

    def step() -> None:
        try:
            function(VALUE)
        except resilience.CircuitOpenError:
            return
        raise AssertionError

    return step


def _leases(size: int, strategy: str = "round-robin") -> Step:
    keys = {f"key {number}": f"sk-benchmark-{number}" for number in range(size)}
    pool = resilience.KeyPool(keys, strategy=strategy)

    def step() -> None:
        with pool.lease():
            pass

    for name in keys:  # the first lease of each costs more
        with pool.lease(name):
            pass
    return step


def _submits(size: int) -> Step:
    """Return what submits one call more, where so many wait and none gets a turn."""
    decorator: Any = resilience.prioritized(queue_size=10 * size, name=f"line {next(_names)}")
    function = decorator(echo)
    function.queue.pause()
    for _ in range(size):
        function.submit(VALUE)
    return lambda: function.submit(VALUE)


def _records(size: int) -> Step:
    function = resilience.retry(name=f"recorded {next(_names)}")(echo)
    for _ in range(size):
        function(VALUE)
    resilience.get_stats(function)  # all are in the histogram: the next ones fill it anew
    return _calls(function)


def _chats(*, metrics_enabled: bool) -> Step:
    """Return a call of an adapter whose connections answer at once."""
    from urllib3 import HTTPConnectionPool, HTTPResponse

    from adapters import openai
    from benchmarks.server import ANSWER, TEXT

    def urlopen(*_: object, **__: object) -> HTTPResponse:
        headers = {"Content-Type": "application/json", "Content-Length": str(len(ANSWER))}
        return HTTPResponse(io.BytesIO(ANSWER), headers, 200, preload_content=False)

    client = openai.Client(
        "sk-benchmark", base_url="http://127.0.0.1:9/v1", metrics_enabled=metrics_enabled
    )

    def step() -> None:
        with patch.object(HTTPConnectionPool, "urlopen", urlopen):
            assert TEXT == client.chat("gpt-4o-mini", "Say hello").text

    return step


@contextmanager
def still() -> Iterator[None]:
    """Let time stand still: nobody sleeps, and no second begins, which costs something by chance.

    The clock is a function in C, as the real one is.
    """
    with patch("time.sleep", lambda _: None), patch("time.monotonic", (1_000.0).conjugate):
        yield


_DECORATORS: dict[str, Callable[..., Any]] = {
    "retry": resilience.retry,
    "circuit_breaker": resilience.circuit_breaker,
    "prioritized": resilience.prioritized,
    "resilient": resilience.resilient,
}
_OTHERS: dict[str, Callable[..., Step]] = {
    "retry, 3 failures": lambda **how: _calls(resilience.retry(**how)(fails_first())),
    "circuit_breaker, open": _refused,
    "batched, batches of one": lambda **how: _calls(
        resilience.batched(max_batch_size=1, **how)(list)
    ),
    "adapter, chat": _chats,
}

# By name, what makes the step.
PATHS: dict[str, Callable[[], Step]] = {
    "closure": lambda: _calls(closure(echo)),
    "closure, async": lambda: _awaits(closure_async(echo_async)),
    **{
        f"{name}{way}, {kind}": partial(_decorated, decorate, drive, function, metrics)
        for name, decorate in _DECORATORS.items()
        for way, drive, function in (("", _calls, echo), (", async", _awaits, echo_async))
        for kind, metrics in _KINDS.items()
    },
    **{
        f"{name}, {kind}": partial(make, metrics_enabled=metrics)
        for name, make in _OTHERS.items()
        for kind, metrics in _KINDS.items()
    },
    "key lease": partial(_leases, 2),
}

# By name, what makes the step at a size; its cost must not depend on it.
FLAT: dict[str, Callable[[int], Step]] = {
    "submit": _submits,
    "record": _records,
    **{
        f"key lease, {strategy}": partial(_leases, strategy=strategy)
        for strategy in ("round-robin", "two-choices", "first", "least-loaded", "weighted")
    },
}
