"""Every setting, with its default, its unit and its rule; one name for one thing everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Self

from resilience._record import record
from resilience._rules import check, fail
from resilience._secrets import mask
from resilience.errors import SettingsError

__all__ = ["Settings", "reject_unknown"]


def reject_unknown(
    given: Iterable[str], known: Iterable[str], owner: str, *, what: str = "setting"
) -> None:
    """Raise a `SettingsError` for the first name that is not known, with what may be meant."""
    names = sorted(known)
    for name in given:
        if name in names:
            continue
        meant = _meant(name, names)
        rule = f"did you mean {meant}?" if meant else f"known are: {', '.join(names)}"
        name = mask(name)  # noqa: PLW2901 - a key in the place of its name
        msg = f"{owner} has no {what} {name!r}; {rule}"
        raise SettingsError(msg, setting=name, rule=rule)


def _meant(name: str, names: list[str]) -> str:
    """Return all names that end with this word, as `timeout` may be, else the nearest one."""
    *others, last = [each for each in names if each.endswith(f"_{name}")] or [""]
    if not last:
        import difflib  # noqa: PLC0415 - for mistakes alone

        return "".join(difflib.get_close_matches(name, names, n=1, cutoff=0.5))
    return f"{', '.join(others)} or {last}" if others else last


@record
class Settings:
    """All settings of a whole stack; immutable, so safe to share between threads.

    Args:
        max_retries: Retries after the first attempt, at least 0; 0 turns retrying off.
        initial_retry_delay: Seconds before the first retry, at least 0.
        backoff_factor: Each delay is the previous one times this, at least 1.
        max_retry_delay: The longest single delay in seconds, at least 0. A server that asks for
            more is not waited for and not asked early: the call fails at once.
        jitter: The part of a delay that is random, 0 to 1: 0 none, 0.5 "equal", 1 "full".
        max_elapsed: Seconds after which no retry begins, or None for no limit.
        max_concurrent_requests: Permits, at least 1.
        queue_size: How many calls may wait for a permit, at least 0; one more is refused.
        queue_timeout: The longest wait for a permit in seconds, or None for no limit.
        queue_enabled: False: no queue and no limit; retry and breaker stay.
        aging: Seconds of waiting that lift a call by one priority, or None for never.
        failure_threshold: Consecutive failures that open the circuit, at least 1.
        reset_timeout: Seconds that the circuit stays open before a probe, at least 0.
        enable_batching: Whether single calls may be combined.
        max_batch_size: Items in a batch at most, at least 1.
        batch_timeout: Seconds that an item waits for company at most, at least 0.
        attempt_timeout: Seconds for one attempt, or None. A coroutine is cancelled; a plain
            function is not interrupted, but waits and HTTP time-outs inside it obey.
        metrics_enabled: Whether calls are counted and timed.

    Raises:
        SettingsError: names the setting, the rule and the value; for an unknown setting, the
            nearest known one.
    """

    max_retries: int = 5
    initial_retry_delay: float = 1.0
    backoff_factor: float = 2.0
    max_retry_delay: float = 60.0
    jitter: float = 0.5
    max_elapsed: float | None = None
    max_concurrent_requests: int = 5
    queue_size: int = 100
    queue_timeout: float | None = None
    queue_enabled: bool = True
    aging: float | None = None
    failure_threshold: int = 5
    reset_timeout: float = 30.0
    enable_batching: bool = True
    max_batch_size: int = 8
    batch_timeout: float = 0.1
    attempt_timeout: float | None = None
    metrics_enabled: bool = True

    if not TYPE_CHECKING:  # a checker reads the fields; at run time a typing error is explained

        def __new__(cls, *args: object, **settings: object) -> Self:
            """Refuse what is no setting with the nearest that is, before the fields are set."""
            if args:
                rule = "takes settings by keyword only"
                msg = f"Settings {rule}, not {args[0]!r}"
                raise SettingsError(msg, setting="Settings", rule=rule, value=args[0])
            reject_unknown(settings, _names(cls), "Settings")
            return object.__new__(cls)

    def __post_init__(self) -> None:
        """Check every value once, when the settings are made."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.default is not None:  # None may mean something elsewhere
                fail(field.name, "must not be None", value)
            check(field.name, value)

    def replace(self, **changes: Any) -> Settings:
        """Return a copy with these settings changed, checked like new ones."""
        reject_unknown(changes, _names(type(self)), "Settings")
        return replace(self, **changes)

    @classmethod
    def high_throughput(cls) -> Settings:
        """Return settings for many calls to a service that can take them.

        Wide and impatient: many permits, a long queue, short retries, big batches.
        """
        return cls(
            max_concurrent_requests=64,
            queue_size=10_000,
            max_retries=3,
            initial_retry_delay=0.25,
            max_retry_delay=10.0,
            max_batch_size=64,
            batch_timeout=0.02,
        )

    @classmethod
    def high_reliability(cls) -> Settings:
        """Return settings for calls that have to succeed, however long it takes.

        Few at a time, patient retries with full jitter, and a breaker that acts early.
        """
        return cls(
            max_concurrent_requests=4,
            queue_size=1_000,
            aging=5.0,
            max_retries=10,
            jitter=1.0,
            max_retry_delay=120.0,
            failure_threshold=3,
            reset_timeout=15.0,
        )


def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))
