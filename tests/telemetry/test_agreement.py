"""Statistics, metrics, the callers and the server's own log say the same, to the last call.

Ten thousand calls of sixteen threads and a thousand tasks, with faults of many kinds.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters import openai
from adapters.emulator import Emulator
from resilience import (
    KeyPool,
    RefusedError,
    generate_report,
    get_stats,
    reset_stats,
    resilient,
)
from resilience.telemetry import KeyRested, subscribe, unsubscribe
from resilience.testing import no_waiting
from tests.support.keys import throttled

CALLS = 5_000  # of each client
THREADS, TASKS = 16, 1_000
FAULTS = {
    "429:rate=0.03,retry_after=1": "RateLimitError",
    "401:rate=0.02,key=backup": "AuthenticationError",
    "500:rate=0.08": "ServerError",
    "reset:rate=0.02": "ConnectionFailedError",
    "truncated:rate=0.02,stream=false": "ConnectionFailedError",
    "cut:rate=0.1,stream=true,after=1": "StreamInterruptedError",
}
ERRORS = {spec.partition(":")[0]: error for spec, error in FAULTS.items()}
EVERYBODYS = (
    "total_requests",
    "successful_requests",
    "failed_requests",
    "refused_requests",
    "retries",
    "cooldowns",
    "total_tokens",
    "requests_by_model",
    "errors_by_type",
    "attempt_errors_by_type",
)
TOKENS = ("input_tokens", "output_tokens", "total_tokens")
SETTINGS: dict[str, Any] = {
    "max_retries": 2,
    "initial_retry_delay": 0.5,
    "failure_threshold": 1_000,
    "max_concurrent_requests": 32,
    "queue_size": TASKS - 100,  # so that a hundred tasks find no place in it
}


@dataclass
class Diary:
    """What the callers of one client saw; appending is atomic."""

    model: str
    outcomes: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    usages: list[Any] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    rests: list[KeyRested] = field(default_factory=list)

    def answered(self, answer: Any) -> None:
        """Take note of a success."""
        self.outcomes.append("success")
        self.usages.append(answer.usage)
        self.attempts.append(answer.attempts)

    def failed(self, error: Exception) -> None:
        """Take note of a failure, or of a refusal."""
        self.outcomes.append(type(error).__name__)
        self.attempts.append(getattr(error, "attempts", 0))
        if isinstance(error, RefusedError):
            self.refusals.append(error.reason)

    def note(self, event: KeyRested) -> None:
        """Take note of a key that rests, if it is one of this client's."""
        if event.name == self.model:
            self.rests.append(event)


# Where metrics have the server's own code.
CODES = {
    "rate_limit_exceeded": "RateLimitError",
    "invalid_api_key": "AuthenticationError",
    "server_error": "ServerError",
}


