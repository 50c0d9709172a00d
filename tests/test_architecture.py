"""What the project promises of its own sources: size, seams, floors, and what is public."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatch

import pytest

from tests.support.sources import Source, sources

LONGEST_FILE = 300

# A foreign library, and the one place that may import it.
SEAMS = {
    "aiohttp": ["adapters/_aiohttp.py"],
    "botocore": ["adapters/_s3_signing.py"],
    "opentelemetry": ["resilience/telemetry/opentelemetry.py", "resilience/telemetry/_otel*.py"],
    "requests": ["adapters/_http.py"],
    "time": ["resilience/_clock.py"],
    "wrapt": ["resilience/_wrapper.py"],
}
EXEMPT = ("adapters/cli/", "adapters/emulator/")

# Modules without input, output, time, chance or concurrency.
PURE = {
    "__future__",
    "abc",
    "bisect",
    "collections",
    "copy",
    "dataclasses",
    "enum",
    "functools",
    "heapq",
    "itertools",
    "math",
    "operator",
    "reprlib",
    "types",
    "typing",
}

EVERYTHING = sources("adapters", "resilience")


def each(files: list[Source]) -> pytest.MarkDecorator:
    """Run a test for each of these files, named by its path."""
    return pytest.mark.parametrize("source", files, ids=[source.path for source in files])


@each(EVERYTHING)
def test_a_file_is_short(source: Source):
    """No file of the packages has more lines than one can keep in mind."""
    assert LONGEST_FILE >= len(source.text.splitlines())


@pytest.mark.parametrize("library", SEAMS)
def test_a_foreign_library_has_one_seam(library: str):
    """Foreign libraries and time are imported in one place, emulator and command line aside."""
    importers = {source.path for source in EVERYTHING if library in _roots(source.imports)}

    assert [] == sorted(path for path in importers if not _may_import(path, library))


@each(sources("resilience"))
def test_resilience_knows_no_adapters(source: Source):
    """The lower package imports nothing of the upper one."""
    assert "adapters" not in _roots(source.imports)


@each(sources("resilience/_core"))
def test_the_core_is_pure(source: Source):
    """A state machine imports pure parts of the standard library, records and other machines."""
    foreign = {
        name
        for name in source.imports
        if name.partition(".")[0] not in PURE
        and not name.startswith(("resilience._core", "resilience._record"))
    }

    assert set() == foreign


@each([source for source in EVERYTHING if source.is_public])
def test_a_public_module_says_what_it_exports(source: Source):
    """Every module whose name has no underscore has `__all__`, without doubles and sorted."""
    assert source.exported is not None
    assert sorted(set(source.exported), key=_sort_key) == source.exported


def _roots(names: Iterable[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def _may_import(path: str, library: str) -> bool:
    return path.startswith(EXEMPT) or any(fnmatch(path, seam) for seam in SEAMS[library])


def _sort_key(name: str) -> tuple[int, str]:
    """The linter's order: constants, then classes, then functions."""
    if re.fullmatch(r"[A-Z0-9_]+", name):
        return 0, name
    return (1 if name[:1].isupper() else 2), name
