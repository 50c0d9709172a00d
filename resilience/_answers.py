"""What an exception says of itself, and the answer of a server that it stands for.

Loaded by the first exception that is neither Python's own nor a refusal.
"""

from __future__ import annotations

import sys
from typing import get_args

from resilience._bodies import NOTHING, Said
from resilience._foreign import headers_of, said_by, status_of
from resilience._hints import retry_after
from resilience._marks import read_quietly
from resilience._words import kind_of_words
from resilience.classify import Kind, Verdict

__all__ = ["by_answer", "declared"]

_KINDS: tuple[Kind, ...] = get_args(Kind)
_RATE_LIMIT = frozenset({429, 498, 529})
_KEY = frozenset({401, 402, 403})
_TRANSIENT_4XX = frozenset({408, 425})
_PERMANENT_5XX = frozenset({501, 505, 506})
_FIRST_ERROR = 400
_FIRST_SERVER_ERROR = 500
_LONGEST = sys.float_info.max  # neither infinite nor a whole number beyond the floats


def declared(error: Exception) -> Verdict | None:
    """Read what the exception says about itself."""
    kind = read_quietly(error, "resilience_kind")
    if isinstance(kind, str) and kind in _KINDS:
        return _verdict(kind, error, said_by(error))
    retryable = read_quietly(error, "retryable")
    if not isinstance(retryable, bool):
        return None
    status, said = status_of(error), said_by(error)
    if retryable:
        return _verdict("rate_limit" if status in _RATE_LIMIT else "transient", error, said)
    return _verdict("key" if status in _KEY else "permanent", error, said)


def by_answer(error: Exception) -> Verdict:
    """Read status, words and headers of the answer that the exception stands for."""
    said, status, code = said_by(error), status_of(error), read_quietly(error, "code")
    word = (code.lower(),) if isinstance(code, str) else ()
    if status is None and said is NOTHING and not word:  # no answer: most exceptions
        return Verdict("transient", _own_hint(error))
    if status is None or status < _FIRST_ERROR:  # as in a stream that had begun well
        status = said.status or status
    kind = kind_of_words((*word, *said.words), status)
    return _verdict(kind or _kind_of(status), error, said)


def _kind_of(status: int | None) -> Kind:
    if status is None or status < _FIRST_ERROR:
        return "transient"
    if status in _RATE_LIMIT:
        return "rate_limit"
    if status in _KEY:
        return "key"
    if status in _TRANSIENT_4XX or status >= _FIRST_SERVER_ERROR:
        return "permanent" if status in _PERMANENT_5XX else "transient"
    return "permanent"


def _verdict(kind: Kind, error: Exception, said: Said) -> Verdict:
    """Return the verdict with the seconds that the exception carries, or its answer asked for."""
    seconds = _own_hint(error)
    if seconds is None:
        seconds = retry_after(headers_of(error), said, limited=kind == "rate_limit")
    return Verdict(kind, seconds)


def _own_hint(error: Exception) -> float | None:
    seconds = read_quietly(error, "retry_after")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return float(seconds) if 0 <= seconds <= _LONGEST else None
