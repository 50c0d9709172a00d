# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""Typed uses of `@batched`: a function of a list is one of an item; see api.py.

The list's type gives the item's, the returned one the result's, and other parameters stay.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, assert_type

from resilience import Batcher, Priority, batched, circuit_breaker, retry


@batched
def bare(texts: list[str]) -> list[int]:
    """Count characters."""
    return [len(text) for text in texts]


@batched(max_batch_size=16, batch_timeout=0.01, on_error="split", name="counts")
def with_settings(texts: Sequence[str], *, model: str = "m", size: int = 1) -> tuple[float, ...]:
    """Count characters of any sequence."""
    return tuple(float(len(text) * size) for text in texts if model)


@batched(max_concurrent_batches=2)
async def awaited(texts: list[str], size: int) -> Iterator[bytes]:
    """Count characters, later."""
    return (text.encode() * size for text in texts)


@batched
@retry
@circuit_breaker(failure_threshold=2)
def stacked(numbers: list[int]) -> list[str]:
    """Write them."""
    return [str(number) for number in numbers]


assert_type(bare("a"), int)
assert_type(bare("a", priority=Priority.HIGH), int)
assert_type(bare.map(["a", "b"]), list[int])
assert_type(bare.submit("a").result(), int)
assert_type(bare.batcher, Batcher)
assert_type(bare.flush(), None)
assert_type(with_settings("a", model="x"), float)
assert_type(with_settings.map(("a", "b"), size=2), list[float])
coroutine: Coroutine[Any, Any, bytes] = awaited("a", 2)
assert_type(stacked(1), str)
future: Future[int] = bare.submit("a")

bare(1)  # type: ignore[call-overload]
bare(["a"])  # type: ignore[call-overload]
with_settings("a", modle="x")  # type: ignore[call-overload]
bare.map("a", 2)  # type: ignore[call-overload]
batched(max_batch_size="2")  # type: ignore[call-overload]
batched(on_error="halve")  # type: ignore[call-overload]


async def main() -> None:
    """Await what a coroutine function gives."""
    assert_type(await awaited("a", 2), bytes)
    assert_type(await awaited.map(["a"], 2), list[bytes])
    assert_type(await awaited.submit("a", 2), bytes)
    assert_type(await bare.submit("a"), int)
    assert_type(await service.coroutine("a"), int)
    await awaited.flush()


class Service:
    """Something with methods that batch."""

    @batched
    def method(self, texts: list[str], *, size: int = 1) -> list[int]:
        """Count characters."""
        return [len(text) * size for text in texts]

    @batched(max_batch_size=2)
    async def coroutine(self, texts: list[str]) -> list[int]:
        """Count characters, later."""
        return [len(text) for text in texts]

    @classmethod
    @batched
    def of_the_class(cls, texts: list[str]) -> list[int]:
        """Count characters."""
        return [len(cls.__name__ + text) for text in texts]

    @staticmethod
    @batched
    def of_nobody(texts: list[str]) -> list[int]:
        """Count characters."""
        return [len(text) for text in texts]


service = Service()
assert_type(service.method("a", size=2), int)
assert_type(service.method.map(["a"]), list[int])
assert_type(service.method.submit("a").result(), int)
assert_type(Service.of_the_class("a"), int)
assert_type(service.of_the_class.map(["a"]), list[int])
assert_type(Service.of_nobody("a"), int)
service.method(1)  # type: ignore[call-overload]
