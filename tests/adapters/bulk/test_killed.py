"""kill -9 at any moment: each row has one result at the end, and little was asked twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from tests.adapters.bulk.conftest import Job, by_id

CONCURRENCY = 4
ROWS = 240

# Kills itself, as nothing else could, when so many requests have been begun.
PROGRAM = """\
import json, os, signal, sys
from adapters import bulk
from adapters.bulk import _engine

arguments, moment = json.load(sys.stdin)
answer, begun = _engine.Engine._answer, 0

async def counting(self, row):
    global begun
    begun += 1
    if begun == moment:
        os.kill(os.getpid(), signal.SIGKILL)
    await answer(self, row)

_engine.Engine._answer = counting
bulk.run(**arguments)
"""


def run_until(job: Job, moment: int, **changes) -> int:
    """Run the job in a process that is killed when so many rows have been begun."""
    arguments = {"source": str(job.source), "output": str(job.output), **job.arguments(**changes)}
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([arguments, moment]).encode(),
        check=False,
    ).returncode


@pytest.mark.parametrize("order", ["input", "completed"])
def test_killed_three_times(job: Job, order: str):
    """Complete, exactly once, and no more requests repeated than were under way at the kills."""
    names = job.write(ROWS)
    job.emulator.script(["500:rate=0.03", "reset:rate=0.02"])
    changes = {"concurrency": CONCURRENCY, "order": order, "initial_retry_delay": 0.01}
    for moment in (50, 81, 17):
        assert -signal.SIGKILL == run_until(job, moment, **changes)
    result = job.run(**changes)

    assert set(names) == set(by_id(job.lines()))
    assert all(line["ok"] for line in job.lines())
    answered = job.answered()
    assert ROWS == len(answered)
    assert answered.total() - ROWS <= 3 * CONCURRENCY
    assert 50 + 81 + 17 - 3 * CONCURRENCY <= result.earlier + 3
    if order == "input":
        assert names == [line["id"] for line in job.lines()]


@pytest.mark.parametrize("retry_failed", [False, True])
def test_killed_while_failed_rows_are_asked_again(job: Job, retry_failed: bool):
    """The round goes on where it was, whether it is asked for again or not."""
    job.write(40)
    job.emulator.script(["400:from=0"])
    job.run()
    job.emulator.reset()

    assert -signal.SIGKILL == run_until(job, 20, retry_failed=True, concurrency=CONCURRENCY)

    result = job.run(retry_failed=retry_failed)

    assert (40, 40) == (result.rows, result.failed)
    assert 40 <= len(job.emulator.log()) <= 40 + CONCURRENCY
