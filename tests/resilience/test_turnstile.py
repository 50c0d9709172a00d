"""Where threads wait that are answered together: all come through, whatever ends a wait early."""

from __future__ import annotations

import random
import sys
import threading
import time

import pytest

from resilience._turnstile import Turnstile
from tests.support.interrupts import Untraced, interrupted_everywhere


def waiting(turnstile, count, wait=Turnstile.wait):
    """Threads that wait, and what their waits returned."""
    found = []
    threads = [threading.Thread(target=lambda: found.append(wait(turnstile))) for _ in range(count)]
    for each in threads:
        each.start()
    return threads, found


def test_everybody_comes_through():
    """Who waits, who comes later, and who comes to one that was opened twice."""
    turnstile = Turnstile()
    threads, found = waiting(turnstile, 8)

    assert (False, []) == (turnstile.is_set(), found)
    turnstile.open()
    turnstile.open()
    for each in threads:
        each.join()

    assert [True] * 8 == found
    assert turnstile.is_set()
    assert turnstile.wait()


def test_a_wait_that_is_too_long_opens_nothing():
    """It says so, and the others wait on."""
    turnstile = Turnstile()

    assert not turnstile.wait(0)
    assert not turnstile.wait(0.001)
    threads, found = waiting(turnstile, 1)
    turnstile.open()
    threads[0].join()

    assert [True] == found


def test_who_is_interrupted_lets_the_next_one_through():
    """Ctrl-C at every point: all come through whom the interrupted one should have woken."""
    turnstile, threads, found = Turnstile(), [], []

    def body():
        nonlocal turnstile, threads, found
        with Untraced():
            turnstile = Turnstile()
            threads, found = waiting(turnstile, 2)
            turnstile.open()
        turnstile.wait()

    places = []
    for place in interrupted_everywhere(body):
        places.append(place.split(":")[0])
        for each in threads:
            each.join()

        assert [True, True] == found, place

    assert {"Turnstile.wait"} == set(places)


@pytest.mark.parametrize("seed", range(3))
def test_many_threads_with_little_patience(seed):
    """Times that end while it is opened hold up nobody."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for turn in range(50):
            turnstile = Turnstile()
            dice = random.Random(f"{seed}/{turn}")
            patience = [dice.choice([None, 0, 0.0001]) for _ in range(16)]

            def wait(turnstile, patience=patience):
                seconds = patience.pop()
                while not turnstile.wait(seconds):
                    time.sleep(0)
                return True

            threads, found = waiting(turnstile, 16, wait)
            turnstile.open()
            for each in threads:
                each.join()

            assert [True] * 16 == found
    finally:
        sys.setswitchinterval(before)
