"""The command line: what is selected, and what is kept of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.contests import CONTESTS
from benchmarks.curves import SERIES
from benchmarks.harness import Effort
from benchmarks.storm import STORMS

NAMES = [each.name for each in (*CONTESTS, *SERIES, *STORMS)]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """Run the command with as little effort as possible."""
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    monkeypatch.setattr(command, "QUICK", Effort(rounds=1, seconds=0.0, fewest=1))
    command.main()


def test_all_names_are_told_apart(monkeypatch: pytest.MonkeyPatch, capsys):
    """Whatever its kind, each has a name of its own."""
    run(monkeypatch, "--list")

    assert NAMES == capsys.readouterr().out.split()
    assert len(NAMES) == len(set(NAMES))


def test_a_quick_run_leaves_out_what_is_long(monkeypatch: pytest.MonkeyPatch, capsys):
    """No storm, and no hundred thousand that wait, but by name."""
    run(monkeypatch, "--list", "--quick")
    quick = capsys.readouterr().out.split()
    run(monkeypatch, "--list", "--quick", "storm")

    assert [] == [name for name in quick if "storm" in name or "100k" in name]
    assert {"retry-sync", "keys"} <= set(quick)
    assert [storm.name for storm in STORMS] == capsys.readouterr().out.split()


@pytest.mark.parametrize("names", [["sotrm"], ["keys", "sotrm"]])
def test_an_unknown_name_is_an_error(names: list[str], monkeypatch: pytest.MonkeyPatch, capsys):
    """Nothing is measured by mistake, and nothing left out in silence."""
    with pytest.raises(SystemExit):
        run(monkeypatch, *names)

    assert "nothing is called sotrm;" in capsys.readouterr().err


def test_a_run_is_printed_and_kept_where_asked(
    monkeypatch: pytest.MonkeyPatch, capsys, tmp_path: Path
):
    """The page and its pictures; a part of a run never becomes the latest one by itself."""
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(command, "RESULTS", tmp_path / "never")
    run(monkeypatch, "--quick", "permit")
    run(monkeypatch, "--quick", "--output", str(tmp_path / "kept"), "permit")
    printed = capsys.readouterr().out

    assert 2 == printed.count("| `@prioritized`, permit free, caller's thread |")
    assert {"calls.svg", "latest.md"} == {each.name for each in (tmp_path / "kept").iterdir()}
    assert "![calls](calls.svg)" in (tmp_path / "kept" / "latest.md").read_text(encoding="utf-8")
    assert not (tmp_path / "never").exists()
