"""Several requests of one call side by side: in threads, or in tasks.

Once one has failed none is begun any more; those that run end first, and then the first error in
the order of the requests is raised. A caller who is interrupted or cancelled leaves none behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any, TypeVar

__all__ = ["together", "together_async"]

R = TypeVar("R")


def together(jobs: Sequence[Callable[[], R]], width: int) -> list[R]:
    """Run these in up to `width` threads, each in a copy of this context; results in order."""
    if not jobs:
        return []
    futures: list[Future[R]] = []
    with ThreadPoolExecutor(min(width, len(jobs)), "adapters") as executor:
        futures += [executor.submit(copy_context().run, job) for job in jobs]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            for future in futures:
                future.cancel()
    try:
        return [_result(future) for future in futures if not future.cancelled()]
    finally:
        # The traceback of an error leads to this frame, which must not lead back to it: a cycle.
        futures.clear()


def _result(future: Future[R]) -> R:
    try:
        return future.result()
    finally:
        del future


async def together_async(
    jobs: Sequence[Callable[[], Coroutine[Any, Any, R]]], width: int
) -> list[R]:
    """Run these in up to `width` tasks; results in order."""
    waiting = list(enumerate(jobs))[::-1]
    results: dict[int, R] = {}
    failed: dict[int, Exception] = {}

    async def work() -> None:
        while waiting and not failed:
            number, job = waiting.pop()
            try:
                results[number] = await job()
            except Exception as error:  # noqa: BLE001 - raised below, when the others have ended
                failed[number] = error

    tasks = [asyncio.create_task(work()) for _ in range(min(width, len(jobs)))]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        raise
    try:
        if failed:
            raise failed[min(failed)]
    finally:
        failed.clear()
    return [results[number] for number in range(len(jobs))]
