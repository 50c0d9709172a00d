"""The journal: results in the order in which they came, a line each, in one growing file.

A line is there once it is written; a program that is killed leaves whole lines and perhaps a part
of one, which is cut off when the journal is opened again. What the operating system has not yet
brought to the disk when the power fails is lost and asked for again: `sync` bounds how much.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from adapters.bulk._index import Index, Place
from adapters.bulk._lines import Head, head_of, kind_of
from resilience._rules import fail

__all__ = ["Journal", "Totals"]

# Failed rows that have no other result after this line are to be asked again.
_ROUND = b'{"retry_failed":true}\n'


@dataclass(slots=True)
class Totals:
    """The counts of all results, and what they cost."""

    succeeded: int = 0
    errors: Counter[str] = field(default_factory=Counter[str])
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0

    @property
    def failed(self) -> int:
        """How many results are errors."""
        return self.errors.total()

    @property
    def rows(self) -> int:
        """How many rows have a result."""
        return self.succeeded + self.failed


class Journal:
    """The results of a job on disk. One task at a time uses it; `sync` any thread.

    Args:
        path: The file; it is made where there is none.

    Raises:
        OSError: if it cannot be read and written.
        SettingsError: if somebody else has written in it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.totals = Totals()
        self.in_round = False
        self._round = 0  # rows whose error lies before this are asked again
        self._lock = threading.Lock()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        self._index = Index(path.parent)
        self._end = 0
        try:
            for line in self._lines():
                self._take(line)
            os.ftruncate(self._descriptor, self._end)
        except BaseException:
            self._close()
            raise

    def move(self, path: Path) -> None:
        """Go on under another name."""
        self.path = self.path.replace(path)

    def needs(self, row: int) -> bool:
        """Say whether this row still has to be asked for."""
        place = self._index.get(row)
        return place is None or (not place.ok and place.offset < self._round)

    def add(self, head: Head, line: bytes) -> None:
        """Write a result; it takes the place of an earlier one of its row.

        Raises:
            OSError: if it cannot be written, as on a full disk.
        """
        self._write(line)
        self._note(head, line)

    def begin_round(self) -> None:
        """Let every row whose result is an error be asked again, for good."""
        self._write(_ROUND)
        self._take(_ROUND)

    def sync(self) -> None:
        """Bring what is written to the disk."""
        with self._lock:
            if self._descriptor >= 0:
                os.fsync(self._descriptor)

    def copy(self, path: Path, *, sort: bool) -> None:
        """Write the result of each row to a new file: by row, or as they came.

        It is there as a whole or not at all.
        """
        draft = path.with_name(f"{path.name}.tmp")
        with self._reader() as source, draft.open("wb") as target:
            target.writelines(self._sorted(source) if sort else self._as_they_came(source))
            target.flush()
            os.fsync(target.fileno())
        draft.replace(path)

    def close(self) -> None:
        """Bring everything to the disk and close the files."""
        self.sync()
        self._close()

    def _close(self) -> None:
        with self._lock:
            os.close(self._descriptor)
            self._descriptor = -1
        self._index.close()

    def _write(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _take(self, line: bytes) -> None:
        head = head_of(line)
        if head is not None:
            self._note(head, line)
            return
        self._end += len(line)
        self._round, self.in_round = self._end, True

    def _note(self, head: Head, line: bytes) -> None:
        """Count a line that begins where the journal ended so far."""
        totals, before = self.totals, self._index.get(head.row)
        if before is not None:
            self._forget(before)
        if head.ok:
            totals.succeeded += 1
        else:
            totals.errors[kind_of(line)] += 1
        totals.input_tokens += head.input_tokens
        totals.output_tokens += head.output_tokens
        totals.total_tokens += head.total_tokens
        self._index.set(head.row, Place(self._end, head.ok))
        self._end += len(line)

    def _forget(self, place: Place) -> None:
        """Count a result no more that another one replaces; its tokens were spent all the same."""
        if place.ok:
            self.totals.succeeded -= 1
            return
        with self._reader() as file:
            file.seek(place.offset)
            self.totals.errors -= Counter([kind_of(file.readline())])

    def _lines(self) -> Iterator[bytes]:
        """Give the whole lines; a part of one may stand at the end."""
        with self._reader() as file:
            for line in file:
                if line == _ROUND or head_of(line) is not None:
                    yield line
                elif line.endswith(b"\n"):
                    place = f"{self.path}, at byte {self._end:,}"
                    fail("output", "must be left as it was written, to be gone on with", place)

    def _sorted(self, file: IO[bytes]) -> Iterator[bytes]:
        for place in self._index.places():
            file.seek(place.offset)
            yield file.readline()

    def _as_they_came(self, file: IO[bytes]) -> Iterator[bytes]:
        offset = 0
        for line in file:
            head = head_of(line)
            if head is not None and self._index.get(head.row) == Place(offset, head.ok):
                yield line
            offset += len(line)

    def _reader(self) -> IO[bytes]:
        return self.path.open("rb")
