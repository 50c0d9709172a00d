"""`capture_events`: what happened, for a test to look at."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from resilience.telemetry.events import Event, subscribe, unsubscribe

__all__ = ["capture_events"]


@contextmanager
def capture_events() -> Generator[list[Event]]:
    """Give a list that fills with every event of the process while the block runs.

    ```python
    with capture_events() as events:
        fetch()
    assert [type(event).__name__ for event in events] == ["RetryScheduled", "CallFinished"]
    ```

    Events of all threads and loops come in the order in which they were published.
    """
    events: list[Event] = []
    subscribe(events.append)
    try:
        yield events
    finally:
        unsubscribe(events.append)
