"""The machine of a batch, and many of them as the driver uses them, against a plain model."""

from __future__ import annotations

import asyncio
import inspect
import math
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from resilience import batched
from resilience._core.batch import BatchMachine
from resilience.testing import FakeClock

SIZE, TIMEOUT = 3, 5


def test_it_counts_its_items():
    """`add` says how many there are, so that the driver sees the first one and the last."""
    machine = BatchMachine(SIZE, TIMEOUT)

    assert [1, 2, 3] == [machine.add(item, 0.0) for item in "abc"]
    assert ["a", "b", "c"] == machine.items


def test_it_is_due_when_its_oldest_item_is():
    """The time of a batch counts from its oldest item, of those that are still in it."""
    machine = BatchMachine(SIZE, TIMEOUT)
    due, first, second = [machine.due], object(), object()
    for now, item in enumerate([first, second]):
        machine.add(item, now)
        due.append(machine.due)
    led = [machine.remove(item) for item in (first, first, second)]

    assert [math.inf, 5, 5] == due
    assert [True, False, True] == led
    assert (0, None, math.inf) == (len(machine), machine.oldest, machine.due)


def test_it_keeps_its_items_when_it_is_taken():
    """Who takes it learns why, and how long the oldest had waited; a clock set back is no wait."""
    machine = BatchMachine(SIZE, TIMEOUT)
    machine.add("a", 3.0)
    machine.add("b", 4.0)
    machine.take("time", 8.0)

    assert ("time", 5.0, ["a", "b"]) == (machine.flush, machine.waited, machine.items)
    machine.take("size", 1.0)
    assert 0.0 == machine.waited


