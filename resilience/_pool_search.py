"""What a call looks for in a pool: which key, and by which strategy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from resilience._context import Priority, current_priority
from resilience._core.strategies import STRATEGIES
from resilience._pool_member import Candidate
from resilience._rules import fail
from resilience.errors import RefusedError

__all__ = ["Chooser", "Search", "check_strategy"]

Chooser = Callable[[Sequence[Candidate]], Candidate | str]


class Search:
    """One call's search for a key.

    Attributes:
        name: The entry that it must be, or None.
        strategy: In place of the pool's, or None.
        tier: The priority that is to be served.
        tried: The names of entries that are out of the question.
        wait: Whether to wait where nobody can serve; None: as the pool does.
        refusal: What the line of the last entry said that was full, or too slow.
        seconds: How long to wait before the next look; None until something changes.
        rests: Whether an entry that rests is waited for, and so the time.
    """

    __slots__ = ("name", "refusal", "rests", "seconds", "strategy", "tier", "tried", "wait")

    def __init__(
        self,
        name: str | None = None,
        strategy: str | Chooser | None = None,
        tier: Priority | None = None,
        tried: Collection[str] = (),
        wait: bool | None = None,  # noqa: FBT001 - by keyword, as a rule
    ) -> None:
        self.name = name
        self.strategy = strategy
        self.tier = current_priority() if tier is None else tier
        self.tried = tried
        self.wait = wait
        self.refusal: RefusedError | None = None
        self.seconds: float | None = None
        self.rests = False


def check_strategy(strategy: Any) -> Any:
    """Return the strategy if there is such a one; SettingsError."""
    known = ", ".join(STRATEGIES)
    is_known = strategy in STRATEGIES if isinstance(strategy, str) else callable(strategy)
    if not is_known:
        fail("strategy", f"must be one of {known}, or a function of the candidates", strategy)
    return strategy
