"""What `configure` returns: all is flushed and ended in time, whatever a provider does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from resilience import SettingsError
from resilience.telemetry import Telemetry


class Provider:
    """One that does what it is told, and counts how often it was asked."""

    def __init__(self, does: Callable[[], object] = lambda: None) -> None:
        self.does = does
        self.flushed = self.ended = 0

    def force_flush(self, timeout_millis: int, /) -> None:
        """Count it."""
        self.flushed += 1
        self.does()

    def shutdown(self) -> None:
        """Count it."""
        self.ended += 1
        self.does()


def test_it_is_shut_down_once():
    """What is done later does nothing, and is no error."""
    provider = Provider()
    with Telemetry({"traces": provider}) as telemetry:
        assert telemetry.flush()
        assert telemetry.shutdown()

    assert telemetry.flush()
    assert (1, 1) == (provider.flushed, provider.ended)
    assert ("traces",) == telemetry.signals


def test_one_that_hangs_keeps_nobody_waiting():
    """The others get their turn, and the answer says that not all is done."""
    over, taken = threading.Event(), threading.Event()
    hangs, works = Provider(over.wait), Provider(taken.set)
    telemetry = Telemetry({"traces": hangs, "metrics": works})

    assert not telemetry.flush(0.01)
    assert taken.wait(10)
    over.set()


def test_one_that_fails_fails_alone(caplog: pytest.LogCaptureFixture):
    """It is logged, and the program goes on."""
    fails, works = Provider(lambda: 1 / 0), Provider()
    telemetry = Telemetry({"traces": fails, "metrics": works})

    assert not telemetry.shutdown()
    assert 1 == works.ended
    assert ["resilience.telemetry"] == [record.name for record in caplog.records]


def test_at_the_end_of_the_interpreter_it_goes_on_without_threads(monkeypatch):
    """Some versions of Python start none there."""

    def start(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(threading.Thread, "start", start)
    provider = Provider()

    assert Telemetry({"traces": provider}).shutdown()
    assert 1 == provider.ended


@pytest.mark.parametrize("timeout", [0, -1, None, "1"])
def test_a_bad_timeout(timeout: object):
    """The error names it."""
    telemetry = Telemetry({})
    for method in (telemetry.flush, telemetry.shutdown):
        with pytest.raises(SettingsError, match=r"^timeout must be a finite number of seconds"):
            method(timeout)
