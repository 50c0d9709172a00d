"""A function behind a gate, and its queue: who is inside, who waits, in which order they ran."""

from __future__ import annotations

import math
from typing import Any

from resilience import prioritized

__all__ = ["Held", "asleep"]


def asleep(clock: Any) -> int:
    """How many sleep or have a time-out on a `FakeClock`, so that `advance` will reach them."""
    return sum(wakeup.deadline < math.inf for wakeup in clock._clock.moves._wakeups._sorted)


class Held:
    """A function under `@prioritized` whose calls stay inside until they are let go.

    Attributes:
        ran: The names of the calls, in the order in which they got a permit.
    """

    def __init__(self, run: Any, *arguments: Any, **settings: Any) -> None:
        self.run = run
        self.ran: list[Any] = []
        self.gates: list[Any] = []
        if not arguments:
            settings = {"max_concurrent_requests": 1} | settings
        self.function = prioritized(*arguments, **settings)(run.steps(self._inside))
        self.queue = self.function.queue

    def _inside(self, name: Any, error: BaseException | None = None) -> Any:
        gate = self.run.gate()
        self.gates.append(gate)
        self.ran.append(name)
        yield gate.wait()
        if error is not None:
            raise error
        return name

    def start(self, name: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Begin a call and return when it is inside, waits or has ended."""
        inside, waiting = len(self.ran), self.queue.size
        call = self.run.start(self.function, name, *args, **kwargs)
        self.run.until(lambda: len(self.ran) > inside or self.queue.size > waiting or call.done())
        return call

    def let_go(self, name: Any) -> None:
        """Let a call end, as soon as it is inside; of several with one name, the latest."""
        self.run.until(lambda: name in self.ran)
        for ran, gate in zip(self.ran, self.gates, strict=False):
            if ran == name:
                gate.open()

    def let_all_go(self, *calls: Any) -> list[Any]:
        """Let everybody end, in the order in which they run; what came of the given calls."""
        opened = 0
        while not all(call.done() for call in calls):
            if opened < len(self.ran):
                self.gates[opened].open()
                opened += 1
            self.run.until(
                lambda opened=opened: len(self.ran) > opened or all(call.done() for call in calls)
            )
        return [call.result() for call in calls]
