"""Files that are sent and written in parts."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from resilience._rules import fail

__all__ = ["FileOrPath", "check_target", "chunks_of", "source", "target", "write_all"]

FileOrPath = str | os.PathLike[str] | BinaryIO


@contextmanager
def source(path_or_file: FileOrPath) -> Generator[tuple[BinaryIO, int]]:
    """Give a file to read, and its size; 0 where that is not known."""
    if not isinstance(path_or_file, str | os.PathLike):
        if not hasattr(path_or_file, "read"):
            fail("path_or_file", "must be a path or a binary file", type(path_or_file))
        yield path_or_file, 0
        return
    with Path(path_or_file).open("rb") as file:
        yield file, os.fstat(file.fileno()).st_size


def check_target(path_or_file: Any) -> None:
    """Refuse what cannot be written to, before anything is fetched."""
    is_path = isinstance(path_or_file, str | os.PathLike)
    if not is_path and not hasattr(path_or_file, "write"):
        fail("path_or_file", "must be a path or a binary file", type(path_or_file))
    if isinstance(path_or_file, io.TextIOBase):
        fail("path_or_file", "must be opened in binary mode", type(path_or_file))


@contextmanager
def target(path_or_file: FileOrPath) -> Generator[BinaryIO]:
    """Give a file to write; at a path it shows once all is written, and not if anything fails."""
    if not isinstance(path_or_file, str | os.PathLike):
        yield path_or_file
        return
    path = Path(path_or_file)
    if path.exists() and not path.is_file():  # a pipe or a device stays where it is
        with path.open("wb") as file:
            yield file
        return
    # Beside its place, so that it can be moved there in one step; its name is short enough for any
    # folder that takes the other one.
    unfinished = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with unfinished.open("xb") as file:
            yield file
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def write_all(file: Any, content: bytes) -> None:
    """Write all of it: a file without a buffer may take less at a time.

    Raises:
        OSError: if it takes nothing any more.
    """
    rest: bytes | memoryview = content
    while rest:
        taken = file.write(rest)
        if taken is None and not isinstance(file, io.RawIOBase):
            return  # it does not tell
        if not taken:
            msg = "the file takes no more bytes"
            raise OSError(msg)
        rest = memoryview(rest)[taken:]


def chunks_of(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Give the content of a file in chunks of this size; the last one may be smaller.

    Raises:
        SettingsError: if it gives text.
    """
    while chunk := _read(file, size):
        yield chunk


def _read(file: Any, size: int) -> bytes:
    """Read this much, or all that there is: a pipe or a socket gives less at a time."""
    parts: list[bytes] = []
    while size > 0:
        part = file.read(size)
        if not isinstance(part, bytes):
            fail("path_or_file", "must be opened in binary mode", type(part))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
