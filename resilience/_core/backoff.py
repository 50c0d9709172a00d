"""How long to wait before a retry: arithmetic alone.

Source: exponential back-off with "equal" and "full" jitter as the AWS Architecture Blog names
them; `jitter` is the part of the delay that is random, so 0.5 is "equal" and 1 is "full".
"""

from __future__ import annotations

from resilience._record import record

__all__ = ["Backoff"]

HINT_JITTER = 0.1  # a server's hint is lengthened by up to a tenth …
HINT_JITTER_CEILING = 1.0  # … and by one second at most: enough to spread a crowd


@record
class Backoff:
    """Delays that grow by `factor` from `initial` up to `maximum`, all in seconds."""

    initial: float = 1.0
    factor: float = 2.0
    maximum: float = 60.0
    jitter: float = 0.5

    def delay(self, retry: int, random: float) -> float:
        """Return the seconds before retry number `retry` (1, 2, …); `random` is in [0, 1)."""
        try:
            grown = self.initial * self.factor ** (retry - 1)
        except OverflowError:  # a factor of 2 leaves the floats after a thousand retries
            grown = self.maximum if self.initial else 0.0
        if grown > self.maximum:  # noqa: PLR1730 - `min` costs as much as all the rest
            grown = self.maximum
        return grown * (1 - self.jitter * random)

    def longest(self, retries: int) -> float:
        """Return the seconds before so many retries together, without jitter.

        As soon as the delays grow no more, the others are not counted one by one: whoever wants
        no limit writes a very large number.
        """
        total = 0.0
        for retry in range(1, retries + 1):
            delay = self.delay(retry, 0.0)
            if delay in (0.0, self.maximum) or self.factor == 1:
                return total + delay * (retries - retry + 1)
            total += delay
        return total

    def after_hint(self, hint: float, random: float) -> float:
        """Return the delay for a server that asked to wait `hint` seconds, at most `maximum`.

        The hint is a lower bound: jitter is added to it, never taken from it.
        """
        spread = min(HINT_JITTER_CEILING, HINT_JITTER * hint) if self.jitter else 0.0
        return min(hint + spread * random, self.maximum)
