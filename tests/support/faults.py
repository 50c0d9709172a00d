"""Functions that fail on schedule, and errors shaped like those of other libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain, pairwise, repeat
from typing import Any

from resilience import _clock

__all__ = ["BotoError", "HttpError", "Response", "failing", "gaps", "hold_random"]


class Response:
    """What requests, httpx and the SDKs keep on their errors."""

    def __init__(self, status_code: int, headers: Mapping[str, str] | None = None) -> None:
        self.status_code = status_code
        self.headers = dict(headers or {})


class HttpError(Exception):
    """An error in the manner of requests and httpx: all that it knows is in its response.

    A `body` is what an SDK has parsed.
    """

    def __init__(
        self, status: int, headers: Mapping[str, str] | None = None, body: object = None
    ) -> None:
        super().__init__(f"HTTP {status}")
        self.response = Response(status, headers)
        self.body = body


class BotoError(Exception):
    """An error in the manner of botocore: a plain dictionary."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"HTTP {status}")
        metadata = {"HTTPStatusCode": status, "HTTPHeaders": dict(headers or {})}
        self.response = {"Error": {"Code": "X"}, "ResponseMetadata": metadata}


def failing(*outcomes: Any, then: Any = "done") -> Callable[..., Any]:
    """A body that raises or returns the outcomes in turn, and `then` for ever after.

    What is an exception, or a class of exceptions, is raised. `body.times` holds when it was called
    by the current clock, `body.calls` the arguments.
    """
    script = chain(outcomes, repeat(then))

    def fetch(*args: Any, **kwargs: Any) -> Any:
        fetch.times.append(_clock.now())
        fetch.calls.append((args, kwargs))
        return _settle(next(script))

    fetch.times, fetch.calls = [], []
    return fetch


def gaps(times: Iterable[float]) -> list[float]:
    """Seconds between each moment and the next."""
    return [later - earlier for earlier, later in pairwise(times)]


def hold_random(monkeypatch: Any, value: float) -> None:
    """Let chance give the same number each time."""
    monkeypatch.setattr("random.random", lambda: value)


def _settle(outcome: Any) -> Any:
    if isinstance(outcome, BaseException):
        raise outcome
    if isinstance(outcome, type) and issubclass(outcome, BaseException):
        raise outcome("scripted")
    return outcome
