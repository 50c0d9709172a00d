"""What can go wrong with any API, and what a call comes to then: the table of the documentation.

`python -m tests.adapters.every_fault` writes it to the page that shows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.adapters.every_api import Api
from tests.adapters.recorder import Do, Script, answer

__all__ = ["FAULTS", "PAGE", "STREAM_FAULTS", "Fault", "markdown"]

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "failures.md"
RECOVERED = "recovered"

_BEGIN, _END = "<!-- table -->", "<!-- end of the table -->"
_PAUSE = 0.02  # seconds; a server that takes them is slow for these tests
_LARGE = 100 * 1024 * 1024
_PAGE = b"<!doctype html><html><body>We are down for maintenance.</body></html>"

Play = Callable[[Api], Sequence[Script]]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        what: For people.
        play: What the server does with each request, the last one for ever.
        outcome: The name of the error, or "recovered".
        requests: How many are sent, with one retry allowed.
        but: For single APIs, another outcome and number.
        settings: Of the client.
        waited: The least seconds that pass on a fake clock.
    """

    what: str
    play: Play
    outcome: str
    requests: int
    but: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    waited: float = 0.0

    def expected(self, api: Api) -> tuple[str, int]:
        """The outcome for one API."""
        return self.but.get(api.name, (self.outcome, self.requests))


def status(code: int, **headers: str) -> bytes:
    """An answer that is an error, in a form that every API reads."""
    body = {"error": {"message": "No.", "type": None, "code": None}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(body, status=code, headers=named)


def page(code: int) -> bytes:
    """A web page instead of an answer."""
    return answer(_PAGE, status=code, headers={"Content-Type": "text/html"})


def first(step: Script | bytes) -> Play:
    """Do this once, then answer well."""
    return lambda api: [[step] if isinstance(step, bytes) else step, [api.good]]


def always(step: Script | bytes) -> Play:
    """Do this for ever."""
    return lambda api: [[step] if isinstance(step, bytes) else step]


def _halves(api: Api) -> list[Any]:
    middle = len(api.good) - 3
    return [api.good[:middle], lambda: time.sleep(_PAUSE), api.good[middle:]]


def _large(api: Api) -> bytes:
    head, _, _ = api.good.partition(b"\r\n\r\n")
    kept = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    return b"\r\n".join([*kept, f"Content-Length: {_LARGE}".encode(), b"", b"["])


FAULTS = [
    Fault(
        what="throttled (429) with Retry-After",
        play=first(status(429, Retry_After="7")),
        outcome=RECOVERED,
        requests=2,
        waited=7.0,
    ),
    Fault(
        what="throttled (429) without a hint",
        play=first(status(429)),
        outcome=RECOVERED,
        requests=2,
        waited=1.0,
    ),
    Fault(
        what="throttled for longer than `max_retry_delay`",
        play=always(status(429, Retry_After="3600")),
        outcome="RateLimitError",
        requests=1,
    ),
    Fault(
        what="key revoked (401)",
        play=always(status(401)),
        outcome="AuthenticationError",
        requests=1,
    ),
    Fault(what="outage (503)", play=always(status(503)), outcome="OverloadedError", requests=2),
    Fault(what="outage that ends", play=first(status(503)), outcome=RECOVERED, requests=2),
    Fault(what="slow, but in time", play=lambda api: [_halves(api)], outcome=RECOVERED, requests=1),
    Fault(
        what="hang",
        play=always([Do.HANG]),
        outcome="RequestTimeoutError",
        requests=1,
        settings={"read_timeout": 5 * _PAUSE, "max_retries": 0},
    ),
    Fault(what="connection reset", play=first([Do.RESET]), outcome=RECOVERED, requests=2),
    Fault(
        what="connection reset, for ever",
        play=always([Do.RESET]),
        outcome="ConnectionFailedError",
        requests=2,
    ),
    Fault(
        what="truncated body",
        play=lambda api: [[api.good[:-3], Do.CLOSE], [api.good]],
        outcome=RECOVERED,
        requests=2,
    ),
    Fault(
        what="broken JSON",
        play=always(answer(b'{"choices": [', headers={"Content-Type": "application/json"})),
        outcome="InvalidResponseError",
        requests=2,
    ),
    Fault(
        what="JSON of the wrong type",
        play=always(answer(b"42", headers={"Content-Type": "application/json"})),
        outcome="InvalidResponseError",
        requests=2,
    ),
    Fault(
        what="redirect to another host",
        play=always(status(307, Location="http://127.0.0.1:9/elsewhere")),
        outcome="InvalidResponseError",
        requests=1,
    ),
    Fault(
        what="web page instead of an answer (200)",
        play=always(page(200)),
        outcome="InvalidResponseError",
        requests=1,
    ),
    Fault(
        what="web page of a gateway (502)",
        play=always(page(502)),
        outcome="ServerError",
        requests=2,
    ),
    Fault(
        what="answer of 100 MB (more than `max_answer_size`)",
        play=lambda api: [[_large(api), Do.HANG]],
        outcome="InvalidResponseError",
        requests=1,
    ),
]

STREAM_FAULTS = [
    Fault(
        what="stream throttled (429)",
        play=lambda api: [[status(429)], api.good_stream],
        outcome=RECOVERED,
        requests=2,
        waited=1.0,
    ),
    Fault(
        what="stream cut behind its first event",
        play=lambda api: [[*api.good_stream[:2], Do.RESET]],
        outcome="StreamInterruptedError",
        requests=1,
    ),
    Fault(
        what="stream that ends without its end marker",
        play=lambda api: [api.cut_stream],
        outcome="StreamInterruptedError",
        requests=1,
    ),
    Fault(
        what="error inside a stream, behind its first event",
        play=lambda api: [api.failing_stream],
        outcome="StreamInterruptedError",
        requests=1,
    ),
    Fault(
        what="error as the first event of a stream",
        play=lambda api: [api.failed_stream, api.good_stream],
        outcome=RECOVERED,
        requests=2,
    ),
    Fault(
        what="empty stream",
        play=lambda api: [_empty(api), api.good_stream],
        outcome=RECOVERED,
        requests=2,
    ),
]


def _empty(api: Api) -> list[Any]:
    head, *_, end = api.good_stream
    return [head, end]


def markdown() -> str:
    """The table as the page shows it."""
    rows = ["| what goes wrong | what the call comes to | requests | but |", "|---|---|---:|---|"]
    for fault in [*FAULTS, *STREAM_FAULTS]:
        shown = fault.outcome if fault.outcome == RECOVERED else f"`{fault.outcome}`"
        but = "; ".join(f"{name}: `{error}`, {n}" for name, (error, n) in fault.but.items())
        rows.append(f"| {fault.what} | {shown} | {fault.requests} | {but} |")
    return "\n".join(rows)


def written(text: str) -> str:
    """The page with the table in its place."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n\n{markdown()}\n\n{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
