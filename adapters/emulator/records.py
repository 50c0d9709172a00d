"""The log: one record for each request that arrived, in the order of arrival."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TextIO

__all__ = ["LogRecord", "RequestLog"]

# About 100 MB; older records are dropped from memory, never from a log file.
_KEPT = 200_000


@dataclass(slots=True)
class LogRecord:
    """What the emulator knows about one request; never a secret.

    Attributes:
        index: The request's number, counted from 0 since the start or the last reset.
        time: Seconds from the start or the last reset to its arrival.
        provider: Whom it was for.
        method: The HTTP method.
        path: The path without the query.
        operation: What was asked, or None for a route that does not exist.
        key: The *name* of its key, or None for no key or one that nobody knows.
        client_request_id: The id that the client sent along, or None.
        request_id: The id that the emulator gave it in its answer.
        model: The model that was asked for, or None.
        stream: Whether a stream was asked for.
        digest: 16 hexadecimal digits of the body; equal bodies have equal ones.
        status: The status that was answered; None where nothing was (reset, hang).
        fault: The fault that struck, or None.
        retry_after: Seconds that the client was told to wait by a limit, or None.
        too_early: The key had been told to wait and was used before that time was over.
        events: How many events of a stream were sent.
        completed: Whether the answer was written to its end; False where a fault left it open or
            the client had left.
        duration: Seconds from arrival to the end of the answer; None while it is going on.
    """

    index: int
    time: float
    provider: str
    method: str
    path: str
    operation: str | None = None
    key: str | None = None
    client_request_id: str | None = None
    request_id: str = ""
    model: str | None = None
    stream: bool = False
    digest: str = ""
    status: int | None = None
    fault: str | None = None
    retry_after: float | None = None
    too_early: bool = False
    events: int = 0
    completed: bool = False
    duration: float | None = None


class RequestLog:
    """The latest records in memory, and all of them in a file where one is given.

    Not thread-safe: it lives in the emulator's event loop.
    """

    def __init__(self, kept: int = _KEPT) -> None:
        self._records: deque[LogRecord] = deque(maxlen=kept)
        self._file: TextIO | None = None
        self._next = 0

    def write_to(self, file: TextIO) -> None:
        """Write each record that ends from now on as a line of JSON."""
        self._file = file

    def open(self, time: float, provider: str, method: str, path: str) -> LogRecord:
        """Begin the record of a request that has arrived."""
        record = LogRecord(self._next, time, provider, method, path)
        self._next += 1
        self._records.append(record)
        return record

    def close(self, record: LogRecord, duration: float) -> None:
        """End a record: nothing more will be sent. The file gets its line now."""
        record.duration = round(duration, 6)
        if self._file is not None:
            self._file.write(json.dumps(asdict(record)) + "\n")
            self._file.flush()

    def reset(self) -> None:
        """Forget all records in memory and count from 0 again."""
        self._records.clear()
        self._next = 0

    def as_json(self, since: int = 0) -> list[dict[str, object]]:
        """Give the records from number `since` on."""
        return [asdict(record) for record in self._since(since)]

    def _since(self, since: int) -> Iterable[LogRecord]:
        return (record for record in self._records if record.index >= since)
