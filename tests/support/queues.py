"""A function behind a gate, and its queue: who is inside, who waits, in which order they ran."""

from __future__ import annotations

from typing import Any

from resilience import prioritized

__all__ = ["Held"]


class Held:
    """A function under `@prioritized` whose calls stay inside until they are let go.

    Attributes:
        ran: The names of the calls, in the order in which they got a permit.
    """

    def __init__(self, run: Any, *arguments: Any, **settings: Any) -> None:
        self.run = run
        self.ran: list[Any] = []
        self.gates: dict[Any, Any] = {}
        if not arguments:
            settings = {"max_concurrent_requests": 1} | settings
        self.function = prioritized(*arguments, **settings)(run.steps(self._inside))
        self.queue = self.function.queue

    def _inside(self, name: Any, error: BaseException | None = None) -> Any:
        self.ran.append(name)
        gate = self.gates[name] = self.run.gate()
        yield gate.wait()
        if error is not None:
            raise error
        return name

    def start(self, name: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Begin a call and return when it is inside, waits or has ended."""
        inside, waiting = len(self.ran), self.queue.size
        call = self.run.start(self.function, name, *args, **kwargs)
        self.run.until(
            lambda: len(self.ran) > inside or self.queue.size > waiting or call.done()
        )
        return call

    def let_go(self, name: Any) -> None:
        """Let a call that is inside end, as soon as it is there."""
        self.run.until(lambda: name in self.gates)
        self.gates[name].open()

    def let_all_go(self, *calls: Any) -> list[Any]:
        """Let everybody end, one after the other, and return what came of the given calls."""
        done = 0
        while done < len(self.ran) or self.queue.size:
            self.run.until(lambda done=done: len(self.ran) > done)
            self.let_go(self.ran[done])
            done += 1
        return [call.result() for call in calls]
