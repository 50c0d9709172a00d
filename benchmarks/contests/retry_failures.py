"""`@retry` around a function that fails three times and then succeeds; no time is slept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from benchmarks.functions import FAILURES, fails_first, hand_written_retry
from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.peers import RETRIES, Decorator

__all__ = ["CONTESTS"]

_BASELINE = "hand-written loop"


def _contestant(decorator: Decorator) -> Callable[[], Callable[[int], Any]]:
    return lambda: decorator(fails_first())


@contextmanager
def _no_sleep_no_logs() -> Iterator[None]:
    """Make sleep return at once, for everybody, and stamina log as silently as the others."""
    silence = logging.NullHandler()
    logging.getLogger("stamina").addHandler(silence)
    with patch("time.sleep", lambda seconds: None):
        yield
    logging.getLogger("stamina").removeHandler(silence)


CONTESTS = (
    Contest(
        name="retry-failures",
        title=f"`@retry`, {FAILURES} failures, then success, sleep stubbed",
        contestants={
            _BASELINE: _contestant(hand_written_retry),
            **{label: _contestant(decorator) for label, decorator in RETRIES.items()},
        },
        baseline=_BASELINE,
        unit="×",
        goals={PLAIN: 2, DEFAULT: 4},
        around=_no_sleep_no_logs,
    ),
)