class Lines(RuleBasedStateMachine):
    """Items of two keys, each of which goes to the batch of its key that collects."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.number = 0
        self.open: dict[str, BatchMachine] = {}
        self.arrived: dict[int, tuple[str, float]] = {}
        self.left: set[int] = set()
        self.taken: list[tuple[str, float, BatchMachine]] = []

    def take(self, key: str, flush: str) -> None:
        machine = self.open.pop(key)
        machine.take(flush, self.now)
        self.taken.append((key, self.now, machine))

    @rule(key=st.sampled_from("xy"))
    def arrive(self, key: str) -> None:
        """A full batch is taken at once."""
        machine = self.open.setdefault(key, BatchMachine(SIZE, TIMEOUT))
        self.number += 1
        self.arrived[self.number] = (key, self.now)
        if machine.add(self.number, self.now) == machine.size:
            self.take(key, "size")

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        """One that waits goes; an empty batch is forgotten."""
        waiting = [(key, item) for key, machine in self.open.items() for item in machine.items]
        key, item = data.draw(st.sampled_from(waiting))
        was_oldest = self.open[key].oldest == item

        assert was_oldest == self.open[key].remove(item)
        self.left.add(item)
        if not self.open[key]:
            del self.open[key]

    @rule(seconds=st.integers(1, 9))
    def pass_time(self, seconds: int) -> None:
        """Timers are set to `due`: each batch is taken at that moment."""
        end = self.now + seconds
        while self.open:
            key = min(self.open, key=lambda key: self.open[key].due)
            if self.open[key].due > end:
                break
            self.now = self.open[key].due
            self.take(key, "time")
        self.now = end

    @precondition(lambda self: self.open)
    @rule()
    def flush(self) -> None:
        """All that waits is taken."""
        for key in list(self.open):
            self.take(key, "explicit")

    @invariant()
    def each_item_is_in_one_batch(self) -> None:
        """Of those that arrived, each has left, or waits, or is in exactly one batch."""
        waiting = [item for machine in self.open.values() for item in machine.items]
        run = [item for *_, machine in self.taken for item in machine.items]

        assert sorted(self.arrived) == sorted([*waiting, *run, *self.left])

    @invariant()
    def no_batch_is_too_big_or_empty(self) -> None:
        """A batch has one item at least and `SIZE` at most; with `SIZE` it does not wait."""
        assert all(1 <= len(machine) <= SIZE for *_, machine in self.taken)
        assert all(1 <= len(machine) < SIZE for machine in self.open.values())

    @invariant()
    def keys_never_mix(self) -> None:
        """The items of a batch have its key."""
        for key, _, machine in self.taken:
            assert {key} == {self.arrived[item][0] for item in machine.items}

    @invariant()
    def no_item_waits_too_long(self) -> None:
        """No later than `TIMEOUT` after its arrival it is taken, and `waited` tells how long."""
        for _, taken_at, machine in self.taken:
            waits = [taken_at - self.arrived[item][1] for item in machine.items]

            assert max(waits) <= TIMEOUT
            assert max(waits) == machine.waited


TestLines = Lines.TestCase


# -- the driver ------------------------------------------------------------------------------


class Driver(RuleBasedStateMachine):
    """A batcher on a fake clock: `submit`, cancellation, time and flush, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.clock = FakeClock(autojump=False)
        self.clock.__enter__()
        self.batches: list[tuple[float, list[int], str]] = []
        self.waiting: dict[int, tuple[str, float, Any]] = {}
        self.answered: dict[int, Any] = {}
        self.function = batched(max_batch_size=SIZE, batch_timeout=TIMEOUT)(self.make())

    def body(self, items: list[int], key: str) -> list[int]:
        self.batches.append((self.clock.now, items, key))
        return [item * 10 for item in items]

    def make(self) -> Any:
        return self.body

    def do(self, action: Any) -> Any:
        return action()

    def result(self, future: Any) -> Any:
        return future.result(timeout=30)

    @rule(key=st.sampled_from("xy"))
    def submit(self, key: str) -> None:
        """One item more; a full batch runs at once."""
        self.number += 1
        future = self.do(lambda: self.function.submit(self.number, key=key))
        self.waiting[self.number] = (key, self.clock.now, future)
        mates = [n for n, (k, _, _) in self.waiting.items() if k == key]
        if len(mates) == SIZE:
            for number in mates:
                self.answered[number] = self.result(self.waiting.pop(number)[2])

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Whoever waits can be cancelled, and is in no batch."""
        number = data.draw(st.sampled_from(sorted(self.waiting)))

        assert self.do(self.waiting.pop(number)[2].cancel)

    @rule(seconds=st.integers(1, 4))
    def pass_time(self, seconds: int) -> None:
        """Second by second: what has waited for `TIMEOUT` is run in that second."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.settle_due()

    def settle_due(self) -> None:
        for key in "xy":
            mates = [(n, since) for n, (k, since, _) in self.waiting.items() if k == key]
            if mates and self.clock.now - mates[0][1] >= TIMEOUT:
                for number, _ in mates:
                    self.answered[number] = self.result(self.waiting.pop(number)[2])

    @rule()
    def flush(self) -> None:
        """All that waits is run."""
        self.do(self.function.flush)
        for number in list(self.waiting):
            self.answered[number] = self.result(self.waiting.pop(number)[2])

    @invariant()
    def each_item_is_answered_once(self) -> None:
        """With its own result, from exactly one batch, together with its key's alone."""
        sent = [item for _, items, _ in self.batches for item in items]

        assert sorted(self.answered) == sorted(sent)
        assert {number: number * 10 for number in self.answered} == self.answered
        assert len(self.waiting) == self.function.batcher.waiting

    def teardown(self) -> None:
        """Answer the rest and end the fake time."""
        self.flush()
        self.clock.__exit__(None, None, None)


class AsyncDriver(Driver):
    """The same with a coroutine function, in one event loop."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        super().__init__()

    def make(self) -> Any:
        async def body(items: list[int], key: str) -> list[int]:
            await asyncio.sleep(0)
            return self.body(items, key)

        return body

    def do(self, action: Any) -> Any:
        async def main() -> Any:
            result = action()
            return await result if inspect.iscoroutine(result) else result

        return self.runner.run(main())

    def result(self, future: Any) -> Any:
        async def wait() -> Any:
            return await future

        return self.runner.run(wait())

    def teardown(self) -> None:
        """End the loop as well."""
        super().teardown()
        self.runner.close()


TestDriver = Driver.TestCase
TestDriver.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
TestAsyncDriver = AsyncDriver.TestCase
TestAsyncDriver.settings = TestDriver.settings
