"""What the peers stand around: a request without any stack, and what its errors mean."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

from requests import ConnectionError as Lost
from requests import HTTPError, Session, Timeout
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError

from benchmarks.storm import weather

__all__ = ["Ask", "is_failure", "may_pass", "plain", "retry_after"]

Ask = Callable[[str], str]

_FAILED = frozenset({500, 502, 503, 504})
_TRANSIENT = _FAILED | {408, 429}
_BROKEN = (Lost, Timeout, ChunkedEncodingError)


def plain(base_url: str, keys: Mapping[str, str]) -> Ask:
    """Return what asks with `requests`, the keys in turn, and does nothing against failures."""
    turn = itertools.cycle(keys.values())
    session = Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=weather.CALLERS))

    def ask(prompt: str) -> str:
        body = {"model": weather.MODEL, "messages": [{"role": "user", "content": prompt}]}
        url = f"{base_url}/chat/completions"
        headers = {"Authorization": f"Bearer {next(turn)}"}
        response = session.post(url, json=body, headers=headers, timeout=weather.TIMEOUT)
        response.raise_for_status()
        return str(response.json()["choices"][0]["message"]["content"])

    return ask


def may_pass(error: BaseException) -> bool:
    """Whether it is sensible to try again."""
    return isinstance(error, _BROKEN) or _status(error) in _TRANSIENT


def is_failure(error: BaseException) -> bool:
    """Whether the server does not work, which is a reason to open a circuit."""
    return isinstance(error, _BROKEN) or _status(error) in _FAILED


def retry_after(error: BaseException | None) -> float | None:
    """Return the seconds that the server has asked to wait, of `requests` and of the openai SDK."""
    response = getattr(error, "response", None)
    told = None if response is None else response.headers.get("Retry-After")
    return None if told is None else float(told)


def _status(error: BaseException) -> int | None:
    return error.response.status_code if isinstance(error, HTTPError) else None
