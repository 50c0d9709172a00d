"""The page and the pictures of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.harness import DEFAULT, PLAIN, Effort, measure
from benchmarks.report import Report, page

from .test_harness import contest_of, scripted
from .test_series import curve_of
from .test_series import scripted as scripted_line
from .test_storm import finish_of, races_of

EFFORT = Effort(rounds=3, seconds=0.0, fewest=1)


@pytest.fixture
def report() -> Report:
    """One contest, one series and one storm."""
    contestants = {"base": scripted(1e-6, 1e-6, 1e-6), DEFAULT: scripted(2e-6, 3e-6, 2e-6)}
    line = scripted_line({1: (1e-6,) * 3, 1_000: (2e-6,) * 3})
    return Report(
        results=[measure(contest_of(contestants=contestants), EFFORT)],
        curves=[curve_of({PLAIN: line})],
        races=[races_of(ours=[finish_of(answers=10, requests=11)])],
        load=(0.5, 1.5),
    )


def test_a_page_has_every_table(report: Report):
    """What was measured, on what, and the pictures beside it."""
    text = page(report, EFFORT, ["storm.svg"])

    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert [
        "## What a call costs",
        "## What grows with the number",
        "## The storm",
        "## Plots",
        "## Every figure",
        "## Every size",
    ] == headings
    assert "load 0.5 before and 1.5 after" in text
    assert "![storm](storm.svg)" in text


def test_a_page_leaves_out_what_was_not_measured():
    """An empty table says nothing."""
    assert "##" not in page(Report(), EFFORT)


def test_the_same_figures_give_the_same_pictures(report: Report, tmp_path: Path):
    """A commit of results shows what has changed, and nothing else."""
    pytest.importorskip("matplotlib")
    from benchmarks.plots import draw

    (tmp_path / "again").mkdir()
    names = draw(report, tmp_path)

    assert ["calls.svg", "series.svg", "storm-two-keys.svg"] == names
    assert names == draw(report, tmp_path / "again")
    for name in names:
        assert (tmp_path / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert "the title" in (tmp_path / "series.svg").read_text(encoding="utf-8")
