"""Each feature turned off, alone, while the program runs: inside a block, and for everybody."""

from __future__ import annotations

import random
import threading

import pytest

from resilience import (
    CircuitOpenError,
    KeyPool,
    NoKeyAvailableError,
    PriorityQueue,
    QueueClosedError,
    QueueFullError,
    RetryBudget,
    batched,
    circuit_breaker,
    deadline,
    disabled,
    explain,
    get_stats,
    prioritized,
    resilient,
    retry,
)
from resilience._switches import FEATURES
from resilience.testing import FakeClock, no_waiting
from tests.support.faults import HttpError, failing
from tests.support.queues import Held

THROTTLED = HttpError(429, {"Retry-After": "60"})


class Scene:
    """A function with one feature, and whether the feature shows in its calls."""

    def __init__(self, run, decorator, body):
        self.function = run.decorate(decorator, body)

    def outcome(self):
        """What the next call raises; None for nothing."""
        return outcome_of(self.function)


def outcome_of(function):
    """What a call raises; None for nothing."""
    with no_waiting():
        try:
            function()
        except Exception as error:
            return error


class Retrying(Scene):
    """A call that fails is made again."""

    def __init__(self, run):
        self.body = failing(then=OSError)
        super().__init__(run, retry(max_retries=1), self.body)

    def shows(self):
        """Whether there was a second attempt."""
        before = len(self.body.calls)
        self.outcome()
        return len(self.body.calls) - before > 1


class Breaking(Scene):
    """After a failure the next call is refused."""

    def __init__(self, run):
        super().__init__(run, circuit_breaker(failure_threshold=1), failing(then=OSError))

    def shows(self):
        """Whether one of two calls was refused."""
        return CircuitOpenError in {type(self.outcome()), type(self.outcome())}


class KeyedBreaking(Breaking):
    """The same, with a circuit for each key."""

    def __init__(self, run):
        decorator = circuit_breaker(failure_threshold=1, key=lambda: "the only one")
        Scene.__init__(self, run, decorator, failing(then=OSError))


class Queueing(Scene):
    """Nobody gets a permit while the queue is paused."""

    def __init__(self, run):
        super().__init__(run, prioritized(queue_size=0), failing())
        self.function.queue.pause()

    def shows(self):
        """Whether the call was refused."""
        return isinstance(self.outcome(), QueueFullError)


class ChangingKeys(Scene):
    """A throttled key rests, and another one takes over."""

    def __init__(self, run):
        self.keys = []
        super().__init__(run, KeyPool(["a", "b"]), self.ask)

    def ask(self, api_key):
        """Be throttled."""
        self.keys.append(api_key)
        raise THROTTLED

    def shows(self):
        """Whether both were tried, or neither since both rest."""
        before = len(self.keys)
        error = self.outcome()
        return isinstance(error, NoKeyAvailableError) or len(self.keys) - before == 2


class TimeLimit(Scene):
    """An attempt has so many seconds."""

    def __init__(self, run):
        self.left = []
        decorator = resilient(attempt_timeout=5, max_retries=0)
        super().__init__(run, decorator, lambda: self.left.append(deadline.remaining()))

    def shows(self):
        """Whether there was a limit."""
        self.outcome()
        return self.left[-1] is not None


class Counting(Scene):
    """Calls are counted."""

    def __init__(self, run):
        self.name = f"counted {run.flavour}"
        super().__init__(run, retry(name=self.name), failing())

    def shows(self):
        """Whether the last one was."""
        before = get_stats(self.name)["total_requests"]
        self.outcome()
        return get_stats(self.name)["total_requests"] > before


class Combining(Scene):
    """A call waits for company."""

    def __init__(self, run):
        super().__init__(run, batched(batch_timeout=30), lambda items: items)

    def shows(self):
        """Whether it waited."""
        with FakeClock() as clock:
            self.function("item")
            return clock.now > 0


SCENES = {
    "attempt_timeout": TimeLimit,
    "batched": Combining,
    "circuit_breaker": Breaking,
    "circuit_breaker by key": KeyedBreaking,
    "key_pool": ChangingKeys,
    "metrics": Counting,
    "prioritized": Queueing,
    "retry": Retrying,
}
HANDLES = {"batched": "batcher", "prioritized": "queue"}


