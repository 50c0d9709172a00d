"""What can be set on a retry, checked once, when the decorator is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from resilience._core.backoff import Backoff
from resilience._core.retry import RetryPolicy
from resilience._hooks import name_of
from resilience._record import record
from resilience._rules import check_all, fail
from resilience.settings import reject_unknown
from resilience.telemetry.events import RetryScheduled

if TYPE_CHECKING:
    from resilience._budget import RetryBudget
    from resilience._site import Site

__all__ = ["On", "RetryOptions", "predicate"]

On = type[BaseException] | tuple[type[BaseException], ...] | Callable[[Exception], bool] | None


@record
class RetryOptions:
    """What the user chose."""

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    on: Callable[[Exception], bool] | None = None
    retry_result: Callable[[Any], bool] | None = None
    before_retry: Callable[[RetryScheduled], object] | None = None
    budget: RetryBudget | None = None
    retry_nested: bool = False

    @classmethod
    def of(cls, settings: dict[str, Any]) -> RetryOptions:
        """Return the options for the decorator's arguments; what is left out has its default."""
        reject_unknown(settings, _KNOWN, "retry")
        check_all(settings)
        return cls(
            policy=_policy(settings),
            on=predicate("on", settings.get("on")),
            retry_result=settings.get("retry_result"),
            before_retry=settings.get("before_retry"),
            budget=_budget(settings.get("budget")),
            retry_nested=settings.get("retry_nested", False),
        )

    def check_for(self, site: Site) -> None:
        """Refuse what makes no sense for the kind of function that is decorated.

        Raises:
            SettingsError: names the setting, the rule and the value.
        """
        if self.retry_result is not None and site.streams:
            rule = "cannot be used with a generator: its result comes after its items"
            fail("retry_result", rule, self.retry_result)
        if not site.is_async and inspect.iscoroutinefunction(self.before_retry):
            rule = "must be a plain function where the decorated function is one"
            fail("before_retry", rule, self.before_retry)

    def explain(self) -> str:
        """Return all settings; of those that are off by default, the ones that were given."""
        policy, backoff = self.policy, self.policy.backoff
        settings = [
            f"max_retries={policy.max_retries}",
            f"initial_retry_delay={backoff.initial:g} s",
            f"backoff_factor={backoff.factor:g}",
            f"max_retry_delay={backoff.maximum:g} s",
            f"jitter={backoff.jitter:g}",
        ]
        if policy.max_elapsed is not None:
            settings.append(f"max_elapsed={policy.max_elapsed:g} s")
        if self.budget is not None:
            settings.append(f"budget={self.budget!r}")
        hooks = {name: getattr(self, name) for name in ("on", "retry_result", "before_retry")}
        settings += [f"{name}={name_of(hook)}" for name, hook in hooks.items() if hook is not None]
        settings += ["retry_nested"] if self.retry_nested else []
        return f"retry: {', '.join(settings)}"

    def mistakes(self) -> list[str]:
        """Return what is surely not meant."""
        backoff, budget = self.policy.backoff, self.budget
        found = []
        if backoff.initial > backoff.maximum:
            found.append(
                f"initial_retry_delay={backoff.initial:g} s is never waited for: max_retry_delay="
                f"{backoff.maximum:g} s is shorter"
            )
        if budget is not None and budget.allows_nothing:
            found.append("the retry budget allows no retry at all: ratio=0, minimum=0")
        return found

    @property
    def is_plain(self) -> bool:
        """Whether nothing but the error and the number of attempts decides on a retry."""
        has_limits = self.budget is not None or self.policy.max_elapsed is not None
        return self.policy.max_retries > 0 and self.on is None and not has_limits

    @property
    def counts_calls(self) -> bool:
        """Whether the beginning of a call matters: for its time, or for the budget."""
        needs_time = self.policy.max_elapsed is not None or self.before_retry is not None
        return needs_time or self.budget is not None


_BACKOFF = {
    "initial_retry_delay": "initial",
    "backoff_factor": "factor",
    "max_retry_delay": "maximum",
    "jitter": "jitter",
}
_KNOWN = frozenset(_BACKOFF) | {
    "before_retry",
    "budget",
    "max_elapsed",
    "max_retries",
    "on",
    "retry_nested",
    "retry_result",
}


def _policy(settings: Mapping[str, Any]) -> RetryPolicy:
    backoff = {field: settings[name] for name, field in _BACKOFF.items() if name in settings}
    others = {name: settings[name] for name in ("max_retries", "max_elapsed") if name in settings}
    return RetryPolicy(backoff=Backoff(**backoff), **others)


def _budget(budget: object) -> RetryBudget | None:
    if budget is None:
        return None
    from resilience._budget import RetryBudget  # noqa: PLC0415 - whoever has one has loaded it

    if not isinstance(budget, RetryBudget):
        fail("budget", "must be a RetryBudget, or None", budget)
    return budget


def predicate(setting: str, on: On) -> Callable[[Exception], bool] | None:
    """Return the question that exception types or a predicate ask; None asks `classify`."""
    if on is None:
        return None
    kinds: tuple[Any, ...] = on if isinstance(on, tuple) else (on,)
    if kinds and all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):

        def is_one_of(error: Exception) -> bool:
            return _is_all(error, kinds)

        is_one_of.__name__ = " | ".join(kind.__name__ for kind in kinds)  # for `explain`
        return is_one_of
    if not callable(on) or isinstance(on, type) or inspect.iscoroutinefunction(on):
        rule = "must be an exception type, a tuple of them, a plain predicate, or None"
        fail(setting, rule, on)
    return on


def _is_all(error: BaseException, kinds: tuple[Any, ...]) -> bool:
    """Return whether the error, or every member of a group, is of one of these types."""
    if isinstance(error, kinds):
        return True
    if isinstance(error, BaseExceptionGroup):
        return all(_is_all(member, kinds) for member in error.exceptions)
    return False
