"""Off switches: for everything inside a `with`, or for one object until it is turned on again."""

from __future__ import annotations

from contextvars import ContextVar

from resilience._context import Held, Scope, deadlines
from resilience._rules import fail
from resilience.settings import reject_unknown

__all__ = ["FEATURES", "Switch", "disabled", "disabled_features", "is_off"]

# Each has the name of its decorator, or of its setting.
FEATURES = (
    "attempt_timeout",
    "batched",
    "circuit_breaker",
    "key_pool",
    "metrics",
    "prioritized",
    "retry",
)

_DISABLED: ContextVar[Held[frozenset[str]] | None] = ContextVar("resilience.disabled", default=None)


class disabled(Scope[frozenset[str]]):  # noqa: N801 - used as `with disabled("retry"):`
    """Turn features off for everything inside: as if their decorators were not there.

    For this thread or task, and for the tasks and `submit` calls that it starts; others go on as
    before. It nests: what any surrounding one names is off. A deadline holds all the same.

    Args:
        features: "retry", "prioritized" (no line and no limit), "circuit_breaker", "key_pool"
            (each call still gets a key, but none rests and none takes over), "batched",
            "attempt_timeout", "metrics" (statistics, spans and metrics). None of them: all.

    Raises:
        SettingsError: for an unknown name, with the nearest that is known.
    """

    __slots__ = ("_features",)

    _variable = _DISABLED

    def __init__(self, *features: str) -> None:
        for feature in features:
            if not isinstance(feature, str):
                fail("features", "must be names", feature)
        reject_unknown(features, FEATURES, "resilience", what="feature")
        self._features = frozenset(features or FEATURES)

    def _value(self) -> frozenset[str]:
        deadlines.in_use = True
        return self._features


def is_off(feature: str) -> bool:
    """Return whether a surrounding `with disabled(...)` has turned this feature off."""
    held = _DISABLED.get() if deadlines.in_use else None
    while held is not None:
        if feature in held.value:
            return True
        held = held.outer
    return False


def disabled_features() -> frozenset[str]:
    """Return all that is off in this context."""
    held = _DISABLED.get() if deadlines.in_use else None
    features: frozenset[str] = frozenset()
    while held is not None:
        features |= held.value
        held = held.outer
    return features


class Switch:
    """Turns one feature of one function off and on, for every caller; thread-safe."""

    __slots__ = ("_enabled", "_feature")

    def __init__(self, feature: str) -> None:
        self._feature = feature
        self._enabled = True

    @property
    def enabled(self) -> bool:
        """Whether it works: True, unless it was turned off here."""
        return self._enabled

    def disable(self) -> None:
        """Turn it off, as if it were not there, until `enable()`."""
        deadlines.in_use = True
        self._enabled = False

    def enable(self) -> None:
        """Turn it on again."""
        self._enabled = True

    @property
    def is_off(self) -> bool:
        """Whether it does not work for the call in progress; asked where `in_use` is set."""
        return not self._enabled or is_off(self._feature)

    def __repr__(self) -> str:
        return f"<{self._feature}: {'enabled' if self._enabled else 'disabled'}>"
