"""The rows of an input: read one by one, never all at once."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from adapters._json import is_object
from resilience._record import record
from resilience._rules import fail

__all__ = ["InvalidInput", "Row", "Survey", "rows_of", "survey"]

_DELIMITERS = {".csv": ",", ".tsv": "\t"}


class InvalidInput(ValueError):  # noqa: N818 - the word that stands in the results
    """A row that is no request: nothing is sent for it."""


@record(kw_only=False)
class Row:
    """One row of the input.

    Attributes:
        number: From 1: of the line in JSONL (empty ones are counted, and no rows), of the record
            in CSV, of the mapping in an iterable.
        fields: What stands in it.
        problem: In place of them, why it cannot be read; or "".
    """

    number: int
    fields: Mapping[str, Any]
    problem: str = ""


@record(kw_only=False)
class Survey:
    """What was found by reading an input once.

    Attributes:
        rows: How many there are.
        digest: Of the whole content.
        first: The first row.
    """

    rows: int
    digest: str
    first: Row


def survey(path: Path) -> Survey:
    """Read a file from end to end.

    Raises:
        SettingsError: if it is no file that can be read, not UTF-8, or holds no row.
    """
    digest = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
        first = next(iter(rows_of(path)), None)
        count = _count(path)
    except OSError as error:
        fail("source", f"must be a file that can be read ({error.strerror})", str(path))
    except UnicodeDecodeError:
        fail("source", "must be UTF-8", str(path))
    except csv.Error as error:
        fail("source", f"must be CSV with fields of a sane size ({error})", str(path))
    if first is None:
        fail("source", "must hold at least one row", str(path))
    return Survey(count, digest.hexdigest(), first)


def rows_of(source: Path | Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    """Give the rows of a file (CSV by the end of its name, else JSONL) or of an iterable."""
    if not isinstance(source, Path):
        for number, fields in enumerate(source, 1):
            yield _checked(number, fields)
        return
    delimiter = _DELIMITERS.get(source.suffix.lower())
    with source.open(encoding="utf-8-sig", newline="" if delimiter else None) as file:
        yield from _lines(file) if delimiter is None else _records(file, delimiter)


def _count(path: Path) -> int:
    """Count the rows, without parsing lines of JSON."""
    if path.suffix.lower() in _DELIMITERS:
        return sum(1 for _ in rows_of(path))
    with path.open(encoding="utf-8-sig") as file:
        return sum(1 for line in file if line.strip())


def _lines(file: TextIO) -> Iterator[Row]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Row(number, {}, f"line {number} is no JSON: {error}")
        else:
            yield _checked(number, fields)


def _records(file: TextIO, delimiter: str) -> Iterator[Row]:
    reader = csv.DictReader(file, delimiter=delimiter)
    for number, fields in enumerate(reader, 1):
        # Cells without a name come under None; names without a cell have None.
        fits = None not in fields and None not in fields.values()
        names = len(reader.fieldnames or ())
        problem = "" if fits else f"record {number} has not the {names} cells of the header"
        yield Row(number, {} if problem else fields, problem)


def _checked(number: int, fields: Any) -> Row:
    if is_object(fields):
        return Row(number, fields)
    return Row(number, {}, f"row {number} is no object with fields but {type(fields).__name__}")