@pytest.fixture(params=SCENES)
def feature(request):
    """The name of each feature."""
    return request.param


@pytest.fixture
def scene(feature, run):
    """A function that has it."""
    return SCENES[feature](run)


def test_inside_a_block_it_is_not_there(feature, scene):
    """Named, or with all others; outside it works as before."""
    name = feature.split()[0]
    shown = [scene.shows()]
    with disabled(name):
        shown += [scene.shows(), scene.shows()]
    with disabled():
        shown.append(scene.shows())

    assert [True, False, False, False, True] == [*shown, scene.shows()]


def test_the_others_are_still_there(feature, scene):
    """Each is turned off alone."""
    with disabled(*(set(FEATURES) - {feature.split()[0]})):
        assert scene.shows()


def test_its_handle_turns_it_off_for_everybody(feature, scene, run):
    """The same three names on the object of each feature; what calls it later finds it off."""
    name = feature.split()[0]
    handle = getattr(scene.function, HANDLES.get(name, name))
    shown, enabled = [scene.shows()], [handle.enabled]
    handle.disable()
    shown.append(run.start(scene.shows).result() if run.flavour == "sync" else scene.shows())
    enabled.append(handle.enabled)
    handle.enable()

    assert ([True, False, True], [True, False, True]) == (
        [*shown, scene.shows()],
        [*enabled, handle.enabled],
    )


@pytest.mark.parametrize("feature", sorted(SCENES.keys() - {"metrics"}))
def test_explain_shows_what_is_off(feature, run):
    """By the handle, or inside the block in which it is asked; statistics are no layer."""
    name = feature.split()[0]
    function = SCENES[feature](run).function.function
    before = explain(function)
    with disabled(name):
        inside = explain(function)
    getattr(function, HANDLES.get(name, name)).disable()

    assert "disabled" not in before
    assert inside == explain(function)
    assert [line for line in inside.splitlines() if f". {name}" in line and "(disabled)" in line]


def test_every_layer_of_a_stack_can_be_off(run):
    """All at once: the bare function is left, and it gets a key."""
    attempts = []

    def body(api_key):
        attempts.append(api_key)
        raise OSError("scripted")

    pool = KeyPool(["a"])
    settings = {"max_concurrent_requests": 1, "failure_threshold": 1, "attempt_timeout": 5}
    fetch = run.decorate(resilient(keys=pool, **settings), body)
    with disabled():
        for _ in range(3):
            with pytest.raises(OSError, match="scripted") as caught:
                fetch()

    assert ["a", "a", "a"] == attempts
    assert not hasattr(caught.value, "__notes__")
    assert ("CLOSED", 0, {}) == (fetch.circuit_breaker.state, fetch.queue.active, fetch.queue._away)
    assert 0 == pool.get_stats()["total_requests"]


def test_submitted_calls_have_what_their_submitter_turned_off():
    """The context goes along: one attempt, although a worker makes it later, outside the block."""
    body = failing(then=OSError)
    fetch = resilient()(body)
    with disabled("retry"):
        future = fetch.submit()
    with pytest.raises(OSError, match="scripted"):
        future.result()

    assert 1 == len(body.calls)


def test_submitting_past_a_queue_that_is_off():
    """No place in a line that is full already, and no permit."""
    fetch = prioritized(queue_size=0)(lambda: "done")
    fetch.queue.pause()
    with disabled("prioritized"):
        future = fetch.submit()

    assert ("done", 0, 0) == (future.result(), fetch.queue.active, fetch.queue.size)


@pytest.mark.parametrize("name", ["retry", "circuit_breaker", "prioritized", "key_pool", "metrics"])
def test_streams_go_through_what_is_off(run, name):
    """A generator gives its items, and what is held is given back."""

    def numbers(api_key):
        yield from (1, 2)

    stream = resilient(keys=KeyPool(["a"]), name=f"stream {run.flavour}")(run.function(numbers))
    with disabled(name):
        assert [1, 2] == run.items(stream)

    assert 0 == stream.queue.active


