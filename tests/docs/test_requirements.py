"""The page of what is promised: every row is there, and the tests that it names exist."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.support.sources import ROOT

COUNTS = {"Q": 6, "R": 4, "C": 3, "B": 3, "K": 4, "X": 2}
ROWS = [f"{group}{number + 1}" for group, count in COUNTS.items() for number in range(count)]
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


def test_every_named_test_is_collected():
    """As pytest finds it: renamed or removed, it would be missed here."""
    named = sorted(set(named_in(PAGE)))
    files = sorted({name.partition("::")[0] for name in named})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(  # noqa: S603 - our own tests
        [*command, *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    collected = {line.partition("[")[0] for line in done.stdout.splitlines() if "::" in line}

    assert [] == [name for name in named if name not in collected]
