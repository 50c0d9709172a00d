"""A submitted call that must wait before it uses its permit lends it to others meanwhile."""

from __future__ import annotations

from resilience import KeyPool, NoKeyAvailableError, Priority, prioritized, retry
from resilience.testing import FakeClock
from tests.support.keys import failed_lease, throttled


def limited(run, body, **settings):
    """A function with one permit behind one key with one permit."""
    pool = KeyPool({"a": "key of a"}, **{"max_concurrent_requests": 1} | settings)
    return run.decorate(lambda f: pool(prioritized(max_concurrent_requests=1)(f)), body)


def test_a_call_and_a_submitted_one_never_wait_for_each_other(run):
    """One holds the permit of the key, the other that of the queue: both get what they need."""

    def echo(value, *, api_key):
        assert "key of a" == api_key
        return value

    fetch = limited(run, echo)
    fetch.queue.pause()
    called = run.start(fetch, "called")  # it has the permit of the key
    run.until(lambda: 1 == fetch.queue.size)
    submitted = fetch.submit("submitted", priority=Priority.HIGH)
    fetch.queue.resume()  # and the submitted one that of the queue
    run.until(lambda: called.done() and submitted.done())

    assert ["called", "submitted"] == [called.result(), submitted.result()]
    assert 0 == fetch.queue.active == fetch.key_pool.get_stats()["active_requests"]
    assert fetch.queue.drain(timeout=0)


def test_a_call_that_waits_for_a_key_lends_its_permit(run):
    """What is submitted waits for the key to wake without a permit, and then runs under one."""
    with FakeClock(autojump=False) as clock:
        fetch = limited(run, lambda *, api_key: fetch.queue.active, wait=True)
        failed_lease(run, fetch.key_pool, error=throttled(30))
        submitted = fetch.submit()
        run.until(lambda: 0 == fetch.queue.active)
        clock.advance(30)
        run.until(submitted.done)

    assert 1 == submitted.result()


def test_a_call_that_gets_no_key_has_no_place_any_more(run):
    """A permit that was lent and is not asked for again holds up no `drain`."""
    with FakeClock(autojump=False):
        fetch = limited(run, lambda *, api_key: None, wait=True)
        failed_lease(run, fetch.key_pool, error=throttled(30))
        submitted = fetch.submit()
        run.until(lambda: 0 == fetch.queue.active)
        fetch.key_pool.remove("a")
        run.until(submitted.done)

    assert isinstance(submitted.exception(), NoKeyAvailableError)
    assert fetch.queue.drain(timeout=0)


def test_a_call_that_sleeps_before_its_first_attempt_lends_its_permit(run):
    """A retry that waits for a key holds no permit, though nothing was sent yet."""
    with FakeClock(autojump=False) as clock:
        pool = KeyPool("key of a")
        fetch = run.decorate(
            lambda f: retry(jitter=0)(pool(prioritized(max_concurrent_requests=1)(f))),
            lambda *, api_key: fetch.queue.active,
        )
        failed_lease(run, pool, error=throttled(30))
        submitted = fetch.submit()
        run.until(lambda: 0 == fetch.queue.active)
        clock.advance(30)
        run.until(submitted.done)

    assert 1 == submitted.result()
