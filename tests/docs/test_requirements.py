"""The page of what is promised: every row is there, and the tests that it names exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.support.sources import ROOT, Source, sources

COUNTS = {"Q": 6, "R": 4, "C": 3, "B": 3, "K": 4, "T": 3, "M": 3, "X": 2}
ROWS = [f"{group}{number + 1}" for group, count in COUNTS.items() for number in range(count)]
ROWS.append("N3")  # of what comes next
PAGE = (ROOT / "docs/reference/requirements.md").read_text("utf-8")


def sections() -> dict[str, str]:
    """The text of each row, by its number."""
    parts = re.split(r"^### (\w+): .+$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def named_in(text: str) -> list[str]:
    """The tests that a text names."""
    return re.findall(r"`(tests/[\w/]+\.py::\w+)`", text)


def test_every_row_is_there():
    """In its order, each once."""
    assert ROWS == re.findall(r"^### (\w+): ", PAGE, re.MULTILINE)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_names_its_tests(row: str):
    """Each test once; a row without any says that the feature is not there yet."""
    text = sections()[row]
    named = named_in(text)

    assert sorted(set(named)) == sorted(named)
    assert bool(named) != ("Not there yet." in text)
    assert text.count("tests/") == len(named)


def functions_of(source: Source) -> set[str]:
    """The tests that are functions of a file: those that pytest finds by their names."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = {node.name for node in source.tree.body if isinstance(node, functions)}
    return {name for name in names if name.startswith("test_")}


def test_every_named_test_exists():
    """Renamed or removed, it would be missed here; that its file imports, its own run shows."""
    named = [name.split("::") for name in sorted(set(named_in(PAGE)))]
    known = {source.path: source for source in sources("tests")}
    there = {file: functions_of(known[file]) for file, _ in named if file in known}

    assert [] == [(file, test) for file, test in named if test not in there.get(file, ())]
