"""Several requests of one call side by side: in threads, or in tasks.

Once one has failed none is begun any more; those that run end first, and then the first error in
the order of the requests is raised. A caller who is interrupted or cancelled leaves none behind.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

__all__ = ["together", "together_async"]

R = TypeVar("R")


def together(jobs: Sequence[Callable[[], R]], width: int) -> list[R]:
    """Run these in up to `width` threads, each with a copy of this context; results in order."""
    waiting = deque(enumerate(jobs))
    results: dict[int, R] = {}
    failed: dict[int, Exception] = {}

    def work() -> None:
        while waiting and not failed:
            with suppress(IndexError):  # another thread has taken the last one
                number, job = waiting.popleft()
                try:
                    results[number] = job()
                except Exception as error:  # noqa: BLE001 - raised when the others have ended
                    failed[number] = error

    workers = min(width, len(jobs))
    with ThreadPoolExecutor(workers or 1, "adapters") as executor:
        futures = [executor.submit(copy_context().run, work) for _ in range(workers)]
        try:
            wait(futures)
        finally:
            waiting.clear()
    for future in futures:
        future.result()  # raises what is no Exception
    return _in_order(results, failed)


async def together_async(
    jobs: Sequence[Callable[[], Coroutine[Any, Any, R]]], width: int
) -> list[R]:
    """Run these in up to `width` tasks; as `together`, but for `await`."""
    waiting = deque(enumerate(jobs))
    results: dict[int, R] = {}
    failed: dict[int, Exception] = {}

    async def work() -> None:
        while waiting and not failed:
            number, job = waiting.popleft()
            try:
                results[number] = await job()
            except Exception as error:  # noqa: BLE001 - raised when the others have ended
                failed[number] = error

    tasks = [asyncio.create_task(work()) for _ in range(min(width, len(jobs)))]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise
    return _in_order(results, failed)


def _in_order(results: dict[int, R], failed: dict[int, Exception]) -> list[R]:
    try:
        if failed:
            raise failed[min(failed)]
    finally:
        failed.clear()  # the traceback of an error leads to frames that hold this: a cycle
    return [results[number] for number in sorted(results)]
