"""`@circuit_breaker(key=…)`: one circuit for each value, bounded, to be looked at only."""

from __future__ import annotations

import threading

import pytest

from resilience import CircuitOpenError, circuit_breaker, get_stats
from resilience._keyed_breakers import MOST_KEYS
from resilience.testing import FakeClock


def by_model(run, **settings):
    """A function with a circuit for each model; "bad" ones fail."""

    def fetch(model, *, fails=None):
        if "bad" in model if fails is None else fails:
            raise OSError("scripted")
        return model

    decorator = circuit_breaker(failure_threshold=1, key=lambda model, **_: model, **settings)
    return run.decorate(decorator, fetch)


def fail(fetch, model):
    """Call it once, and expect its failure."""
    with pytest.raises(OSError, match="scripted"):
        fetch(model, fails=True)


def test_each_value_has_a_circuit_of_its_own(run):
    """One model that is down does not take the others with it."""
    fetch = by_model(run)
    fail(fetch, "bad")
    with pytest.raises(CircuitOpenError, match=r"fetch\[bad\]"):
        fetch("bad")

    assert "good" == fetch("good")
    assert {"bad": "OPEN", "good": "CLOSED"} == {
        model: breaker.state for model, breaker in fetch.circuit_breakers.items()
    }


def test_the_mapping_is_read_only(run):
    """It is a view: it grows with the calls and cannot be written to."""
    fetch = by_model(run)
    view = fetch.circuit_breakers
    fetch("a")

    assert (["a"], 1, True, None) == (list(view), len(view), "a" in view, view.get("b"))
    with pytest.raises(TypeError):
        view["b"] = view["a"]
    with pytest.raises(KeyError):
        view["b"]
    with pytest.raises(TypeError):
        del view["a"]


def test_without_key_the_mapping_is_empty(run):
    """The handle is always there."""
    fetch = run.decorate(circuit_breaker, lambda: 1)
    fetch()

    assert {} == dict(fetch.circuit_breakers)


def test_their_number_is_bounded(run):
    """Beyond the bound the circuit that was not used for longest goes; what is used stays."""
    fetch = by_model(run)
    fail(fetch, "bad")
    for number in range(MOST_KEYS - 1):
        fetch(str(number))
    with pytest.raises(CircuitOpenError):  # which is a use of it
        fetch("bad")
    fetch("one more")

    assert MOST_KEYS == len(fetch.circuit_breakers)
    assert ("bad" in fetch.circuit_breakers) > ("0" in fetch.circuit_breakers)
    assert "0" == fetch("0")


def test_by_hand_all_of_them_at_once(run):
    """`fn.circuit_breaker` stands above them: opened or disabled it holds for every key."""
    fetch = by_model(run)
    fail(fetch, "bad")
    fetch.circuit_breaker.disable()
    fail(fetch, "bad")
    fetch.circuit_breaker.open()
    with pytest.raises(CircuitOpenError):
        fetch("good")
    fetch.circuit_breaker.close()

    assert "good" == fetch("good")
    with pytest.raises(CircuitOpenError):
        fetch("bad")


def test_statistics_show_the_gravest_state(run):
    """Of many circuits the one that is worst stands for the function."""
    with FakeClock(autojump=False) as clock:
        fetch = by_model(run)
        states = [get_stats(fetch.function)["circuit_state"]]
        fetch("good")
        fail(fetch, "bad")
        states.append(get_stats(fetch.function)["circuit_state"])
        clock.advance(30)
        states.append(get_stats(fetch.function)["circuit_state"])

    assert ["CLOSED", "OPEN", "HALF-OPEN"] == states


def test_what_the_key_raises_is_raised_to_the_caller(run):
    """A mistake in `key` is the program's: it is not hidden, and nothing is called."""
    fetch = run.decorate(circuit_breaker(key=lambda: 1 / 0), lambda: "called")
    with pytest.raises(ZeroDivisionError):
        fetch()

    assert 0 == len(fetch.circuit_breakers)


def test_streams_have_a_circuit_for_each_key_too(run):
    """A generator that fails in the middle opens the circuit of its own key alone."""

    def items(model):
        yield 1
        if model == "bad":
            raise OSError

    fetch = run.decorate(circuit_breaker(failure_threshold=1, key=lambda model: model), items)
    with pytest.raises(OSError):  # noqa: PT011 - it says nothing
        list(fetch("bad"))
    with pytest.raises(CircuitOpenError):
        list(fetch("bad"))

    assert [1] == list(fetch("good"))


def test_trap_10_a_key_may_use_the_breakers(run):
    """A key's own methods run without a lock: they may look at, or call, what they are a key of."""

    class Key:
        def __hash__(self):
            look()
            return 1

        def __eq__(self, other):
            look()
            return isinstance(other, Key)

        def __str__(self):
            look()
            return "key"

    def look():
        thread = threading.Thread(target=lambda: seen.append(list(fetch.circuit_breakers)))
        thread.start()
        thread.join(5)

    seen = []
    fetch = run.decorate(circuit_breaker(key=Key), lambda: "done")

    assert ["done", "done"] == [fetch(), fetch()]
    assert 1 == len(fetch.circuit_breakers)
    assert len(seen) >= 4


def test_threads_that_meet_a_new_key_share_its_circuit():
    """However many threads bring a key at once, there is one circuit for it."""
    for _ in range(20):
        fetch = circuit_breaker(key=lambda model: model)(lambda model: model)
        barrier, failed = threading.Barrier(8), []

        def caller(fetch=fetch, barrier=barrier, failed=failed):
            barrier.wait()
            fetch("model")
            failed.append(fetch.circuit_breakers["model"])

        threads = [threading.Thread(target=caller) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 1 == len(set(failed))