def test_a_retry_can_be_turned_off_while_it_sleeps(run):
    """The attempt that it slept for is made, and is the last."""
    body = failing(then=OSError)
    fetch = run.decorate(retry(before_retry=lambda _: fetch.retry.disable()), body)
    with no_waiting(), pytest.raises(OSError, match="scripted") as caught:
        fetch()

    assert 2 == len(body.calls)
    assert ["2 attempts made"] == [note.split(": ")[1] for note in caught.value.__notes__]


def test_a_retry_that_is_off_asks_nobody(run):
    """No predicate, no hook, no budget of calls."""
    asked = []
    decorator = retry(retry_result=asked.append, before_retry=asked.append, on=asked.append)
    fetch = run.decorate(decorator, failing("bad", OSError))
    with disabled("retry"):
        assert "bad" == fetch()
        with pytest.raises(OSError, match="scripted"):
            fetch()

    assert [] == asked


def test_the_outer_retry_repeats_what_an_inner_one_that_is_off_did_not(run):
    """Turned off, it does not say that it has given up."""
    body = failing(OSError)
    inner = run.function(body)
    decorated = retry(inner)
    fetch = run.drive(retry(max_retries=1)(decorated))
    decorated.retry.disable()
    with no_waiting():
        assert "done" == fetch()


def test_disabling_a_queue_lets_its_waiters_go(run):
    """At once and beyond the limit; then they count until they end, and nobody after them."""
    held = Held(run)
    calls = [held.start(number) for number in range(4)]
    held.queue.disable()
    run.until(lambda: 4 == len(held.ran))
    before = held.queue.active, held.queue.size
    calls.append(held.start("uncounted"))
    during = held.queue.active
    held.queue.enable()
    waiter = held.start("waits")

    assert ((4, 0), 4, 1) == (before, during, held.queue.size)
    assert [0, 1, 2, 3, "uncounted", "waits"] == held.let_all_go(*calls, waiter)
    assert (0, 0, {}) == (held.queue.active, held.queue.size, held.queue._holders)


@pytest.mark.parametrize(
    ("change", "error"), [("pause", QueueFullError), ("close", QueueClosedError)]
)
def test_a_queue_that_is_off_knows_no_other_state(run, change, error):
    """Paused or closed, everybody passes; enabled, it is as it was left."""
    fetch = run.decorate(prioritized(queue_size=0), failing())
    getattr(fetch.queue, change)()
    fetch.queue.disable()
    passed = fetch()
    fetch.queue.enable()

    assert "done" == passed
    with pytest.raises(error):
        fetch()


def test_disabling_a_queue_lets_submitted_calls_go():
    """More of them run than there are permits."""
    both = threading.Barrier(3, timeout=30)
    wait = prioritized(max_concurrent_requests=1)(both.wait)
    futures = [wait.submit(), wait.submit()]
    wait.queue.disable()
    both.wait()
    done = [future.result() in range(3) for future in futures]
    wait.queue.enable()

    assert [True, True] == done
    assert (0, 0, 0) == (wait.queue.active, wait.queue.size, wait.queue._machine.busy_workers)


@pytest.mark.parametrize("seed", range(3))
def test_permits_never_drift_while_a_queue_is_turned_off_and_on(seed):
    """Threads call and submit while another one turns the switch: nothing is held at the end."""
    queue = PriorityQueue(max_concurrent_requests=2, queue_size=1_000)
    work = prioritized(queue)(lambda number: number)
    results, ends = [], threading.Event()

    def call(number):
        dice = random.Random(f"{seed}/{number}")
        for each in range(40):
            if dice.random() < 0.5:
                results.append(work(each))
            else:
                results.append(work.submit(each).result(30))

    def turn():
        while not ends.is_set():
            queue.disable()
            queue.enable()

    callers = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    switcher = threading.Thread(target=turn)
    for thread in (*callers, switcher):
        thread.start()
    for thread in callers:
        thread.join(30)
    ends.set()
    switcher.join(30)

    assert sorted(list(range(40)) * 4) == sorted(results)
    assert (0, 0, {}) == (queue.active, queue.size, queue._holders)
    assert 0 == queue._machine.busy_workers


def test_a_queue_made_disabled_can_be_enabled(run):
    """`queue_enabled=False` is where it begins."""
    fetch = run.decorate(prioritized(queue_enabled=False, queue_size=0), failing())
    fetch.queue.pause()
    before = fetch.queue.enabled, fetch()
    fetch.queue.enable()

    assert (False, "done") == before
    with pytest.raises(QueueFullError):
        fetch()


