"""The contestants: each returns what asks once, with whatever it does against failures.

Each is set up as its documentation advises for such a server: what may pass is tried again, a
Retry-After is kept, and a circuit opens for failures alone, not for limits. All have the same
settings, as far as they have them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.storm import weather
from benchmarks.storm.plain import Ask, is_failure, may_pass, plain, retry_after

__all__ = ["OURS", "SENDERS", "pause_after"]

OURS = "ours"

Keys = Mapping[str, str]
Sender = Callable[[str, Keys], Ask]

_PAUSE = 1.0  # seconds, where an error does not say when to come back
_OPEN = frozenset({"CircuitBreakerError", "CircuitOpenError"})


def pause_after(error: Exception) -> float:
    """Return the seconds after which a program asks again that has got this error."""
    told = getattr(error, "retry_after", None) or retry_after(error)
    if told is None and type(error).__name__ in _OPEN:
        return weather.RESET
    return _PAUSE if told is None else float(told)


def _ours(base_url: str, keys: Keys) -> Ask:
    from adapters import openai

    client = openai.Client(
        keys=keys,
        base_url=base_url,
        max_retries=weather.ATTEMPTS - 1,
        initial_retry_delay=weather.FIRST_DELAY,
        max_retry_delay=weather.LONGEST_DELAY,
        max_concurrent_requests=weather.CALLERS,
        failure_threshold=weather.FAILURES,
        reset_timeout=weather.RESET,
        read_timeout=weather.TIMEOUT,
    )
    return lambda prompt: client.chat(weather.MODEL, prompt).text


def _openai(base_url: str, keys: Keys) -> Ask:
    from openai import OpenAI

    turn = itertools.cycle(keys.values())
    create: Any = OpenAI(
        api_key=lambda: next(turn),  # asked for each attempt
        base_url=base_url,
        max_retries=weather.ATTEMPTS - 1,
        timeout=weather.TIMEOUT,
    ).chat.completions.create

    def ask(prompt: str) -> str:
        messages = [{"role": "user", "content": prompt}]
        answer = create(model=weather.MODEL, messages=messages)
        return str(answer.choices[0].message.content)

    return ask


def _pybreaker(ask: Ask) -> Ask:
    from pybreaker import CircuitBreaker

    def excluded(error: BaseException) -> bool:
        return not is_failure(error)

    guarded: Ask = CircuitBreaker(weather.FAILURES, weather.RESET, exclude=[excluded])(ask)
    return guarded


def _circuitbreaker(ask: Ask) -> Ask:
    from circuitbreaker import CircuitBreaker

    def counts(_: type[BaseException], error: BaseException) -> bool:
        return is_failure(error)

    guarded: Ask = CircuitBreaker(weather.FAILURES, weather.RESET, counts)(ask)
    return guarded


def _tenacity(guard: Callable[[Ask], Ask]) -> Sender:
    """Return a retry around a breaker; it tries again while the circuit is open, too."""

    def sender(base_url: str, keys: Keys) -> Ask:
        from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

        back_off = wait_random_exponential(weather.FIRST_DELAY, weather.LONGEST_DELAY)

        def wait(state: Any) -> float:
            return max(retry_after(state.outcome.exception()) or 0.0, back_off(state))

        ask: Ask = retry(
            retry=retry_if_exception(lambda e: may_pass(e) or type(e).__name__ in _OPEN),
            stop=stop_after_attempt(weather.ATTEMPTS),
            wait=wait,
            reraise=True,
        )(guard(plain(base_url, keys)))
        return ask

    return sender


class _PermanentError(Exception):
    """What pyresilience, which tells errors apart by their type, must not try again."""


class _LimitedError(Exception):
    """What it must try again, though no circuit opens for it."""


def _pyresilience(base_url: str, keys: Keys) -> Ask:
    from pyresilience import BulkheadConfig, CircuitBreakerConfig, RetryConfig, resilient

    unguarded = plain(base_url, keys)

    def ask(prompt: str) -> str:
        try:
            return unguarded(prompt)
        except Exception as error:
            if not may_pass(error):
                raise _PermanentError from error
            if not is_failure(error):
                raise _LimitedError from error
            raise

    guarded: Ask = resilient(
        retry=RetryConfig(
            max_attempts=weather.ATTEMPTS,
            delay=weather.FIRST_DELAY,
            max_delay=weather.LONGEST_DELAY,
            ignore_on=[_PermanentError],
            delay_func=lambda _, error: retry_after(error.__cause__),
        ),
        circuit_breaker=CircuitBreakerConfig(
            failure_threshold=weather.FAILURES,
            recovery_timeout=weather.RESET,
            ignore_on=[_PermanentError, _LimitedError],
        ),
        bulkhead=BulkheadConfig(max_concurrent=weather.CALLERS, max_wait=60),
    )(ask)
    return guarded


SENDERS: dict[str, Sender] = {
    OURS: _ours,
    "tenacity∘pybreaker": _tenacity(_pybreaker),
    "tenacity∘circuitbreaker": _tenacity(_circuitbreaker),
    "pyresilience": _pyresilience,
    "openai SDK": _openai,
}
