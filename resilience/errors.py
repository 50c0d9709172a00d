"""Every error that the toolkit itself raises.

```
ResilienceError
├── RefusedError               not even tried; .retry_after, .name
│   ├── CircuitOpenError       .state
│   ├── QueueFullError
│   ├── QueueTimeoutError
│   ├── QueueClosedError
│   ├── NoKeyAvailableError    .reasons
│   └── DeadlineExceededError  also a TimeoutError
├── MissingResultError
├── MissingKeyError            .variables
└── SettingsError              also a ValueError; .setting, .rule, .value
```

An error of your own function is never wrapped in one of these: it is raised as it is.
All of them pickle, and none of them holds a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = [
    "CircuitOpenError",
    "DeadlineExceededError",
    "MissingKeyError",
    "MissingResultError",
    "NoKeyAvailableError",
    "OrderWarning",
    "QueueClosedError",
    "QueueFullError",
    "QueueTimeoutError",
    "RefusedError",
    "ResilienceError",
    "SettingsError",
]


class ResilienceError(Exception):
    """The base of every error of the toolkit."""


class RefusedError(ResilienceError):
    """The call was not even tried: the function has not been called.

    Attributes:
        name: Who refused: the name of the breaker, queue, pool or function.
        retry_after: Seconds until it makes sense to come back, or None where nobody knows.
    """

    reason = "refused"  # the value of `resilience.reason` in telemetry

    def __init__(
        self, message: str = "refused", *, name: str = "", retry_after: float | None = None
    ) -> None:
        self.args = (message,)  # what `super().__init__` does, at a third of the cost
        self.name = name
        self.retry_after = retry_after


class CircuitOpenError(RefusedError):
    """The circuit is open, or half-open with all its probes taken.

    A breaker leaves `args` empty: the text is made when somebody reads it, since that costs as
    much as all the rest of a refusal.

    Attributes:
        state: The state that refuses: "OPEN" or "HALF-OPEN".
    """

    reason = "circuit_open"
    state = "OPEN"

    def __str__(self) -> str:
        """Return the text that was given, or that of a breaker."""
        if self.args:
            return super().__str__()
        seconds = self.retry_after
        when = "when it has been closed by hand" if seconds is None else f"in {seconds:.3g} s"
        return f"circuit {self.name!r} is {self.state}: come back {when}"

    def __repr__(self) -> str:
        """Return the name of the class with the text."""
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with the text."""
        return type(self), (str(self),), vars(self)


class QueueFullError(RefusedError):
    """As many calls wait already as `queue_size` allows."""

    reason = "queue_full"


class QueueTimeoutError(RefusedError):
    """The call waited `queue_timeout` seconds and got no permit."""

    reason = "queue_timeout"


class QueueClosedError(RefusedError):
    """The queue takes no new work, or was closed while the call waited."""

    reason = "queue_closed"


class NoKeyAvailableError(RefusedError):
    """No entry of a key pool can serve now.

    Attributes:
        reasons: For each entry's name, why it cannot serve.
    """

    reason = "no_key"

    def __init__(
        self,
        message: str = "no key available",
        *,
        name: str = "",
        retry_after: float | None = None,
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, name=name, retry_after=retry_after)
        self.reasons: dict[str, str] = dict(reasons or {})


class DeadlineExceededError(RefusedError, TimeoutError):
    """The deadline had passed before the function was called."""

    reason = "deadline"


class MissingResultError(ResilienceError):
    """A batch function gave no result for this item, or results that fit no item."""


class MissingKeyError(ResilienceError):
    """No key was given and none was found.

    Attributes:
        variables: The environment variables that were looked for.
    """

    retryable = False  # calling again finds no more

    def __init__(self, message: str = "no key found", *, variables: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.variables = variables


class SettingsError(ResilienceError, ValueError):
    """A setting is unknown or its value breaks a rule.

    Attributes:
        setting: The name of the setting or argument.
        rule: What its value has to be.
        value: The value that was given.
    """

    retryable = False  # the same call breaks the same rule again

    def __init__(
        self,
        message: str = "bad setting",
        *,
        setting: str = "",
        rule: str = "",
        value: object = None,
    ) -> None:
        super().__init__(message)
        self.setting = setting
        self.rule = rule
        self.value = value

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle; a value that is not a plain one (a function, a lock) goes as its text."""
        is_plain = isinstance(self.value, str | int | float | None)
        state = vars(self) | {"value": self.value if is_plain else repr(self.value)}
        return type(self), self.args, state


class OrderWarning(UserWarning):
    """Decorators stand in an order that works but does not do what it seems to."""
