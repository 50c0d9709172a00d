"""The breaker's machine against a naive model: a log of everything, and rules read off DESIGN."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from resilience._core.breaker import Breaker
from resilience._core.breaker_states import BreakerRules

RESET = 10.0

RULES = st.builds(
    BreakerRules,
    failure_threshold=st.integers(1, 3),
    reset_timeout=st.just(RESET),
    half_open_max_calls=st.integers(1, 3),
    success_threshold=st.integers(1, 3),
    failure_rate=st.sampled_from([None, 0.5, 1.0]),
    slow_call_rate=st.sampled_from([None, 0.5]),
    minimum_calls=st.integers(1, 4),
    window=st.integers(4, 6),
    max_reset_timeout=st.sampled_from([None, 25.0]),
)


class Model:
    """One circuit, written down as plainly as possible; every period keeps its own log."""

    def __init__(self, rules):
        self.rules = rules
        self.openings = 0
        self.begin("CLOSED", 0.0)

    def begin(self, state, now, *, until=None):
        """A new period: what was under way belongs to the one before."""
        self.state, self.since, self.until = state, now, until
        self.log = []  # (failed, slow) of each answer
        self.probes = {}

    def name(self, now):
        over = self.state == "OPEN" and self.until is not None and now >= self.until
        return "HALF-OPEN" if over else self.state

    def admits(self, now):
        """Whether a call passes; makes the step to half-open that a call makes."""
        if self.name(now) != self.state:
            self.begin("HALF-OPEN", now)
        if self.state == "HALF-OPEN":
            places = self.rules.half_open_max_calls
            if len(self.probes) < places:
                return True
            self.probes = {p: t for p, t in self.probes.items() if now - t < RESET}
            return len(self.probes) < places
        return self.state != "OPEN"

    def answered(self, now, *, failed, slow):
        """An answer of this period."""
        self.log.append((failed, slow))
        if self.state == "CLOSED" and self.is_bad():
            self.open(now)
        if self.state == "HALF-OPEN":
            if failed or (slow and self.rules.slow_call_rate is not None):
                self.open(now)
            elif len(self.log) >= self.rules.success_threshold:
                self.openings = 0
                self.begin("CLOSED", now)

    def is_bad(self):
        rules = self.rules
        row = self.log[-rules.failure_threshold :]
        if len(row) == rules.failure_threshold and all(failed for failed, _ in row):
            return True
        window = self.log[-rules.window :]
        if len(window) < rules.minimum_calls:
            return False
        failures, slows = (sum(column) / len(window) for column in zip(*window, strict=True))
        return bool(
            (rules.failure_rate and failures >= rules.failure_rate)
            or (rules.slow_call_rate and slows >= rules.slow_call_rate)
        )

    def open(self, now):
        self.openings += 1
        length = RESET
        if self.rules.max_reset_timeout is not None:
            length = min(RESET * 2 ** (self.openings - 1), self.rules.max_reset_timeout)
        self.begin("OPEN", now, until=now + length)


class BreakerAgainstModel(RuleBasedStateMachine):
    """Calls begin, end in any order or never, time passes, and somebody gives orders."""

    @initialize(rules=RULES)
    def start(self, rules):
        self.now = 0.0
        self.breaker, self.model = Breaker(rules), Model(rules)
        self.running = []  # (permit, the period's log, as its identity)

    @rule()
    def call(self):
        permit, passes = self.breaker.admit(self.now), self.model.admits(self.now)

        assert passes is (permit is not None)
        if passes:
            if self.model.state == "HALF-OPEN":
                self.model.probes[permit] = self.now
            self.running.append((permit, self.model.log))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), failed=st.booleans(), slow=st.booleans())
    def end(self, data, failed, slow):
        permit, is_current = self.take(data)
        self.breaker.record(permit, failed=failed, now=self.now, slow=slow)
        if is_current and self.model.state != "DISABLED":
            self.model.probes.pop(permit, None)
            self.model.answered(self.now, failed=failed, slow=slow)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end_neutrally(self, data):
        permit, is_current = self.take(data)
        self.breaker.release(permit)
        if is_current:
            self.model.probes.pop(permit, None)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def lose(self, data):
        self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))

    @rule(seconds=st.sampled_from([0.5, 3, RESET, 30]))
    def wait(self, seconds):
        self.now += seconds

    @rule(order=st.sampled_from(["hold_open", "close", "disable", "enable"]))
    def give_order(self, order):
        if order == "hold_open":
            self.breaker.hold_open(self.now)
            if not (self.model.state == "OPEN" and self.model.until is None):
                self.model.begin("OPEN", self.now)
        elif order == "disable":
            self.breaker.disable()
            self.model.begin("DISABLED", self.now)
        elif order == "close" or self.model.state == "DISABLED":
            getattr(self.breaker, order)()
            self.model.openings = 0
            self.model.begin("CLOSED", self.now)

    def take(self, data):
        """One of the running calls, and whether its period still lasts and knows of it."""
        permit, log = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        is_lost = self.model.state == "HALF-OPEN" and permit not in self.model.probes
        return permit, log is self.model.log and not is_lost

    @invariant()
    def they_agree(self):
        assert self.model.name(self.now) == self.breaker.name(self.now)
        assert (self.model.state == "CLOSED") is self.breaker.closed

    @invariant()
    def calm_is_who_learns_nothing_from_a_success(self):
        rules, log = self.model.rules, self.model.log
        is_windowed = (rules.failure_rate, rules.slow_call_rate) != (None, None)
        is_well = self.model.state == "CLOSED" and not (log and log[-1][0])
        assert (is_well and not is_windowed) is self.breaker.calm

    @invariant()
    def no_more_probes_than_allowed(self):
        if self.model.state == "HALF-OPEN":
            assert self.model.rules.half_open_max_calls >= len(self.breaker.state._probes)

    def teardown(self):
        """It is never stuck: time and successes close it, whatever has become of other calls."""
        if not hasattr(self, "breaker"):
            return
        if self.model.state == "DISABLED" or (self.model.state, self.model.until) == ("OPEN", None):
            self.breaker.close()
        successes = 0
        while self.breaker.name(self.now) != "CLOSED":
            self.now += 25
            permit = self.breaker.admit(self.now)
            self.breaker.record(permit, failed=False, now=self.now)
            successes += 1

            assert self.model.rules.success_threshold >= successes


TestBreakerAgainstModel = BreakerAgainstModel.TestCase
