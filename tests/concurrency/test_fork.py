"""A child of a process whose other threads hold every lock, a permit, a lease and a place."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")

DECORATORS = {
    "retry": "retry(max_retries=1, budget=RetryBudget())",
    "circuit_breaker": "circuit_breaker(failure_rate=0.5)",
    "circuit_breaker by key": "circuit_breaker(key=lambda item, **_: item[0])",
    "prioritized": "prioritized(max_concurrent_requests=1)",
    "key_pool": "keys(max_concurrent_requests=1, failure_threshold=5).inject('key')",
    "resilient": "resilient(max_concurrent_requests=1, attempt_timeout=60, budget=RetryBudget())",
    "a stack": "stack",
    "batched": "batched(max_batch_size=1)",
}

# What the child prints: of a call, of an awaited one, of a submitted one, and what is held then.
CHILD = ["['child']", "['child']"]
SUBMITS, QUEUE, POOL, CIRCUIT = "['child']", "(0, 0)", "0", "'CLOSED'"
EXPECTED = {
    "retry": CHILD,
    "circuit_breaker": [*CHILD, CIRCUIT],
    "circuit_breaker by key": [*CHILD, CIRCUIT],
    "prioritized": [*CHILD, SUBMITS, QUEUE],
    "key_pool": [*CHILD, POOL],
    "resilient": [*CHILD, SUBMITS, QUEUE, CIRCUIT],
    "a stack": [*CHILD, SUBMITS, QUEUE, POOL, CIRCUIT],
    "batched": [*CHILD, SUBMITS],
}

PROGRAM = """
    import asyncio, gc, os, signal, threading, warnings
    from resilience import *
    from tests.support.locks import held_locks

    warnings.simplefilter("ignore")  # of forking with threads, which is what this is about
    signal.alarm(60)
    goes_on = threading.Event()


    def keys(**settings):
        return KeyPool(["one"], **settings)


    def stack(function):
        queue = PriorityQueue(max_concurrent_requests=1)
        pool = keys(failure_threshold=5)
        return retry(pool.inject("key")(prioritized(queue)(circuit_breaker(function))))


    decorator = DECORATOR
    inside, entered = [], threading.Semaphore(0)


    def body(item, key=None):
        inside.append(item)
        entered.release()
        if os.getpid() == parent:
            goes_on.wait(50)
        return item


    parent = os.getpid()
    fetch = decorator(body)

    @decorator
    async def fetch_async(item, key=None):
        return item

    callers = [threading.Thread(target=fetch, args=([name],)) for name in ("runs", "may wait")]
    for caller in callers:
        caller.start()
    entered.acquire()
    if hasattr(fetch, "submit"):
        submitted = fetch.submit(["submitted"])

    with held_locks() as locks:
        assert locks
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            answers = [fetch(["child"]), asyncio.run(fetch_async(["child"]))]
            if hasattr(fetch, "submit"):
                answers.append(fetch.submit(["child"]).result(20))
            if hasattr(fetch, "queue"):
                answers.append((fetch.queue.active, fetch.queue.size))
            if hasattr(fetch, "key_pool"):
                answers.append(fetch.key_pool.get_stats()["active_requests"])
            if hasattr(fetch, "circuit_breaker"):
                answers.append(fetch.circuit_breaker.state)
            get_stats(), generate_report(), explain(fetch), reset_stats()
            os.write(write, repr(answers).encode())
            os._exit(0)

    _, status = os.waitpid(child, 0)
    goes_on.set()
    for caller in callers:
        caller.join(50)
    if hasattr(fetch, "submit"):
        submitted.result(50)
    ended = [caller.is_alive() for caller in callers]
    left = (fetch.queue.active, fetch.queue.size) if hasattr(fetch, "queue") else (0, 0)
    os.set_blocking(read, False)
    print(status, ended, left, os.read(read, 10_000).decode() if not status else "")
"""


@pytest.mark.parametrize("name", DECORATORS)
def test_trap_9_a_child_works_whatever_its_parent_held(name):
    """Calls of every kind end in the child, its counts begin sane, and the parent goes on."""
    program = textwrap.dedent(PROGRAM).replace("DECORATOR", DECORATORS[name])
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=False
    )
    answers = f"[{', '.join(EXPECTED[name])}]"

    assert (0, "") == (done.returncode, done.stderr)
    assert f"0 [False, False] (0, 0) {answers}" == done.stdout.strip()


COUNTS = """
    import os, threading, warnings
    from resilience import get_stats, reset_stats, retry
    from resilience.telemetry.histogram import Histogram

    warnings.simplefilter("ignore")
    stopped, goes_on, extend = threading.Event(), threading.Event(), Histogram.extend

    def stop(self, values):
        stopped.set()
        goes_on.wait(20)
        extend(self, values)

    fetch = retry(str)
    fetch("parent")
    Histogram.extend = stop
    reader = threading.Thread(target=get_stats)
    reader.start()
    stopped.wait(20)
    Histogram.extend = extend
    child = os.fork()
    if child == 0:
        reset_stats()
        fetch("child"), fetch("child")
        os._exit(get_stats("str")["total_requests"])
    goes_on.set()
    reader.join(20)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), get_stats("str")["total_requests"])
"""


def test_a_child_counts_whatever_its_parent_was_counting():
    """A thread that was about to sum up does not exist in the child, which does so itself."""
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", textwrap.dedent(COUNTS)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ("2 1", "") == (done.stdout.strip(), done.stderr)
