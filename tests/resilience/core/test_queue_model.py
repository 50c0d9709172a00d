"""The queue's machine against a naive model: one list, sorted anew for each permit."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from resilience._core.queue import QueueMachine
from resilience._core.queue_lines import JobTicket

SIZE = 6


class Waiter:
    """One that waits, holds a permit, or may come back."""

    def __init__(self, arrival, tier, since, *, is_job):
        self.arrival, self.tier, self.since, self.is_job = arrival, tier, since, is_job
        self.ticket = None  # None: it never had to wait
        self.passes = False  # it holds its permit without a step


class QueueAgainstModel(RuleBasedStateMachine):
    """Calls and jobs come, wait, run, fail, come back, go away; limits change all the while."""

    @initialize(limit=st.integers(1, 2), aging=st.sampled_from([None, 5.0]))
    def start(self, limit, aging):
        self.machine = QueueMachine(limit, SIZE, aging)
        self.now, self.arrivals = 0.0, 0
        self.line, self.running, self.away = [], [], []
        self.workers = 0

    # -- the model ---------------------------------------------------------------------------

    def next_in_turn(self):
        """The one whose turn it is: by tier, lifted by age, then by arrival."""
        able = [w for w in self.line if not w.is_job or self.workers < self.machine.limit]
        return min(able, key=lambda w: (self.tier_of(w), w.arrival), default=None)

    def tier_of(self, waiter):
        """Its tier less one for each `aging` seconds that somebody of its kind has waited."""
        if self.machine.aging is None:
            return waiter.tier
        kind = (waiter.tier, waiter.is_job)
        oldest = min(w.since for w in self.line if (w.tier, w.is_job) == kind)
        return max(0, waiter.tier - int((self.now - oldest) / self.machine.aging))

    def check_granted(self, granted):
        """Compare what the machine granted with what the model grants, in the same order."""
        machine, expected = self.machine, []
        while len(self.running) < machine.limit and not (machine.paused or machine.closed):
            waiter = self.next_in_turn()
            if waiter is None:
                break
            self.line.remove(waiter)
            self.running.append(waiter)
            self.workers += waiter.is_job
            expected.append(waiter.ticket)

        assert expected == granted

    # -- what may happen ---------------------------------------------------------------------

    @rule(
        tiers=st.lists(st.integers(0, 2), min_size=1, max_size=4), is_job=st.sampled_from([0, 0, 1])
    )
    def come(self, tiers, is_job):
        for tier in tiers:
            self.come_one(tier, is_job=bool(is_job))

    def come_one(self, tier, *, is_job):
        machine = self.machine
        if machine.takes_job if is_job else machine.open:
            self.arrivals += 1
            waiter = Waiter(self.arrivals, tier, self.now, is_job=is_job)
            if is_job:
                self.start_job(waiter)
            else:
                self.take(waiter)
                self.running.append(waiter)
        elif machine.is_full or machine.closed or machine.draining:
            assert len(self.line) >= machine.size or machine.closed or machine.draining
        else:
            self.arrivals += 1
            self.stand(Waiter(self.arrivals, tier, self.now, is_job=is_job), None)

    def start_job(self, waiter):
        """Start where nobody waits, every other time; stand in line where not."""
        if self.line or not waiter.arrival % 2:
            self.stand(waiter, None)
            return
        waiter.ticket = JobTicket()
        self.running.append(waiter)
        self.workers += 1

        assert self.machine.take_job(waiter.ticket)
        assert (waiter.arrival, True) == (waiter.ticket.arrival, waiter.ticket.at_once)

    @precondition(lambda self: not self.line and not self.machine.takes_job)
    @rule()
    def start_no_job(self):
        """Without a permit or a worker there is no job, and nothing has changed."""
        ticket = JobTicket()

        assert not self.machine.take_job(ticket)
        assert "new" == ticket.fate

    @precondition(lambda self: any(waiter.is_job for waiter in self.running))
    @rule(data=st.data())
    def end_job(self, data):
        """A job ends and gives its permit and its worker back in one step."""
        waiter = data.draw(st.sampled_from([each for each in self.running if each.is_job]))
        self.running.remove(waiter)
        self.workers -= 1
        self.check_granted(self.machine.worker_done(self.now, 1))

    def take(self, waiter):
        """Pass where there is room, every other time; take a step where not."""
        machine = self.machine
        waiter.passes = len(machine.passing) < machine.room and bool(waiter.arrival % 2)
        if waiter.passes:
            machine.passing[waiter] = next(machine.arrivals)

            assert waiter.arrival == machine.passing[waiter]
        else:
            assert waiter.arrival == machine.take()

    def stand(self, waiter, place):
        waiter.since = self.now
        if waiter.is_job:
            waiter.ticket = JobTicket()
            self.machine.stand(waiter.ticket, waiter.tier, self.now)
        else:
            waiter.ticket = self.machine.wait(waiter.tier, self.now, waiter, place=place)
        self.line.append(waiter)

        assert waiter.arrival == waiter.ticket.arrival
        self.check_granted(self.machine.grant(self.now))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), fails=st.sampled_from([True, True, False]))
    def leave(self, data, fails):
        waiter = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        self.give_back(waiter)
        if fails:
            self.away.append(waiter)  # a job keeps its worker meanwhile
        else:
            self.end(waiter)

    def give_back(self, waiter):
        """Let its permit go, by a step if it was given by one."""
        machine = self.machine
        if waiter.passes:
            del machine.passing[waiter]
            granted = machine.grant(self.now) if machine.waiting else []
        else:
            granted = machine.leave(self.now)
        waiter.passes = False
        self.check_granted(granted)

    def end(self, waiter):
        """It does not come back: a job's worker is free."""
        if waiter.is_job:
            self.workers -= 1
            self.check_granted(self.machine.worker_done(self.now))

    @precondition(lambda self: self.away and not self.machine.closed)
    @rule(data=st.data())
    def come_back(self, data):
        for waiter in data.draw(st.permutations(self.away)):
            self.come_back_one(waiter)

    def come_back_one(self, waiter):
        self.away.remove(waiter)
        self.arrivals += 1  # the machine counts them all
        self.end(waiter)
        waiter.is_job = False  # a job that comes back has its worker, and waits like any call
        self.stand(waiter, waiter.arrival)

    @precondition(lambda self: self.line)
    @rule(data=st.data())
    def go_away(self, data):
        waiter = self.line.pop(data.draw(st.integers(0, len(self.line) - 1)))
        self.check_granted(self.machine.abandon(waiter.ticket, self.now))

    @precondition(lambda self: any(waiter.ticket for waiter in self.running))
    @rule(data=st.data())
    def go_away_when_granted(self, data):
        waiter = data.draw(st.sampled_from([w for w in self.running if w.ticket]))
        self.running.remove(waiter)
        self.workers -= waiter.is_job
        self.check_granted(self.machine.abandon(waiter.ticket, self.now))

    @rule(limit=st.integers(1, 3), size=st.integers(0, SIZE + 2))
    def resize(self, limit, size):
        self.machine.limit, self.machine.size = limit, size
        self.check_granted(self.machine.grant(self.now))

    @rule(paused=st.sampled_from([False, False, True]), draining=st.sampled_from([False, True]))
    def pause(self, paused, draining):
        self.machine.paused, self.machine.draining = paused, paused and draining
        self.check_granted(self.machine.grant(self.now))

    @rule(seconds=st.sampled_from([0.5, 5, 12]))
    def wait(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.arrivals > 40)
    @rule()
    def close(self):
        self.machine.closed = True
        refused = self.machine.refuse_all()

        assert {waiter.ticket for waiter in self.line} == {*refused}
        self.line.clear()

    # -- what always holds -------------------------------------------------------------------

    @invariant()
    def counts_are_conserved(self):
        machine = self.machine
        tiers = [waiter.tier for waiter in self.line]

        assert (len(self.running), len(self.line)) == (machine.active, machine.waiting)
        assert [tiers.count(tier) for tier in range(3)] == machine.sizes()
        assert self.workers == machine.busy_workers
        assert min((w.since for w in self.line), default=None) == machine.oldest()

    @invariant()
    def who_may_pass_overtakes_nobody(self):
        machine = self.machine
        is_shut = machine.waiting or machine.paused or machine.draining or machine.closed

        assert machine.room == (0 if is_shut else machine.limit - machine.taken)

    @rule()
    def adopt(self):
        """Count one that has passed like those that took a step."""
        for waiter in [each for each in self.running if each.passes][:1]:
            waiter.passes = False

            assert waiter.arrival == self.machine.adopt(waiter)
            self.machine.settle()

    @invariant()
    def nobody_waits_who_could_run(self):
        machine = self.machine
        if machine.active < machine.limit and not machine.paused:
            assert self.next_in_turn() is None

    def teardown(self):
        """When all have gone, no permit and no worker is missing."""
        if not hasattr(self, "machine"):
            return
        machine = self.machine
        machine.paused = False
        self.check_granted(machine.grant(self.now))
        while self.running or self.away:
            if self.running:
                self.away.append(self.running.pop())
                self.give_back(self.away[-1])
            self.end(self.away.pop())

        counts = (machine.active, machine.waiting, machine.busy_workers)
        assert ([], (0, 0, 0)) == (self.line, counts)


TestQueueAgainstModel = QueueAgainstModel.TestCase
