"""One file for each subject; here they are in the order of the table."""

from __future__ import annotations

from benchmarks.contests import (
    adapter_cpu,
    adapter_threads,
    adapters,
    batching,
    batching_threads,
    breaker_closed,
    breaker_open,
    breaker_threads,
    imports,
    load,
    memory,
    permit,
    retry_failures,
    retry_success,
    stack,
    submit,
    telemetry,
    waiting_jobs,
    waiting_tasks,
)

__all__ = ["CONTESTS"]

CONTESTS = (
    *retry_success.CONTESTS,
    *retry_failures.CONTESTS,
    *breaker_closed.CONTESTS,
    *breaker_open.CONTESTS,
    *breaker_threads.CONTESTS,
    *stack.CONTESTS,
    *permit.CONTESTS,
    *submit.CONTESTS,
    *waiting_jobs.CONTESTS,
    *waiting_tasks.CONTESTS,
    *load.CONTESTS,
    *batching.CONTESTS,
    *batching_threads.CONTESTS,
    *telemetry.CONTESTS,
    *adapter_cpu.CONTESTS,
    *adapter_threads.CONTESTS,
    *adapters.CONTESTS,
    *imports.CONTESTS,
    *memory.CONTESTS,
)
