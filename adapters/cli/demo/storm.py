"""The weather of the demo: three keys, two of them throttled and one revoked, and an outage."""

from __future__ import annotations

__all__ = ["KEYS", "OUTAGE", "STORM"]

# Made up; the emulator takes any text that is agreed on.
KEYS = {
    "production": "sk-demo-production-0123456789",
    "backup": "sk-demo-backup-0123456789",
    "retired": "sk-demo-retired-0123456789",
}

OUTAGE = (2.0, 6.0)  # seconds from the start of the run

# Seconds after a 429 in which requests that were on their way already are not "too early"; on a
# busy machine a thread that holds its key may need as long to send.
GRACE = 0.3

_DURING_OUTAGE = {"from": OUTAGE[0], "to": OUTAGE[1]}

# The first rule that matches strikes; rates are drawn from the seed.
STORM: list[dict[str, object]] = [
    {"fault": "reset", "rate": 0.3, **_DURING_OUTAGE},
    {"fault": "503", **_DURING_OUTAGE},
    {"fault": "401", "key": "retired", "from": 1.0},
    {"fault": "limit", "key": "production", "requests": 200, "window": 2.0, "grace": GRACE},
    {"fault": "limit", "key": "backup", "requests": 150, "window": 3.0, "grace": GRACE},
    {"fault": "truncated", "stream": False, "rate": 0.02},
    {"fault": "cut", "stream": True, "after": 3, "rate": 0.03},
    {"fault": "cut", "stream": True, "after": 0, "rate": 0.02},
    {"fault": "500", "rate": 0.01},
    {"fault": "slow", "stream": True, "delay": 0.1, "interval": 0.02, "rate": 0.1},
    {"fault": "slow", "delay": 0.5, "rate": 0.02},
    {"fault": "slow", "delay": 0.05},
]
