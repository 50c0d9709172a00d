"""A whole pool with tasks on a loop and a clock of its own, against what was reported to it.

The ring of keys has a model of its own; here are limits, lines, circuits and waiters as well, and
calls that end, fail, are cancelled and outlive their entry in any order. The model remembers what
each entry was told, and no more.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from resilience import KeyPool
from resilience._core.keys import Offer
from resilience._core.strategies import STRATEGIES
from resilience.telemetry import Transition
from resilience.testing import FakeClock, capture_events
from tests.support.faults import HttpError
from tests.support.keys import rejected, throttled

RESET_TIMEOUT = 10.0
LIMITS = st.sampled_from([None, None, 1, 2])
OUTCOMES = {
    "well": lambda: None,
    "down": lambda: HttpError(503),
    "mistake": lambda: HttpError(404),
    "throttled": throttled,
    "throttled 5": lambda: throttled(5),
    "rejected": rejected,
}


class Facts:
    """What the model knows of one entry since it got its key."""

    def __init__(self, name, threshold):
        self.name, self.threshold = name, threshold
        self.rests = []  # until when, at least; since the last proof that they are over
        self.failures = 0  # in a row, of the circuit as it is now
        self.state, self.since = "CLOSED", 0  # of the circuit, and the number of its changes
        self.inside = set()  # requests that are with the server
        self.charged = Counter()

    def must_rest(self, now):
        return any(now < until for until in self.rests)


class Request:
    """One request that has reached a server and has no answer yet."""

    def __init__(self, facts, loop, began):
        self.facts, self.began = facts, began
        self.rests = list(facts.rests)
        self.since = facts.since
        self.answer = loop.create_future()


class PoolMachine(RuleBasedStateMachine):
    """Calls come, end and fail while time goes on and entries come and go."""

    @initialize(
        limits=st.tuples(LIMITS, LIMITS, LIMITS),
        threshold=st.sampled_from([None, 1, 2]),
        strategy=st.sampled_from(sorted(STRATEGIES)),
        waits=st.booleans(),
    )
    def begin(self, limits, threshold, strategy, waits):
        self.clock = FakeClock(autojump=False)
        self.clock.__enter__()
        self.capture = capture_events()
        self.events = self.capture.__enter__()
        self.loop = asyncio.new_event_loop()
        self.threshold = threshold
        circuit = {} if threshold is None else {"failure_threshold": threshold}
        if circuit:
            circuit["reset_timeout"] = RESET_TIMEOUT
        self.pool = KeyPool(strategy=strategy, wait=waits, queue_size=3, **circuit)
        self.fetch = self.pool.inject("key")(self.ask)
        self.facts, self.tasks, self.requests, self.numbers = {}, [], [], 0
        self.all_facts, self.wrong = [], []
        for limit in limits:
            self.add(limit)

    # -- the server ----------------------------------------------------------------------------

    async def ask(self, *, key):
        """Take a request; an entry that may not serve must never get here."""
        self.hear()
        facts = next(each for each in self.all_facts if f"key of {each.name}" == key)
        request = Request(facts, self.loop, self.clock.now)

        self.wrong += [name for name, holds in self.mistakes(facts) if holds]
        facts.inside.add(request)
        self.requests.append(request)
        try:
            outcome = await request.answer
        finally:
            facts.inside.discard(request)
            if request in self.requests:
                self.requests.remove(request)
        error = OUTCOMES[outcome]()
        self.report(request, outcome)
        if error is not None:
            raise error
        return outcome

    def mistakes(self, facts):
        """Yield what a pool may get wrong that hands this entry out now, and whether it has."""
        yield "it rests", facts.must_rest(self.clock.now)
        yield "its circuit is open", facts.state == "OPEN"
        probes = [  # that do not count as lost yet
            each
            for each in facts.inside
            if each.since == facts.since and self.clock.now - each.began < RESET_TIMEOUT
        ]
        yield "it is probed already", facts.state == "HALF-OPEN" and bool(probes)

    def report(self, request, outcome):
        """Remember what the pool is about to be told."""
        facts, now = request.facts, self.clock.now
        facts.charged["success" if outcome == "well" else "failure"] += 1
        if outcome in ("well", "mistake") and all(request.began >= end for end in facts.rests):
            facts.rests = []
        rest = {"throttled": 1, "throttled 5": 5, "rejected": 300}.get(outcome)
        if rest is not None:
            facts.rests.append(now + rest)
        if request.since == facts.since and facts.state == "CLOSED" and self.threshold:
            facts.failures += outcome == "down"
            if outcome == "well":
                facts.failures = 0

    def hear(self):
        """Take note of the changes of circuits that were published."""
        for event in self.events:
            if isinstance(event, Transition):
                name = event.name[len("keys[") : -1]
                facts = next(each for each in self.all_facts if each.name == name)
                facts.state, facts.failures = event.to, 0
                facts.since += 1
        self.events.clear()

    # -- what happens --------------------------------------------------------------------------

    def add(self, limit):
        self.numbers += 1
        name = f"{self.numbers}"
        self.all_facts.append(Facts(name, self.threshold))
        self.facts[name] = self.all_facts[-1]
        self.pool.add(name, f"key of {name}", max_concurrent_requests=limit)
        self.all_facts[-1].member = self.pool._members[name]

    def settle(self):
        """Let the loop run until nothing moves any more."""
        for _ in range(40):
            self.loop.run_until_complete(asyncio.sleep(0))
        self.hear()

        assert [] == self.wrong  # an error in a task would only be one more failed call

    @rule(times=st.integers(1, 4))
    def call(self, times):
        self.tasks += [self.loop.create_task(self.fetch()) for _ in range(times)]
        self.settle()

    @precondition(lambda self: self.requests)
    @rule(data=st.data(), outcome=st.sampled_from(["well", "well", *OUTCOMES]))
    def answer(self, data, outcome):
        request = data.draw(st.sampled_from(self.requests))
        self.requests.remove(request)
        was_closed = request.facts.state == "CLOSED"
        request.answer.set_result(outcome)
        self.settle()
        facts = request.facts
        if was_closed and self.threshold and facts.failures >= self.threshold:
            raise AssertionError("so many failures in a row should have opened the circuit")

    @precondition(lambda self: any(not task.done() for task in self.tasks))
    @rule(data=st.data())
    def cancel(self, data):
        data.draw(st.sampled_from([each for each in self.tasks if not each.done()])).cancel()
        self.settle()

    @rule(seconds=st.sampled_from([0.5, 1.0, 1.0, 5.0, RESET_TIMEOUT, 300.0]))
    def wait(self, seconds):
        self.clock.advance(seconds)
        self.settle()

    @rule(change=st.sampled_from(["add", "remove", "renew", "limit"]), data=st.data(), limit=LIMITS)
    def manage(self, change, data, limit):
        name = data.draw(st.sampled_from(sorted(self.facts)))
        if change == "add" and len(self.facts) < 4:
            self.add(limit)
        elif change == "remove" and len(self.facts) > 1:
            self.pool.remove(name)
            del self.facts[name]
        elif change == "limit":
            self.pool.update(name, max_concurrent_requests=limit)
        self.settle()

    # -- what must hold ------------------------------------------------------------------------

    @invariant()
    def nothing_in_flight_is_lost(self):
        """Each entry counts the requests that are with the server, and everybody is somewhere."""
        if not hasattr(self, "pool"):
            return
        stats = self.pool.get_stats()
        for name, facts in self.facts.items():
            assert len(facts.inside) == stats["endpoints"][name]["active_requests"]
        for facts in self.all_facts:
            queued = facts.member.entry.queued if facts.name in self.facts else 0
            assert len(facts.inside) + queued == facts.member.entry.active
        undone = sum(not task.done() for task in self.tasks)
        inside = sum(len(facts.inside) for facts in self.all_facts)

        assert undone == inside + stats["queue_size"] + len(self.pool._waiters)

    @invariant()
    def nobody_waits_for_what_is_free(self):
        """No wake-up is lost: neither for a key nor for a permit."""
        if not hasattr(self, "pool"):
            return
        if self.pool._waiters:
            assert [] == list(Offer(self.pool._ring, self.clock.now, 1, ()))
        for queue in self.pool.queues.values():
            assert not queue.size or queue.active >= queue.max_concurrent_requests

    @invariant()
    def each_outcome_is_charged_to_the_entry_that_was_leased(self):
        """As many successes and failures as the server gave on this very key."""
        if not hasattr(self, "pool"):
            return
        for facts in self.all_facts:
            stats = facts.member.statistics.snapshot().as_dict()
            counted = Counter(
                success=stats["successful_requests"], failure=stats["failed_requests"]
            )
            assert facts.charged == counted

    def teardown(self):
        """In the end everybody is answered, and nothing is left behind."""
        if not hasattr(self, "pool"):
            return
        for _ in range(100):
            if all(task.done() for task in self.tasks):
                break
            for request in list(self.requests):
                self.requests.remove(request)
                request.answer.set_result("well")
            self.settle()
            self.clock.advance(1_000)
            self.settle()
        undone = [task for task in self.tasks if not task.done()]
        for task in self.tasks:
            if task.done() and not task.cancelled():
                task.exception()  # has been looked at
        self.loop.close()
        self.capture.__exit__(None, None, None)
        self.clock.__exit__(None, None, None)

        assert ([], {}) == (undone, self.pool._waiters)
        assert [0] * len(self.all_facts) == [each.member.entry.active for each in self.all_facts]


PoolMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
TestPool = PoolMachine.TestCase