def test_the_line_and_the_circuit_of_a_key_are_off_with_theirs(run):
    """An entry's own queue and breaker are features of these names as well."""
    pool = KeyPool(["a"], max_concurrent_requests=1, queue_size=0, failure_threshold=1)
    body = failing(OSError)
    fetch = run.decorate(pool, lambda api_key: body())
    with pytest.raises(OSError, match="scripted"):
        fetch()
    refused = outcome_of(fetch)
    with disabled("circuit_breaker"):
        passed = fetch()
    member = pool._members["key_1"]
    member.breaker.close()
    member.queue.pause()
    full = outcome_of(fetch)
    with disabled("prioritized"):
        again = fetch()

    assert ("done", "done") == (passed, again)
    assert (NoKeyAvailableError, QueueFullError) == (type(refused), type(full))


def test_functions_of_one_decorator_have_a_switch_each():
    """Turning off the retry of one leaves that of the other."""
    decorator = retry(max_retries=1)
    first, second = decorator(lambda: None), decorator(lambda: None)
    first.retry.disable()

    assert (False, True) == (first.retry.enabled, second.retry.enabled)


def test_a_decorator_more_keeps_the_switches():
    """The wrapper with one layer more has the same layers within."""
    inner = resilient(attempt_timeout=1, max_retries=0)(lambda: None)
    outer = retry(inner)

    assert inner.attempt_timeout is outer.attempt_timeout


def test_methods_have_the_handles():
    """Through the class, an instance, and for class methods."""

    class Api:
        fetch = resilient(attempt_timeout=1)(lambda self: None)
        make = classmethod(retry(lambda cls: None))

    for name in ("retry", "queue", "circuit_breaker", "attempt_timeout", "metrics"):
        assert getattr(Api.fetch, name) is getattr(Api().fetch, name)
    assert Api.make.retry is Api().make.retry


def test_without_metrics_there_is_no_switch_for_them():
    """`metrics_enabled=False` makes no record that could be turned on."""
    assert not hasattr(retry(metrics_enabled=False)(lambda: None), "metrics")


def test_a_queue_that_is_turned_off_while_somebody_comes(run):
    """Who has just seen that it works finds no line to stand in, full or closed: it passes."""
    fetch = run.decorate(prioritized(max_concurrent_requests=1, queue_size=0), failing())
    fetch.queue.close()
    fetch.queue._machine.disabled = True  # the first half of `disable()`, for an unlucky moment

    assert ("done", 0) == (fetch(), fetch.queue.active)


def test_a_permit_of_a_queue_that_is_off(run):
    """Used alone it is off as well, in a block of plain code and in an awaited one."""
    queue = PriorityQueue(queue_size=0)
    queue.pause()

    def plainly():
        with queue.permit():
            return queue.active

    async def awaited():
        async with queue.permit():
            return queue.active

    with disabled("prioritized"):
        assert 0 == run.call(plainly if run.flavour == "sync" else awaited)


def test_a_lease_of_a_pool_that_was_off_holds_for_nobody():
    """What its call meets lets no key rest, although the block is over by then."""
    pool = KeyPool(["a"])
    with disabled("key_pool"):
        lease = pool.take()
    lease.finish(THROTTLED)

    assert {} == pool.resting()


def test_a_retry_that_is_off_earns_no_budget(run):
    """Calls that are never retried give others no right to a retry."""
    budget = RetryBudget(ratio=1, minimum=0)
    fetch = run.decorate(retry(budget=budget), failing())
    with disabled("retry"):
        fetch()
    off = budget.remaining
    fetch()

    assert (0, 1) == (off, budget.remaining)


def test_a_submitted_call_is_never_too_late_for_a_queue_that_is_off():
    """`queue_timeout` is a part of the queue."""
    with FakeClock(autojump=False) as clock:
        gate = threading.Event()
        wait = prioritized(max_concurrent_requests=1, queue_timeout=5)(gate.wait)
        first, second = wait.submit(30), wait.submit(30)
        clock.advance(10)
        wait.queue.disable()
        gate.set()

        assert [True, True] == [first.result(30), second.result(30)]
