"""`PriorityQueue` with tasks on a loop against a naive model: a list that is sorted anew each time.

The queue's machine has a model of its own; here the waiters are real, and are cancelled, timed out
and served in any order, also before the loop has let them run.
"""

from __future__ import annotations

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from resilience import PriorityQueue, QueueFullError, QueueTimeoutError
from resilience.testing import FakeClock

TIMEOUT = 30.0


class Call:
    """A task that holds a permit until it is let go; with `depth`, it enters that often more."""

    def __init__(self, queue, loop, tier, depth):
        self.queue, self.tier, self.depth = queue, tier, depth
        self.is_inside, self.since = False, None
        self.gate = loop.create_future()
        self.task = loop.create_task(self.run(depth))

    async def run(self, depth):
        async with self.queue.permit(priority=self.tier):
            if depth:
                return await self.run(depth - 1)
            self.is_inside = True
            try:
                return await self.gate
            finally:
                self.is_inside = False

    def let_go(self):
        if not self.gate.done():
            self.gate.set_result("done")


class Tasks(RuleBasedStateMachine):
    """What both machines below do."""

    @initialize(limit=st.integers(1, 2), aging=st.sampled_from([5.0, 5.0, None]))
    def start(self, limit, aging):
        self.clock = FakeClock(autojump=False)
        self.clock.__enter__()
        self.loop = asyncio.new_event_loop()
        self.queue = PriorityQueue(
            max_concurrent_requests=limit, queue_size=6, queue_timeout=TIMEOUT, aging=aging
        )
        self.calls, self.paused = [], False

    def settle(self):
        """Let the loop run until nothing moves any more."""
        for _ in range(12):
            self.loop.run_until_complete(asyncio.sleep(0))

    def inside(self):
        return [call for call in self.calls if call.is_inside]

    def pick(self, data, calls):
        return data.draw(st.sampled_from(calls))

    def teardown(self):
        """In the end everybody is let go: no permit is missing, and nobody is left in line."""
        if not hasattr(self, "queue"):
            return
        self.queue.resume()
        for call in self.calls:
            call.let_go()
        for _ in range(len(self.calls)):
            self.settle()
        undone = [call for call in self.calls if not call.task.done()]
        for call in self.calls:
            if call.task.done() and not call.task.cancelled():
                call.task.exception()  # has been looked at
        self.loop.close()
        self.clock.__exit__(None, None, None)

        assert ([], 0, 0) == (undone, self.queue.active, self.queue.size)
        assert ({}, {}, {}) == (self.queue._holders, self.queue._shares, self.queue._away)


class InStep(Tasks):
    """After each step all tasks have run, so that the order can be foretold exactly."""

    @initialize()
    def begin(self):
        self.line, self.running, self.arrivals = [], [], 0

    def tier_of(self, call):
        aging = self.queue._machine.aging
        if aging is None:
            return call.tier
        oldest = min(each.since for each in self.line if each.tier == call.tier)
        return max(0, call.tier - int((self.clock.now - oldest) / aging))

    def serve(self):
        """What the model does when something may have become free; then compare."""
        while (
            self.line and not self.paused and len(self.running) < self.queue.max_concurrent_requests
        ):
            chosen = min(self.line, key=lambda call: (self.tier_of(call), self.calls.index(call)))
            self.line.remove(chosen)
            self.running.append(chosen)
        self.settle()

        assert {*self.running} == {*self.inside()}
        assert len(self.running) == self.queue.active
        assert [*self.tiers()] == [*self.queue.sizes.values()]

    def tiers(self):
        return [sum(call.tier == tier for call in self.line) for tier in range(3)]

    @rule(tiers=st.lists(st.integers(0, 2), min_size=1, max_size=4), depth=st.integers(0, 2))
    def come(self, tiers, depth):
        for tier in tiers:
            self.come_one(tier, depth)

    def come_one(self, tier, depth):
        is_full = len(self.line) >= self.queue.queue_size
        is_free = not self.paused and len(self.running) < self.queue.max_concurrent_requests
        call = Call(self.queue, self.loop, tier, depth)
        call.since = self.clock.now
        self.settle()
        if is_full and not is_free:
            assert QueueFullError is type(call.task.exception())
            return
        self.calls.append(call)
        self.line.append(call)
        self.serve()

    @precondition(lambda self: self.running)
    @rule(data=st.data(), cancels=st.booleans())
    def end(self, data, cancels):
        call = self.pick(data, self.running)
        self.running.remove(call)
        call.task.cancel() if cancels else call.let_go()
        self.settle()
        self.serve()

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def cancel_a_waiter(self, data):
        call = self.pick(data, self.line)
        self.line.remove(call)
        call.task.cancel()
        self.serve()

        assert call.task.cancelled()

    @rule(seconds=st.sampled_from([2.5, 5.0, 5.0, 7.5, TIMEOUT]))
    def wait(self, seconds):
        self.clock.advance(seconds)
        self.settle()
        late = [call for call in self.line if self.clock.now - call.since >= TIMEOUT]
        self.line = [call for call in self.line if call not in late]
        self.serve()

        assert all(type(call.task.exception()) is QueueTimeoutError for call in late)

    @rule(limit=st.integers(1, 3), size=st.integers(2, 8))
    def resize(self, limit, size):
        self.queue.resize(max_concurrent_requests=limit, queue_size=size)
        self.serve()

    @rule(pauses=st.sampled_from([True, False, False]))
    def pause(self, pauses):
        self.paused = pauses
        self.queue.pause() if pauses else self.queue.resume()
        self.serve()


class OutOfStep(Tasks):
    """Several things happen before any task has run; what must hold then is less, but enough."""

    @rule(tiers=st.lists(st.integers(0, 2), min_size=1, max_size=4), depth=st.integers(0, 1))
    def come(self, tiers, depth):
        self.calls += [Call(self.queue, self.loop, tier, depth) for tier in tiers]

    @precondition(lambda self: self.inside())
    @rule(data=st.data(), rounds=st.integers(0, 2), cancelled=st.integers(0, 3))
    def hand_over(self, data, rounds, cancelled):
        """One ends, the loop runs a little, and others are cancelled before it has run enough."""
        self.pick(data, self.inside()).let_go()
        self.run_a_little(rounds)
        for _ in range(cancelled):
            if live := [call for call in self.calls if not call.task.done()]:
                self.pick(data, live).task.cancel()

    @rule(rounds=st.integers(1, 3))
    def run_a_little(self, rounds):
        for _ in range(rounds):
            self.loop.run_until_complete(asyncio.sleep(0))

    @rule(
        limit=st.integers(1, 3), seconds=st.sampled_from([0.0, 5.0, TIMEOUT]), pauses=st.booleans()
    )
    def interfere(self, limit, seconds, pauses):
        """All that others may do to a queue, without letting its tasks run in between."""
        if pauses:
            self.queue.pause()
        self.queue.resize(max_concurrent_requests=limit)
        self.clock.advance(seconds)
        self.queue.resume()

    @rule()
    def settled(self):
        self.settle()
        queue, inside = self.queue, len(self.inside())
        waiting = sum(not call.task.done() for call in self.calls) - inside

        assert (inside, waiting) == (queue.active, queue.size)
        if queue.active < queue.max_concurrent_requests:
            assert 0 == queue.size  # no wake-up was lost

    @invariant()
    def the_bound_holds(self):
        assert 0 <= len(self.inside()) <= self.queue.active


InStep.TestCase.settings = OutOfStep.TestCase.settings = settings(
    max_examples=80, stateful_step_count=30
)
TestTasksInStep, TestTasksOutOfStep = InStep.TestCase, OutOfStep.TestCase