def threads_call(server: Emulator, diary: Diary) -> dict[str, Any]:
    """Call from threads, each tenth time for a stream; return the statistics of the client."""

    def work(first: int) -> None:
        for number in range(first, CALLS, THREADS):
            try:
                if number % 10:
                    diary.answered(client.chat(diary.model, f"Call {number}"))
                else:
                    with client.stream(diary.model, f"Call {number}") as stream:
                        list(stream)
                    diary.answered(stream)
            except Exception as error:
                diary.failed(error)

    with openai.Client(**arguments(server, diary)) as client:
        threads = [threading.Thread(target=work, args=(each,)) for each in range(THREADS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        return client.get_stats()


async def tasks_call(server: Emulator, diary: Diary) -> dict[str, Any]:
    """Call from tasks; as `threads_call`, but for `await`."""

    async def work(first: int) -> None:
        for number in range(first, CALLS, TASKS):
            try:
                if number % 10:
                    diary.answered(await client.chat(diary.model, f"Call {number}"))
                else:
                    async with client.stream(diary.model, f"Call {number}") as stream:
                        async for _ in stream:
                            pass
                    diary.answered(stream)
            except Exception as error:
                diary.failed(error)

    async with openai.AsyncClient(**arguments(server, diary)) as client:
        await asyncio.gather(*(work(each) for each in range(TASKS)))
        return client.get_stats()


def arguments(server: Emulator, diary: Diary) -> dict[str, Any]:
    """Those of a client whose name, which telemetry knows it by, is its model."""
    place = {"base_url": server.base_url(), "keys": server.keys()}
    return {**place, "name": diary.model, **SETTINGS}


@pytest.mark.timeout(300)  # the emulator takes a millisecond for each request, coverage another
@pytest.mark.parametrize(
    ("call", "model"),
    [(threads_call, "gpt-4o"), (tasks_call, "gpt-4o-mini")],
    ids=["threads", "tasks"],
)
def test_all_counts_agree(call, model, metrics, caplog):
    """Calls, attempts, retries, outcomes by type, tokens, rests and refusals."""
    caplog.set_level(logging.ERROR, "resilience")  # thousands of lines that nobody reads
    diary = Diary(model)
    subscribe(diary.note, KeyRested)
    reset_stats()
    with Emulator(seed=23, faults=list(FAULTS)) as server, no_waiting():
        called = call(server, diary)
        stats = asyncio.run(called) if asyncio.iscoroutine(called) else called
        log = server.log()
    unsubscribe(diary.note)

    agree_with_callers(stats, diary)
    agree_with_server(stats, diary, log)
    agree_with_metrics(stats, metrics, log)
    everything = get_stats()
    assert {each: stats[each] for each in EVERYBODYS} == {
        each: everything[each] for each in EVERYBODYS
    }


def agree_with_callers(stats, diary):
    """How each call ended, how many tokens its answer told, and which keys were sent to rest."""
    outcomes = Counter(diary.outcomes)
    answered = outcomes.pop("success")
    rests = Counter((each.key_name, each.reason) for each in diary.rests)

    assert CALLS == stats["total_requests"] == len(diary.outcomes)
    assert answered == stats["successful_requests"]
    assert outcomes == stats["errors_by_type"]
    assert len(diary.refusals) == stats["refused_requests"]
    assert CALLS - answered - len(diary.refusals) == stats["failed_requests"]
    for kind in TOKENS:
        told = sum(getattr(usage, kind) for usage in diary.usages)
        assert told == stats[kind] == stats["tokens_by_model"][diary.model][kind]
        assert told == sum(each[kind] for each in stats["endpoints"].values())
    assert rests.total() == stats["cooldowns"]
    for key, each in stats["endpoints"].items():
        assert each["cooldowns"] == sum(rests[key, reason] for reason in ("key", "rate_limit"))


def agree_with_server(stats, diary, log):
    """Each request that it got, with its key and with the fault that it met."""
    assert len(log) == sum(diary.attempts)
    assert (
        Counter(ERRORS[each.fault] for each in log if each.fault)
        == (stats["attempt_errors_by_type"])
    )
    for key, each in stats["endpoints"].items():
        made = [record for record in log if record.key == key]
        errors = Counter(ERRORS[record.fault] for record in made if record.fault)
        refusals = {"LeaseLapsedError", *stats["errors_by_type"]} - set(ERRORS.values())

        assert len(made) == each["successful_requests"] + each["failed_requests"]
        assert errors == Counter(each["errors_by_type"]) - Counter(
            {name: each["errors_by_type"].get(name, 0) for name in refusals}
        )
    moved = stats["attempt_errors_by_type"].get("AuthenticationError", 0)
    assert stats["retries"] <= sum(stats["attempt_errors_by_type"].values()) - moved
    assert {"429", "500", "reset", "truncated", "cut", None} <= {each.fault for each in log}


def agree_with_metrics(stats, metrics, log):
    """All points of a metric together, and each by its type of outcome, its key and its status."""
    calls = Counter()
    for (*error, _, outcome), (count, _) in metrics.points("call.duration").items():
        calls[CODES.get(*error, *error) if error else outcome] += count
    requests = metrics.all()["http.client.request.duration"].data.data_points
    statuses = Counter()
    for point in requests:
        statuses[point.attributes.get("http.response.status_code")] += point.count
    leases = metrics.points("key.leases")

    assert {"success": stats["successful_requests"], **stats["errors_by_type"]} == calls
    assert stats["retries"] == sum(metrics.points("retry.attempts").values())
    assert stats["refused_requests"] == sum(metrics.points("refused").values())
    assert stats["cooldowns"] == sum(metrics.points("key.cooldowns").values())
    assert {key: each["total_requests"] for key, each in stats["endpoints"].items()} == {
        key: count for (key, _), count in leases.items()
    }
    assert Counter(record.status for record in log) == statuses
    for kind in TOKENS[:2]:
        points = metrics.all()[f"gen_ai.client.inference.usage.{kind}"].data.data_points
        assert stats[kind] == sum(point.value for point in points)
    durations = metrics.all()["gen_ai.client.inference.duration"].data.data_points
    assert CALLS == sum(point.count for point in durations)


REFUSALS = ("CircuitOpenError", "NoKeyAvailableError")
OUTCOMES = {
    "success": "successful_requests",
    "failure": "failed_requests",
    "refused": "refused_requests",
    "cancelled": "cancelled_requests",
}


class Flaky:
    """A body that knows what it did: which keys it was called with, and how that ended."""

    ENDS = ("fine", OSError, "limited", asyncio.CancelledError, ValueError)
    WEIGHTS = (81, 12, 4, 1, 2)

    def __init__(self):
        self.luck = random.Random(5)
        self.log = []

    def __call__(self, *, api_key):
        (end,) = self.luck.choices(self.ENDS, self.WEIGHTS)
        error = {"limited": throttled(1), "fine": None}.get(end, end)
        kind = error if isinstance(error, type) else type(error)
        self.log.append((api_key, "success" if error is None else kind.__name__))
        if error is not None:
            raise error


def test_all_counts_of_a_function_agree(run, metrics, caplog):
    """The same for the whole stack around a function, with a circuit that opens, and its time."""
    caplog.set_level(logging.ERROR, "resilience")
    name, body, seen = f"agreement of {run.flavour}", Flaky(), []
    settings = {"failure_threshold": 3, "reset_timeout": 0.001, "max_retries": 2, "name": name}
    pool = KeyPool({each: each for each in "abc"}, name=name)
    fetch = resilient(keys=pool, **settings)(run.function(body))

    @run.steps
    def work():
        for _ in range(CALLS // THREADS):
            try:
                yield fetch()
            except BaseException as error:
                seen.append(type(error).__name__)
            else:
                seen.append("success")

    with no_waiting():
        workers = [run.start(work) for _ in range(THREADS)]
        for each in workers:
            each.result()
    report, ended, made = generate_report(name, include_details=True), Counter(seen), body.log
    stats, ends = get_stats(name), Counter(end for _, end in made)
    errors = {each: ends[each] for each in ("OSError", "HttpError", "ValueError")}
    refused = {each: ended[each] for each in REFUSALS}
    calls = Counter()
    for attributes, (count, _) in metrics.points("call.duration").items():
        calls[attributes[-1]] += count

    assert CALLS - CALLS % THREADS == stats["total_requests"] == len(seen)
    assert ends["success"] == stats["successful_requests"] == ended["success"]
    assert ends["CancelledError"] == stats["cancelled_requests"] == ended["CancelledError"]
    assert sum(refused.values()) == stats["refused_requests"]
    assert refused["CircuitOpenError"]
    assert Counter({**refused, **{each: ended[each] for each in errors}}) == Counter(
        stats["errors_by_type"]
    )
    assert errors == stats["attempt_errors_by_type"]
    for key, each in stats["endpoints"].items():
        asked = each["total_requests"] - each["refused_requests"]
        assert asked == sum(key == used for used, _ in made)
    for kind, count in OUTCOMES.items():
        assert stats[count] == calls[kind] == sum(report["timeline"][kind])
    assert stats["retries"] == sum(report["timeline"]["retries"])
    assert stats["retries"] == sum(metrics.points("retry.attempts").values())
    assert stats["refused_requests"] == sum(metrics.points("refused").values())
    assert stats["cooldowns"] == sum(metrics.points("key.cooldowns").values())
