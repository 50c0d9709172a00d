"""What a forked child gets of a retry: luck of its own, and a budget that can be used."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")

SETUP = """
    import os, sys
    from resilience import RetryBudget, retry
    from resilience.testing import FakeClock

    def in_child(function):
        read, write = os.pipe()
        if os.fork() == 0:
            os.write(write, repr(function()).encode())
            os._exit(0)
        os.wait()
        return os.read(read, 1_000)
"""


def run_program(text):
    """Run it in a process of its own, which has one thread and may fork safely."""
    program = textwrap.dedent(SETUP) + textwrap.dedent(text)
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False
    )

    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.split()


def test_trap_9_forked_workers_do_not_retry_in_step():
    """Two children of one process draw different jitter, so that they do not come back together."""
    delays = run_program("""
        failures = iter([OSError()])

        @retry
        def fetch():
            for failure in failures:
                raise failure

        def delay():
            with FakeClock() as clock:
                fetch()
                return clock.now

        print(in_child(delay), in_child(delay))
    """)

    assert 2 == len(set(delays))


def test_trap_9_a_budget_survives_a_fork():
    """A lock that some thread held at the fork is a new one in the child."""
    answer = run_program("""
        budget = RetryBudget(minimum=3)
        budget._lock.acquire()
        print(in_child(budget.spend))
    """)

    assert ["b'True'"] == answer
