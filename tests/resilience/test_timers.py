"""The thread that calls something at a moment, and who cancels that at a bad one."""

from __future__ import annotations

import threading

from resilience import _clock
from resilience._timers import Timer, timers


def nothing():
    """Be called by no test: it is due too late."""


def test_the_garbage_collector_may_cancel_in_the_midst_of_a_step(monkeypatch):
    """As a finalizer does that cancels a future: its thread may be about to set another timer."""
    compares, soon = Timer.__lt__, _clock.now() + 1_000
    first = timers.at(soon, nothing)
    added = []

    def collect(self, other):
        first.cancel()
        return compares(self, other)

    monkeypatch.setattr(Timer, "__lt__", collect)
    adding = threading.Thread(target=lambda: added.append(timers.at(soon, nothing)), daemon=True)
    adding.start()
    adding.join(30)

    assert (False, None, nothing) == (adding.is_alive(), first.call, added[0].call)
    added[0].cancel()
