"""The script: which rule, if any, strikes a request.

No clock and no dice in here: the time is an argument, and chance is a hash of the seed and the
request's number.
So two runs with one seed agree however their threads were scheduled: the number of a request is
counted for each operation and key, and what one of them gets does not depend on the others.
Not thread-safe: it lives in the emulator's event loop.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from adapters.emulator.faults import Rule
from adapters.emulator.protocol import Call, Quota

__all__ = ["Script", "Verdict"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the script says about one request.

    Attributes:
        rule: The rule that strikes, or None.
        retry_after: For a limit, the seconds until the key is served again.
        too_early: The key had been told to wait, and was used before that time was over.
        quota: What the key has left, for the headers.
    """

    rule: Rule | None = None
    retry_after: float | None = None
    too_early: bool = False
    quota: Quota | None = None


@dataclass(slots=True)
class _Window:
    """A key's use of a limit."""

    began: float = -math.inf
    used: int = 0
    told_at: float = -math.inf
    told_until: float = -math.inf


class Script:
    """Rules in order, the first that matches strikes; with the counters that they need."""

    def __init__(self, rules: Sequence[Rule] = (), *, seed: int = 0) -> None:
        self.rules = tuple(rules)
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Forget what has happened: counters and windows begin anew."""
        self._numbers: Counter[tuple[str, str | None, str | None]] = Counter()
        self._met: Counter[int] = Counter()
        self._windows: dict[tuple[int, str], _Window] = {}

    def decide(self, call: Call, now: float, wall: float) -> Verdict:
        """Say what happens to a request.

        A rule sees only the requests that no rule before it has struck.

        Args:
            call: The request.
            now: Seconds since the script began.
            wall: The Unix time, for dates that are told to the client.
        """
        place = (call.provider.name, call.operation, call.key)
        number = self._numbers[place]
        self._numbers[place] += 1
        quota: Quota | None = None
        for position, rule in enumerate(self.rules):
            if not _concerns(rule, call, now):
                continue
            if rule.fault == "limit":
                verdict = self._limit(position, rule, call, now, wall)
                if verdict.rule is not None:
                    return verdict
                quota = quota or verdict.quota
            elif self._strikes(position, rule, call, number):
                return Verdict(rule, quota=quota)
        return Verdict(quota=quota)

    def _strikes(self, position: int, rule: Rule, call: Call, number: int) -> bool:
        self._met[position] += 1
        met = self._met[position]
        if rule.nth is not None and met != rule.nth:
            return False
        if rule.every is not None and met % rule.every != 0:
            return False
        if rule.first is not None and met > rule.first:
            return False
        return rule.rate is None or self._chance(position, call, number) < rule.rate

    def _chance(self, position: int, call: Call, number: int) -> float:
        """Give a number from 0 to 1 that looks random and is always the same."""
        text = f"{self._seed}/{position}/{call.provider.name}/{call.operation}/{call.key}/{number}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) / 2**64

    def _limit(self, position: int, rule: Rule, call: Call, now: float, wall: float) -> Verdict:
        """Count the request against its key's window.

        The window that a client was told is the one that holds: with a wait rounded up to whole
        seconds, the key stays closed until the rounded time, so that a Retry-After is a promise.
        """
        if call.key is None:  # a key that nobody knows is refused anyway
            return Verdict()
        window = self._windows.setdefault((position, call.key), _Window())
        if now >= max(window.began + rule.window, window.told_until):
            window.began, window.used, window.told_until = now, 0, -math.inf
        if now < window.told_until:
            wait = _rounded(rule, window.told_until - now, wall)
            return Verdict(rule, wait, too_early=now - window.told_at >= rule.grace)
        reset = window.began + rule.window - now
        if window.used < rule.requests:
            window.used += 1
            return Verdict(quota=Quota(rule.requests, rule.requests - window.used, reset))
        wait = _rounded(rule, reset, wall)
        window.told_at, window.told_until = now, now + wait
        return Verdict(rule, wait, quota=Quota(rule.requests, 0, reset))


def _concerns(rule: Rule, call: Call, now: float) -> bool:
    return (
        rule.since <= now < rule.until
        and (rule.provider is None or rule.provider == call.provider.name)
        and (rule.operation is None or rule.operation == call.operation)
        and (rule.model is None or rule.model == call.model)
        and (rule.key is None or rule.key == call.key)
        and (rule.stream is None or rule.stream == call.stream)
    )


def _rounded(rule: Rule, wait: float, wall: float) -> float:
    """Round a wait up to what the form of the answer can say."""
    if rule.retry_after_as == "ms":
        return math.ceil(wait * 1000) / 1000
    if rule.retry_after_as == "date":
        return math.ceil(wall + wait) - wall
    return max(1.0, math.ceil(wait))
