"""`run` and `run_async`: a whole job, from its input to its report."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, ParamSpec

from adapters.bulk._engine import Engine
from adapters.bulk._files import Files
from adapters.bulk._journal import Journal
from adapters.bulk._plan import Order, Plan, Source
from adapters.bulk._records import BulkResult, BulkStoppedError, Progress
from resilience._rules import check

__all__ = ["run", "run_async"]

P = ParamSpec("P")


async def run_async(
    source: Source,
    output: str | Path,
    *,
    provider: str,
    operation: str,
    model: str | None = None,
    column: str | None = None,
    template: str | Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
    id_column: str | None = None,
    concurrency: int | Literal["auto"] = "auto",
    order: Order = "input",
    retry_failed: bool = False,
    overwrite: bool = False,
    patience: float = 300.0,
    on_progress: Callable[[Progress], object] | None = None,
    on_start: Callable[[Callable[[], None]], object] | None = None,
    **client: Any,
) -> BulkResult:
    """Ask an API for every row of an input, and write a line of JSON for each.

    Each line has `id`, `row` (its number in the input, from 1), `ok`, `attempts`, `usage`, and
    `result` or `error`. A row that fails is a line as well; the run goes on. What was written
    stays: after a crash, a kill or an interruption the same call goes on where the last one was,
    and repeats no request but those that were under way. Memory does not grow with the input.

    Refusals (an open circuit, resting keys) and rate limits fail no row: they are waited out.

    Args:
        source: A file, CSV or TSV by the end of its name and JSONL otherwise, or mappings, one a
            row; whoever goes on with an interrupted job has to give the same ones again.
        output: The file for the results; beside it stand `OUTPUT.job`, which says what job it is
            of, and while the job is under way `OUTPUT.part`.
        provider: The name of an API: "openai", …
        operation: Of one input and one answer: "embed", "chat", …
        model: For rows that name none.
        column: The field that holds the operation's input: the text, the messages, …
        template: In its place, a text with `{field}` in it for the input, or a mapping of
            arguments (or JSON of one) with such texts in it. With neither, the fields of a row
            are the arguments.
        options: More arguments of every call.
        id_column: The field that names a row. Default: "id" where there is one, else its number.
        concurrency: How many calls run at once, or "auto": as many as the server takes, up to
            `max_concurrent_requests` (64).
        order: Of the results: that of the "input", there once all are, or as "completed", there
            as they come.
        retry_failed: Whether rows whose result is an error are asked again, once; their new
            results take the place of the old ones.
        overwrite: Whether to begin anew, whatever is there.
        patience: Seconds without any answer, and with all waits, after which the run is stopped.
        on_progress: Gets a `Progress` twice a second.
        on_start: Gets a function that interrupts the run; to be called in its event loop.
        client: Arguments of the `AsyncClient`: keys, addresses, settings. Single calls are not
            combined unless `enable_batching` is set.

    Raises:
        SettingsError: for an argument that breaks its rule, an input that cannot be read or whose
            first row is no request, and an output that is of another job; nothing is written.
        MissingKeyError: if no key is given or found.
        BulkStoppedError: if going on is of no use: every key was rejected, there was no answer
            for `patience` seconds, or each of the first 20 rows was "not found".
        OSError: if results cannot be written.
    """
    check("patience", patience, "seconds")
    plan = await asyncio.to_thread(
        Plan.of,
        source,
        output,
        provider=provider,
        operation=operation,
        model=model,
        column=column,
        template=template,
        options=options,
        id_column=id_column,
        concurrency=concurrency,
        order=order,
        client=client,
    )
    async with import_module(f"adapters.{provider}").AsyncClient(**plan.client) as made:
        files = Files(plan.output, plan.identity, sort=plan.sort, overwrite=overwrite)
        with closing(files), closing(await asyncio.to_thread(files.journal)) as journal:
            earlier = journal.totals.rows
            engine = Engine(
                made,
                plan.requests,
                journal,
                plan.concurrency,
                total=plan.total,
                patience=patience,
                on_progress=on_progress,
            )
            if on_start is not None:
                on_start(engine.stop)
            is_round = journal.in_round or (retry_failed and journal.totals.failed > 0)
            if is_round or journal.totals.rows != plan.total:
                files.work_on(journal, is_round=is_round)
                await engine.run(plan.rows())
            if engine.ending == "complete":
                await asyncio.to_thread(files.finish, journal)
            result = _result(plan, journal, engine, earlier)
    if engine.ending == "stopped":
        raise BulkStoppedError(engine.reason, result)
    return result


def _in_own_loop(function: Callable[P, Coroutine[Any, Any, BulkResult]]) -> Callable[P, BulkResult]:
    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> BulkResult:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(function(*args, **kwargs))
        msg = "an event loop is running: use `await bulk.run_async(…)` in its place"
        raise RuntimeError(msg)

    run.__name__ = run.__qualname__ = "run"
    run.__doc__ = f"{inspect.getdoc(function)}\n    RuntimeError: in a running event loop."
    return run


run = _in_own_loop(run_async)


def _result(plan: Plan, journal: Journal, engine: Engine, earlier: int) -> BulkResult:
    totals, meter = journal.totals, engine.meter
    return BulkResult(
        output=plan.output,
        ending=engine.ending,
        reason=engine.reason,
        rows=totals.rows,
        succeeded=totals.succeeded,
        failed=totals.failed,
        errors=dict(totals.errors),
        earlier=earlier,
        requests=meter.requests,
        retries=meter.retries,
        throttled=meter.throttled,
        concurrency=plan.concurrency.peak,
        seconds=meter.seconds,
        input_tokens=totals.input_tokens,
        output_tokens=totals.output_tokens,
        total_tokens=totals.total_tokens,
    )
