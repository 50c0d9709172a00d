"""How a retry tells the retries around it that they need not repeat what it has given up on.

A mark on the exception says when that was, and who did it. It counts for a call that had begun
before: so one exception object that many calls raise, one after another or at the same time, is
retried in each of them.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Iterator

from resilience._marks import key_of, mark, marked
from resilience._waiters import running_loop

__all__ = ["current_epoch", "give_up", "note_shared", "was_given_up"]

_epochs = itertools.count(1)
_FIRST_SEEN, _GIVEN_UP = key_of("first_seen"), key_of("given_up")


class _Epoch:
    """How often a retry has given up: the time by which marks and calls are compared."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


current_epoch = _Epoch()


def note_shared(error: BaseException) -> None:
    """Note that several attempts raise this exception object."""
    mark(error, "first_seen", 0)


def give_up(error: BaseException, owner: object) -> None:
    """Mark the error as given up on by `owner`, which stands for one retry of one function."""
    epoch = current_epoch.value = next(_epochs)
    vars(error).setdefault(_FIRST_SEEN, epoch)
    mark(error, "given_up", (epoch, id(owner), _here()))


def was_given_up(error: BaseException, owner: object, since: int) -> bool:
    """Return whether a retry within this call of `owner`, begun at `since`, gave up on the error.

    So it is for a group one member of which was given up on, and for what was raised from it.
    """
    if error.__cause__ is None and not isinstance(error, BaseExceptionGroup):
        return _GIVEN_UP in vars(error) and _is_of_call(error, id(owner), since)
    return any(_is_of_call(part, id(owner), since) for part in _parts_of(error))


def _is_of_call(part: BaseException, owner: int, since: int) -> bool:
    epoch, by, where = marked(part, "given_up") or (0, 0, None)
    if epoch <= since:
        return False
    if where == _here():
        return True
    # Another thread or task: one that this call has started, or a neighbour that happens to fail
    # with the same object. It is a neighbour if it runs the same retry, or if the object is known
    # to be shared.
    return by != owner and marked(part, "first_seen") > since


def _here() -> tuple[int, int]:
    """Return where this call runs: numbers of thread and task, its own for as long as it runs."""
    task = None if running_loop() is None else asyncio.current_task()
    return threading.get_ident(), 0 if task is None else id(task)


def _parts_of(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, what it was raised from, and the members of groups, each once."""
    seen: set[int] = set()
    left: list[BaseException] = [error]
    while left:
        part = left.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if part.__cause__ is not None:
            left.append(part.__cause__)
        if isinstance(part, BaseExceptionGroup):
            left.extend(part.exceptions)
