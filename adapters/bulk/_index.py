"""Where the result of each row lies: eight bytes a row, on disk, so that memory does not grow."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

__all__ = ["Index", "Place"]

_SIZE = 8
_CHUNK = 512 * _SIZE


class Place(NamedTuple):
    """Where a result begins in its file, and whether it is an answer."""

    offset: int
    ok: bool


class Index:
    """A place for each row; the file has no name, so that nothing is left of it after a crash.

    Args:
        folder: Where the file lies.
    """

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - lives as long

    def get(self, row: int) -> Place | None:
        """Return the place of a row's result, or None where there is none."""
        return _read(os.pread(self._file.fileno(), _SIZE, row * _SIZE))

    def set(self, row: int, place: Place) -> None:
        """Say where the result of a row lies."""
        # Zero is what a hole in a file reads as: no result.
        value = (place.offset + 1) << 1 | place.ok
        os.pwrite(self._file.fileno(), value.to_bytes(_SIZE, "big"), row * _SIZE)

    def places(self) -> Iterator[Place]:
        """Give all places in the order of the rows."""
        position = 0
        while chunk := os.pread(self._file.fileno(), _CHUNK, position):
            position += len(chunk)
            for start in range(0, len(chunk), _SIZE):
                place = _read(chunk[start : start + _SIZE])
                if place is not None:
                    yield place

    def close(self) -> None:
        """Close the file, and so remove it."""
        self._file.close()


def _read(entry: bytes) -> Place | None:
    value = int.from_bytes(entry, "big")
    return Place((value >> 1) - 1, bool(value & 1)) if value else None
