"""What came of a batch, for each of its items: its result, or an exception of its own."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any

from resilience._foreign import status_of
from resilience.classify import classify
from resilience.errors import MissingResultError

__all__ = ["Answer", "answers_of", "failures", "lost", "may_split", "unlisted"]

# A result, or an exception.
Answer = tuple[Any, BaseException | None]

_NO_LISTS = (str, bytes, bytearray, Mapping, AbstractSet)

# Halving a batch doubles the requests: it helps against a bad item, and harms a service that is
# slow or down. Words in the names of time-outs and lost connections, as the HTTP libraries and the
# vendors' SDKs call them, which are not imported here.
_UNREACHABLE = ("Connection", "Network", "Timeout", "Transport")
_DOWN = frozenset({408, 425, 502, 503, 504})


def unlisted(returned: object) -> str | None:
    """Return what is wrong with a batch function's result that is no list, or None."""
    kind = type(returned)
    if kind is list or (hasattr(kind, "__iter__") and not isinstance(returned, _NO_LISTS)):
        return None
    return f"must return a list with a result for each item, not {kind.__name__}"


def answers_of(results: Sequence[Any], count: int, name: str) -> Iterator[Answer]:
    """Yield an answer for each of `count` items."""
    if len(results) > count:
        text = f"{name} returned {len(results)} results for {count} items: whose is whose?"
        yield from ((None, MissingResultError(text)) for _ in range(count))
        return
    seen: set[int] = set()
    for result in results:
        if not isinstance(result, BaseException):
            yield result, None
        elif not isinstance(result, Exception):
            yield None, lost(result, name)
        else:  # one object may stand in several places
            yield None, _twin(result) if id(result) in seen else result
            seen.add(id(result))
    text = f"{name} returned {len(results)} results for {count} items: none for this one"
    yield from ((None, MissingResultError(text)) for _ in range(count - len(results)))


def failures(error: Exception) -> Iterator[Exception]:
    """Yield the error for the first item, and for each further one an exception of its own.

    A shared one would collect the tracebacks of all who raise it.
    """
    traceback = error.__traceback__
    yield error
    while True:
        yield _twin(error).with_traceback(traceback)


def lost(error: BaseException, name: str) -> MissingResultError:
    """Return what neighbours are told of a batch that was interrupted, cancelled or stopped."""
    kind = type(error).__qualname__  # not its text, which may be anything
    missing = MissingResultError(f"{name} gave no result: its batch ended with {kind}")
    missing.__cause__ = error
    return missing


def may_split(error: Exception) -> bool:
    """Return whether one bad item may be the reason."""
    if isinstance(error, ExceptionGroup):
        members: tuple[Exception, ...] = error.exceptions
        return all(map(may_split, members))
    if classify(error).kind in ("neutral", "rate_limit", "key") or status_of(error) in _DOWN:
        return False
    names = (each.__name__ for each in type(error).__mro__)
    return not any(word in name for name in names for word in _UNREACHABLE)


def _twin(error: Exception) -> Exception:
    """Return an exception that is the same but in identity."""
    try:
        twin = _copied(error)
    except Exception:  # noqa: BLE001 - a foreign constructor or `__reduce__` may do anything
        try:
            twin = _built(error)
        except Exception:  # noqa: BLE001 - the same for a foreign `__new__`
            return lost(error, "the batch function")
    twin.__traceback__ = error.__traceback__
    twin.__cause__ = error.__cause__
    twin.__context__ = error.__context__
    twin.__suppress_context__ = error.__suppress_context__
    with suppress(Exception):  # whatever a foreign class keeps under `__notes__`
        if "__notes__" in vars(twin):
            vars(twin)["__notes__"] = list(vars(twin)["__notes__"])
    return twin


def _copied(error: Exception) -> Exception:
    twin = copy.copy(error)
    same = all(a is b for a, b in zip(twin.args, error.args, strict=True))
    if twin is error or type(twin) is not type(error) or not same:
        msg = "not a copy"
        raise ValueError(msg)
    return twin


def _built(error: Exception) -> Exception:
    """Return a copy without calling a constructor, which may want other arguments."""
    twin = type(error).__new__(type(error), *error.args)
    twin.args = error.args
    vars(twin).update(vars(error))
    return twin
