"""Whole runs against the emulator: every row has one result, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json

import pytest

from adapters import bulk
from adapters.bulk import BulkStoppedError
from adapters.bulk._files import Files
from resilience import KeyPool, SettingsError
from tests.adapters.bulk.conftest import Job, by_id


@pytest.mark.parametrize("concurrency", ["auto", 1, 7])
def test_every_row_has_its_answer(job: Job, concurrency):
    """Results stand in the order of the input, each with its id, its row, usage and result."""
    names = job.write(60)
    result = job.run(concurrency=concurrency)
    lines = job.lines()

    assert names == [line["id"] for line in lines]
    assert list(range(1, 61)) == [line["row"] for line in lines]
    assert all(len(line["result"]["vectors"][0]) == 4 for line in lines)
    assert sum(line["usage"]["input_tokens"] for line in lines) == result.input_tokens > 0
    assert ("complete", 60, 60, 0, 0) == (
        result.ending,
        result.rows,
        result.succeeded,
        result.failed,
        result.retries,
    )
    assert len(job.emulator.log()) == result.requests == 60
    assert result.concurrency <= 60 if concurrency == "auto" else concurrency == result.concurrency
    assert {"out.jsonl", "out.jsonl.job"} == job.left()


def test_results_as_they_come(job: Job):
    """In the other order OUTPUT is the journal: it grows, and nothing stands beside it."""
    names = job.write(30)
    seen = []
    job.run(order="completed", concurrency=3, on_progress=lambda _: seen.append(job.left()))

    assert set(names) == set(by_id(job.lines()))
    assert all("out.jsonl.part" not in left for left in seen)


def test_chat_by_template_from_csv(job: Job):
    """A CSV, a template and options: the emulator answers what it was asked."""
    job.source = job.source.with_name("in.csv")
    job.source.write_text('word,to\ncat,French\n"a, b",German\n', encoding="utf-8")
    result = job.run(
        operation="chat",
        model="gpt-4o-mini",
        column=None,
        template="Translate {word} to {to}",
        options={"temperature": 0},
    )
    expected = ["Translate cat to French", "Translate a, b to German"]

    assert [job.emulator.expected_answer(prompt) for prompt in expected] == [
        line["result"]["text"] for line in job.lines()
    ]
    assert [1, 2] == [line["id"] for line in job.lines()]
    assert result.output_tokens > 0


def test_rows_of_an_iterable(job: Job):
    """Mappings are a source: they are taken one by one, and never more than are under way."""
    taken, ahead = 0, []

    def rows():
        nonlocal taken
        for number in range(50):
            taken += 1
            yield {"id": number, "text": f"text {number}"}

    job.run(
        source=rows(),
        concurrency=4,
        on_progress=lambda progress: ahead.append(taken - progress.done),
    )

    assert list(range(50)) == [line["id"] for line in job.lines()]
    assert max(ahead) <= 4 + 1


def test_a_bad_row_is_a_result(job: Job):
    """A line that is no request, and one that the API refuses, are errors; the others go on."""
    rows = ['{"text": "good"}', "{broken", '{"txt": "bad"}', '{"text": []}', '{"text": "fine"}']
    job.source.write_text("\n".join(rows), encoding="utf-8")
    result = job.run()
    lines = job.lines()

    assert [True, False, False, False, True] == [line["ok"] for line in lines]
    assert ["InvalidInput", "InvalidInput", "BadRequestError"] == [
        line["error"]["kind"] for line in lines if not line["ok"]
    ]
    assert [1, 0, 0, 1, 1] == [line["attempts"] for line in lines]
    assert ({"InvalidInput": 2, "BadRequestError": 1}, 3) == (result.errors, result.failed)
    assert 3 == len(job.emulator.log())


def test_transient_errors_are_tried_again(job: Job, clock):
    """Faults cost requests and no rows; the requests that are told are those that were sent."""
    names = job.write(80)
    job.emulator.script(["500:rate=0.1", "429:rate=0.05,retry_after=1", "reset:rate=0.02"])
    result = job.run(max_retries=8)

    assert names == [line["id"] for line in job.lines() if line["ok"]]
    assert len(job.emulator.log()) == result.requests == 80 + result.retries
    assert result.retries > 0
    assert {1} == set(job.answered().values())


def test_throttling_lowers_the_limit(job: Job, clock):
    """A server that asks for less gets less at a time."""
    job.write(120)
    job.emulator.script(["429:every=20,retry_after=1"])
    limits = []
    result = job.run(on_progress=lambda progress: limits.append(progress.limit))

    assert 120 == result.succeeded
    assert result.throttled > 0
    assert min(limits) < result.concurrency


def test_each_attempt_counts_that_is_throttled_anew(job: Job, clock):
    """A row that meets a lower limit, and is throttled again, lowers it again."""
    job.write(1)
    job.emulator.script(["429:first=3,retry_after=1"])
    result = job.run(keys=list(job.emulator.keys().values())[:1])

    assert (1, 3, 4) == (result.succeeded, result.throttled, result.requests)


def test_runs_side_by_side_know_nothing_of_each_other(job: Job, clock):
    """What throttles one of them does not slow the other one down."""
    job.write(60)
    job.emulator.script(["429:key=production,every=10,retry_after=1"])

    def start(name: str):
        arguments = job.arguments(keys={name: job.emulator.keys()[name]}, name=name)
        return bulk.run_async(job.source, job.output.with_name(name), **arguments)

    async def main() -> list[bulk.BulkResult]:
        return await asyncio.gather(start("production"), start("backup"))

    slowed, other = asyncio.run(main())

    assert (60, 60, 0) == (slowed.succeeded, other.succeeded, other.throttled)
    assert slowed.throttled > 0


def test_an_open_circuit_fails_no_row(job: Job, clock):
    """While the service is down rows wait, instead of being refused one after the other."""
    names = job.write(40)
    job.emulator.script(["503:first=10"])
    result = job.run(max_retries=0)

    assert names == [line["id"] for line in job.lines()]
    # Before the circuit has opened, a row that fails is not told from one that is to blame.
    assert result.failed <= 5
    assert result.succeeded >= 35


def test_an_outage_fails_no_row(job: Job, clock):
    """With the usual retries the circuit opens before any row has used them up."""
    names = job.write(40)
    job.emulator.script(["503:nth=20", *(f"503:nth={number}" for number in range(21, 36))])
    result = job.run(concurrency=8)

    assert names == [line["id"] for line in job.lines() if line["ok"]]
    assert len(job.emulator.log()) == result.requests


def test_a_rate_limit_fails_no_row(job: Job, clock):
    """A wait that is longer than a call would wait is waited by the run."""
    names = job.write(20)
    job.emulator.script(
        ["429:key=production,first=1,retry_after=100", "429:key=backup,first=1,retry_after=100"]
    )
    result = job.run(max_retry_delay=10)

    assert names == [line["id"] for line in job.lines() if line["ok"]]
    assert clock.now >= 100
    assert len(job.emulator.log()) == result.requests


def test_rejected_keys_stop_it(job: Job):
    """Where every key was rejected nothing more is sent, no row is lost, and one goes on later."""
    names = job.write(100)
    job.emulator.script(["401:from=0"])
    with pytest.raises(BulkStoppedError, match="every key was rejected") as stopped:
        job.run()

    assert ("stopped", 0) == (stopped.value.result.ending, stopped.value.result.failed)
    assert len(job.emulator.log()) < 20

    job.emulator.script()
    job.run()

    assert names == [line["id"] for line in job.lines() if line["ok"]]


def test_one_rejected_key_does_not_stop_it(job: Job):
    """The other one serves all rows."""
    names = job.write(30)
    job.emulator.script(["401:key=backup"])
    result = job.run()

    assert names == [line["id"] for line in job.lines() if line["ok"]]
    assert "complete" == result.ending


def test_a_model_that_is_not_there_stops_it(job: Job):
    """Twenty rows that find nothing are enough to know."""
    job.write(200)
    job.emulator.script(["404:from=0"])
    with pytest.raises(BulkStoppedError, match="each of the first 20 rows"):
        job.run()

    assert len(job.emulator.log()) < 20 + 64


def test_patience_ends(job: Job, clock):
    """A server that wants to be left alone for longer than one is patient stops the run."""
    job.write(10)
    job.emulator.script(["429:retry_after=3600"])
    with pytest.raises(BulkStoppedError, match="no answer for 3,600 s"):
        job.run(patience=600)

    assert clock.now < 600


def test_the_same_call_again_sends_nothing(job: Job):
    """A job that is done is done: its report is told again, and its output stays."""
    job.write(10)
    first = job.run()
    before = job.output.read_bytes()
    job.emulator.reset()
    again = job.run()

    assert ([], before) == (job.emulator.log(), job.output.read_bytes())
    assert (10, 10, first.input_tokens) == (again.rows, again.earlier, again.input_tokens)


@pytest.mark.parametrize("order", ["input", "completed"])
def test_failed_rows_again(job: Job, clock, order):
    """Only rows whose result is an error are asked again; each has one result at the end."""
    names = job.write(40)
    job.emulator.script(["400:every=4"])
    first = job.run(order=order)
    job.emulator.script()
    job.emulator.reset()
    second = job.run(order=order, retry_failed=True)

    assert (10, 10) == (first.failed, len(job.emulator.log()))
    assert (40, 0, 30) == (second.succeeded, second.failed, second.earlier - first.failed)
    assert set(names) == set(by_id(job.lines()))
    assert {"out.jsonl", "out.jsonl.job"} == job.left()
    if order == "input":
        assert names == [line["id"] for line in job.lines()]


def test_failed_rows_are_asked_again_once(job: Job):
    """A row that fails again is an error again; the round ends."""
    job.write(12)
    job.emulator.script(["400:from=0"])
    job.run()
    job.emulator.reset()
    result = job.run(retry_failed=True)

    assert (12, 12) == (result.failed, len(job.emulator.log()))


def test_an_interruption(job: Job):
    """What is under way may end; the run tells how far it is, and the next one goes on."""
    stops = []

    def rows():
        for number in range(50):
            if number == 20 and stops:
                stops[0]()
            yield {"id": number, "text": f"text {number}"}

    result = job.run(source=rows(), concurrency=4, on_start=stops.append)

    assert ("interrupted", 20, False) == (result.ending, result.rows, job.output.exists())

    stops.clear()
    job.run(source=rows())

    assert list(range(50)) == [line["id"] for line in job.lines() if line["ok"]]
    assert {1} == set(job.answered().values())


def test_an_interruption_that_comes_too_late(job: Job):
    """Where every row has its result already, the run is complete."""
    stops = []

    def stop(progress: bulk.Progress) -> None:
        if progress.done == 3:
            stops[0]()

    job.write(3)
    result = job.run(on_start=stops.append, on_progress=stop)

    assert ("complete", 3) == (result.ending, len(job.lines()))


def test_an_interruption_ends_the_waits(job: Job, clock):
    """A row that would have to wait is left for the next run, even if it is the last one."""
    job.emulator.script(["429:first=1,retry_after=50"])
    stops = []

    def rows():
        yield {"text": "good"}
        for stop in stops:
            stop()

    keys = list(job.emulator.keys().values())[:1]
    result = job.run(source=rows(), keys=keys, on_start=stops.append, max_retry_delay=10)

    assert ("interrupted", 0) == (result.ending, result.rows)
    assert clock.now < 50

    stops.clear()

    assert 1 == job.run(source=rows()).succeeded


def test_a_second_interruption_waits_for_nothing(job: Job):
    """A call that hangs is abandoned, and asked again by the next run."""
    job.write(8)
    job.emulator.script(["hang:nth=3"])
    stops = []

    def stop_twice(progress: bulk.Progress) -> None:
        if progress.done == 7:
            stops[0]()
            stops[0]()

    result = job.run(concurrency=4, on_start=stops.append, on_progress=stop_twice)

    assert ("interrupted", 7) == (result.ending, result.rows)

    job.run()

    assert 8 == len(job.lines())


def test_a_cancelled_run_can_be_gone_on_with(job: Job):
    """Cancelling the coroutine leaves the journal and lets the files go."""
    tasks = []

    def rows():
        for number in range(50):
            if number == 30 and tasks:
                tasks[0].cancel()
            yield {"id": number, "text": f"text {number}"}

    async def main() -> None:
        arguments = job.arguments(concurrency=3)
        tasks.append(asyncio.create_task(bulk.run_async(rows(), job.output, **arguments)))
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())

    assert tasks.pop().cancelled()

    result = job.run(source=rows())

    assert 30 - 3 <= result.earlier <= 30
    assert list(range(50)) == [line["id"] for line in job.lines()]


def test_a_running_loop_is_told_the_other_name(job: Job):
    """`run` in a coroutine says what to await in its place."""
    job.write(1)

    async def main() -> None:
        job.run()

    with pytest.raises(RuntimeError, match="an event loop is running: use"):
        asyncio.run(main())


def test_another_job_is_refused(job: Job):
    """An output of other arguments, or of another input, is named with what differs."""
    job.write(3)
    job.run()
    with pytest.raises(SettingsError, match="is of a job with another model; take another"):
        job.run(model="text-embedding-3-large")
    job.write(4)
    with pytest.raises(SettingsError, match="is of a job with another input;"):
        job.run()

    assert 3 == len(job.lines())

    job.run(overwrite=True)

    assert 4 == len(job.lines())


def test_a_file_of_the_user_is_not_overwritten(job: Job):
    """An output that no run has made is left alone, and nothing is written beside it."""
    job.write(3)
    job.output.write_text("mine")
    with pytest.raises(SettingsError, match="output must not exist yet"):
        job.run()

    assert ("mine", {"out.jsonl"}) == (job.output.read_text(), job.left())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"column": "txt"}, "the first row is no request: it has no field 'txt'"),
        ({"concurrency": 0}, "concurrency must be a whole number, at least 1, not 0"),
        ({"order": "random"}, "order must be"),
        ({"patience": 0}, "patience must be"),
        ({"provider": "acme"}, "provider must be one of"),
        ({"template": "x"}, "template cannot be given beside column"),
        ({"max_retires": 3}, "did you mean max_retries"),
        ({"source": "missing.jsonl"}, "source must be a file"),
        ({"source": 3}, "source must be a path, or an iterable of mappings"),
        ({"source": {"text": "hi"}}, "source must be a path, or an iterable of mappings"),
        ({"source": [{"txt": "hi"}]}, "the first row is no request: it has no field 'text'"),
        ({"source": iter([1])}, "the first row is no request: row 1 is no object"),
    ],
)
def test_bad_arguments_write_nothing(job: Job, changes, message):
    """One error that names the argument; no file is made and nothing is sent."""
    job.write(3)
    with pytest.raises(SettingsError, match=message):
        job.run(**changes)

    assert (set(), []) == (job.left(), job.emulator.log())


def test_an_error_of_the_user_ends_it(job: Job):
    """What `on_progress` or the rows raise comes through, and the job can be gone on with."""

    def rows():
        yield from ({"id": number, "text": "good"} for number in range(5))
        raise LookupError("no more rows")

    def complain(progress: bulk.Progress) -> None:
        raise ZeroDivisionError

    with pytest.raises(LookupError, match="no more rows"):
        job.run(source=rows())
    with pytest.raises(ZeroDivisionError):
        job.run(
            source=({"id": number, "text": "good"} for number in range(5)), on_progress=complain
        )

    assert 5 == job.run(source=({"id": number, "text": "good"} for number in range(5))).succeeded


@pytest.mark.parametrize(
    ("provider", "operation", "model"),
    [
        ("claude", "chat", "claude-haiku-5-5"),
        ("gemini", "generate", "gemini-2.5-flash"),
        ("groq", "chat", "llama-3.1-8b-instant"),
        ("llvm", "embed", "BAAI/bge-small-en-v1.5"),
        ("ollama", "generate", "gemma3"),
        ("opea", "chatqna", None),
        ("ovms", "chat", "OpenVINO/Qwen3-8B-int4-ov"),
        ("tei", "embed", None),
        ("tgi", "generate", None),
    ],
)
def test_every_api(job: Job, provider: str, operation: str, model: str | None):
    """The input goes to the parameter that the operation of each API has for it."""
    names = job.write(3)
    result = job.run(
        provider=provider,
        operation=operation,
        model=model,
        options={},
        keys=job.emulator.keys(provider),
        base_url=job.emulator.base_url(provider),
    )

    assert names == [line["id"] for line in job.lines() if line["ok"]]
    assert 3 == result.requests


def test_two_runs_do_not_share_a_job(job: Job):
    """While one works on it, another one is refused."""
    job.write(30)
    refusals = []

    def second(progress: bulk.Progress) -> None:
        with pytest.raises(SettingsError) as refused:
            run_elsewhere(job)
        refusals.append(str(refused.value))

    job.run(on_progress=second)

    assert refusals
    assert all("another one is at it" in refusal for refusal in refusals)


def run_elsewhere(job: Job) -> None:
    """Open the files of a job a second time."""
    identity = json.loads(job.output.with_name("out.jsonl.job").read_text("utf-8"))
    Files(job.output, identity, sort=True, overwrite=False)


def test_a_pool_of_the_user(job: Job):
    """The limits of a pool hold, however many calls the run would make at once."""
    job.write(40)
    pool = KeyPool(job.emulator.keys(), max_concurrent_requests=1)
    job.run(keys=pool)

    assert 40 == pool.get_stats()["successful_requests"]
