"""The decorators that are compared: ours and those of the peers, with the same settings.

Five retries after 1, 2, 4, … seconds with jitter; five failures in a row open a circuit for half a
minute; five at a time. Each library is imported when its decorator is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import resilience
from benchmarks.harness import DEFAULT, PLAIN

__all__ = [
    "BREAKERS",
    "BREAKERS_ASYNC",
    "RETRIES",
    "RETRIES_ASYNC",
    "STACKS",
    "decorated",
    "tenacity_pybreaker",
]

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]


def decorated(
    decorators: Mapping[str, Decorator], function: Function
) -> dict[str, Callable[[], Function]]:
    """Return what makes a contestant of each decorator, around this function."""
    return {label: partial(decorator, function) for label, decorator in decorators.items()}


def retry_tenacity(function: Function) -> Function:
    from tenacity import retry, stop_after_attempt, wait_exponential_jitter

    wait = wait_exponential_jitter(initial=1, max=60)
    return retry(stop=stop_after_attempt(6), wait=wait, reraise=True)(function)


def retry_stamina(function: Function) -> Function:
    from stamina import retry

    return retry(on=Exception, attempts=6, timeout=None, wait_initial=1, wait_max=60)(function)


def retry_backoff(function: Function) -> Function:
    from backoff import expo, on_exception

    return on_exception(expo, Exception, max_tries=6, max_value=60)(function)


def retry_opnieuw(function: Function) -> Function:
    from opnieuw import retry

    return retry(
        retry_on_exceptions=Exception,
        max_calls_total=6,
        retry_window_after_first_call_in_seconds=60,
    )(function)


def retry_pyresilience(function: Function) -> Function:
    from pyresilience import RetryConfig, resilient

    return resilient(retry=RetryConfig(max_attempts=6))(function)


def retry_hyx(function: Function) -> Function:
    from hyx.retry import retry
    from hyx.retry.backoffs import expo

    return retry(on=Exception, attempts=6, backoff=expo(min_delay_secs=1, max_delay_secs=60))(
        function
    )


def breaker_circuitbreaker(function: Function) -> Function:
    from circuitbreaker import circuit

    return circuit(failure_threshold=5, recovery_timeout=30)(function)


def breaker_pybreaker(function: Function) -> Function:
    from pybreaker import CircuitBreaker

    return CircuitBreaker(fail_max=5, reset_timeout=30)(function)


def breaker_pyresilience(function: Function) -> Function:
    from pyresilience import CircuitBreakerConfig, resilient

    config = CircuitBreakerConfig(failure_threshold=5, recovery_timeout=30)
    return resilient(circuit_breaker=config)(function)


def breaker_hyx(function: Function) -> Function:
    from hyx.circuitbreaker import consecutive_breaker

    return consecutive_breaker(failure_threshold=5, recovery_time_secs=30)(function)


def stack_pyresilience(function: Function) -> Function:
    from pyresilience import BulkheadConfig, CircuitBreakerConfig, RetryConfig, resilient

    return resilient(
        retry=RetryConfig(max_attempts=6),
        circuit_breaker=CircuitBreakerConfig(failure_threshold=5, recovery_timeout=30),
        bulkhead=BulkheadConfig(max_concurrent=5),
    )(function)


def tenacity_pybreaker(function: Function) -> Function:
    """Put two peers around each other: a retry and a breaker, no queue."""
    return retry_tenacity(breaker_pybreaker(function))


RETRIES: dict[str, Decorator] = {
    PLAIN: resilience.retry(metrics_enabled=False),
    DEFAULT: resilience.retry,
    "opnieuw": retry_opnieuw,
    "pyresilience": retry_pyresilience,
    "backoff": retry_backoff,
    "stamina": retry_stamina,
    "tenacity": retry_tenacity,
}
RETRIES_ASYNC = RETRIES | {"hyx": retry_hyx}  # which knows coroutines only

BREAKERS: dict[str, Decorator] = {
    PLAIN: resilience.circuit_breaker(metrics_enabled=False),
    DEFAULT: resilience.circuit_breaker,
    "circuitbreaker": breaker_circuitbreaker,
    "pyresilience": breaker_pyresilience,
    "pybreaker": breaker_pybreaker,
}
# pybreaker guards coroutines of Tornado only.
BREAKERS_ASYNC = {label: BREAKERS[label] for label in BREAKERS if label != "pybreaker"} | {
    "hyx": breaker_hyx
}

STACKS: dict[str, Decorator] = {
    PLAIN: resilience.resilient(metrics_enabled=False),
    DEFAULT: resilience.resilient,
    "pyresilience": stack_pyresilience,
    "tenacity∘pybreaker": tenacity_pybreaker,
}
