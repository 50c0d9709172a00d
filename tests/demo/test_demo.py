"""The demo: its work, its proof and a short run from end to end."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from adapters.cli.demo import run
from adapters.cli.demo.jobs import Job, Outcome, make_jobs
from adapters.cli.demo.proof import prove
from adapters.cli.demo.tour import STOPS, Stop, tour
from adapters.emulator import LogRecord, expected_answer, expected_vector
from adapters.emulator.registry import PROVIDERS
from resilience import Priority

SHORT_STORM = [
    {"fault": "401", "key": "retired"},
    {"fault": "503", "first": 12},
    {"fault": "reset", "every": 17},
    {
        "fault": "limit",
        "key": "production",
        "requests": 5,
        "window": 0.5,
        "grace": 0.4,
        "retry_after_as": "ms",
    },
    {"fault": "truncated", "stream": False, "every": 11},
    {"fault": "cut", "stream": True, "after": 2, "every": 7},
]


def record(job: int, index: int, **changes: object) -> LogRecord:
    """One line of the server's log: a whole answer, unless `changes` say otherwise."""
    values = {
        "index": index,
        "time": float(index),
        "provider": "openai",
        "method": "POST",
        "path": "/chat/completions",
        "client_request_id": f"job-{job:05d}",
        "status": 200,
        "completed": True,
    }
    return LogRecord(**(values | changes))


def outcome(number: int, failure: str | None = None) -> Outcome:
    """What became of a job."""
    return Outcome(Job(number, "chat", "hi", Priority.NORMAL), failure, 0.1)


def test_the_same_seed_makes_the_same_jobs():
    """Work is fixed by the seed, and no two prompts are equal."""
    jobs = make_jobs(500, seed=3)

    assert jobs == make_jobs(500, seed=3)
    assert 500 == len({job.prompt for job in jobs})
    assert {"chat", "stream", "embed"} == {job.operation for job in jobs}
    assert set(Priority) == {job.priority for job in jobs}


def test_a_job_knows_its_right_answer():
    """An answer to another prompt, a cut one and a short vector are wrong."""
    job = make_jobs(1, seed=0)[0]
    right = expected_answer(job.prompt, seed=5)

    assert job.is_right(right, 5)
    assert not job.is_right(right[:-1], 5)
    assert not job.is_right(right, 6)
    assert job.is_right(expected_vector(job.prompt, 32, seed=5), 5)
    assert not job.is_right(expected_vector(job.prompt, 31, seed=5), 5)


def test_the_proof_holds_for_failures_that_end_in_one_answer():
    """Failed requests before the answer are needed; the trouble's length is measured."""
    log = [record(1, 0, status=503), record(1, 2, completed=False), record(1, 5)]
    proof = prove([outcome(1)], log)

    assert proof.holds
    assert 3 == proof.requests
    assert 5.0 == proof.survived


@pytest.mark.parametrize(
    ("log", "field"),
    [
        ([record(1, 0), record(1, 1)], "needless"),
        ([record(1, 0, status=429, too_early=True), record(1, 1)], "too_early"),
        ([record(1, 0), record(7, 1)], "unknown"),
    ],
)
def test_the_proof_fails_for_each_broken_promise(log: list[LogRecord], field: str):
    """A repeat after the answer, an early request and a stranger's one each break the proof."""
    proof = prove([outcome(1)], log)

    assert 1 == getattr(proof, field)
    assert not proof.holds


def test_a_lost_job_breaks_the_proof():
    """A job without a right answer is lost, whatever the server says."""
    proof = prove([outcome(1, "HTTP 503")], [record(1, 0)])

    assert 1 == proof.lost
    assert not proof.holds


def test_a_short_storm_end_to_end():
    """The plain way loses jobs; the toolkit loses none, and the server's log agrees."""
    output = io.StringIO()
    kept = run(Console(file=output, width=100), 80, 7, SHORT_STORM)
    plain, ours = [line for line in output.getvalue().splitlines() if " lost" in line][:2]

    assert kept, output.getvalue()
    assert not plain.endswith(" 0 lost")
    assert ours.endswith(" 0 lost")


@pytest.mark.parametrize(("end", "told"), [(1e-9, False), (3600, True)])
def test_too_few_jobs_are_told(end: float, told: bool):
    """Who is done before the outage is over has not seen all of the storm, and hears so."""
    output = io.StringIO()
    run(Console(file=output, width=100), 2, 7, [{"fault": "503", "nth": 1, "to": end}])

    assert told is ("before the storm was over" in output.getvalue())


def test_the_tour_visits_every_api():
    """Each of those that the emulator speaks, and every answer is right."""
    output = io.StringIO()
    kept = tour(Console(file=output, width=100), 7)

    assert kept, output.getvalue()
    assert set(PROVIDERS) == {stop.name for stop in STOPS}
    assert all(f" {stop.name} " in output.getvalue() for stop in STOPS)


def test_a_wrong_answer_and_an_error_break_the_tour():
    """An answer that is none counts as little as one to another question."""
    wrong = Stop("openai", (("chat", lambda client, text, seed: False),))
    failing = Stop(
        "openai", (("chat", lambda client, text, seed: client.chat("no such model", text)),)
    )

    for stop in (wrong, failing):
        output = io.StringIO()
        assert not tour(Console(file=output, width=100), 7, [stop])
        assert "0 of 12" in output.getvalue()
