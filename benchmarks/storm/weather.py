"""What happens at the server, and what all contestants are set to; seconds, not minutes."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = [
    "ATTEMPTS",
    "CALLERS",
    "FAILURES",
    "FIRST_DELAY",
    "KEYS",
    "LONGEST_DELAY",
    "MODEL",
    "OUTAGE",
    "RESET",
    "RULES",
    "SECONDS",
    "TIMEOUT",
]

MODEL = "gpt-4o-mini"
KEYS = {"production": "sk-benchmark-production", "backup": "sk-benchmark-backup"}
SECONDS = 10.0  # that a race lasts
OUTAGE = (3.0, 6.0)  # second from which on nobody is answered, and until when
CALLERS = 32  # threads, each with one question after the other

# The same for everybody who has such a setting.
ATTEMPTS = 6  # of a call
FIRST_DELAY, LONGEST_DELAY = 0.25, 8.0  # seconds; the openai SDK's own are 0.5 and 8
FAILURES, RESET = 5, 0.5  # failures in a row that open a circuit, and seconds until a probe
TIMEOUT = 10.0  # seconds for an answer

_DURING_OUTAGE = {"from": OUTAGE[0], "to": OUTAGE[1]}

# The first rule that matches strikes; rates are drawn from the seed.
RULES: list[Mapping[str, object]] = [
    {"fault": "reset", "rate": 0.3, **_DURING_OUTAGE},
    {"fault": "503", **_DURING_OUTAGE},
    {"fault": "limit", "key": "production", "requests": 120, "window": 1.0, "grace": 0.3},
    {"fault": "limit", "key": "backup", "requests": 60, "window": 2.0, "grace": 0.3},
    {"fault": "reset", "rate": 0.01},
    {"fault": "500", "rate": 0.02},
    {"fault": "slow", "delay": 0.5, "rate": 0.02},
    {"fault": "slow", "delay": 0.05},
]
