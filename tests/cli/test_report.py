"""`resilient report`: what a run came to, from its report or its results."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from adapters.emulator import Emulator
from resilience import generate_report, get_stats, reset_stats, retry
from tests.cli.conftest import Cli, refusal


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """The report of three calls, as a program has saved it."""

    @retry(name="<b>cli report</b>")
    def work() -> None: ...

    reset_stats("<b>cli report</b>")
    for _ in range(3):
        work()
    path = tmp_path / "run.json"
    report = generate_report("<b>cli report</b>", include_details=True)
    path.write_text(json.dumps(report))
    return path


def test_prints_a_saved_report(cli: Cli, saved: Path) -> None:
    """As text it is what the program itself would have printed."""
    ended = cli("report", str(saved))

    assert 0 == ended.code
    assert ["total_requests", "3"] == ended.out.splitlines()[3].split()


def test_writes_a_page(cli: Cli, saved: Path, tmp_path: Path) -> None:
    """As a page it is HTML, in which a name is a text and no mark-up."""
    ended = cli("report", str(saved), "--html", "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    HTMLParser().feed(page)

    assert (0, "") == (ended.code, ended.out)
    assert "&lt;b&gt;cli report&lt;/b&gt;" in page
    assert "<b>cli report" not in page


def test_adds_up_the_results_of_a_bulk_run(
    cli: Cli, settings: object, emulator: Emulator, tmp_path: Path
) -> None:
    """Answers, errors by kind, retries and tokens; a line that is not whole counts for nothing."""
    rows = [{"id": number, "text": f"text {number}"} for number in range(6)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    emulator.script(["400:nth=2", "503:nth=4"])
    of_embedding = ("--operation", "embed", "--model", "text-embedding-3-small", "--column", "text")
    ran = cli(
        *("bulk", "in.jsonl", "-o", "out.jsonl", "--provider", "openai", *of_embedding),
        *("--concurrency", "1", "-c", "initial_retry_delay=0", "--report", "run.html"),
    )
    with (tmp_path / "out.jsonl").open("a") as results:
        results.write('{"id":7,"row":7,"ok":tr')

    lines = cli("report", "out.jsonl").out.splitlines()
    shown = dict(line.split()[:2] for line in lines if len(line.split()) >= 2)

    assert (1, True) == (ran.code, "<svg" in (tmp_path / "run.html").read_text("utf-8"))
    assert ("6", "5", "1") == tuple(
        shown[name] for name in ("total_requests", "successful_requests", "failed_requests")
    )
    assert ("1", "1") == (shown["retries"], shown["BadRequestError"])
    assert str(get_stats("openai")["input_tokens"]) != "0" != shown["input_tokens"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "neither a saved report nor the results of a bulk run"),
        ("[1, 2]", "neither a saved report nor the results of a bulk run"),
        ('{"name": "x"}', "neither a saved report nor the results of a bulk run"),
        ("\x00\xff", "neither a saved report nor the results of a bulk run"),
    ],
)
def test_bad_input(cli: Cli, tmp_path: Path, content: str, message: str) -> None:
    """Whatever else a file holds is said in one line."""
    (tmp_path / "file").write_text(content, "latin-1")

    assert message in refusal(cli("report", "file"))


def test_a_report_with_parts_that_are_none(cli: Cli, saved: Path) -> None:
    """What only the page shows is looked at as well before anything is written."""
    report = json.loads(saved.read_text())
    for broken in ({"timeline": {}}, {"circuits": {"one": []}}, {"latency_distribution": [[]]}):
        saved.write_text(json.dumps(report | broken))
        said = refusal(cli("report", str(saved), "--html", "page.html"))

        assert "neither a saved report nor the results of a bulk run" in said
        assert not (saved.parent / "page.html").exists()


def test_files_that_cannot_be_used(cli: Cli, saved: Path) -> None:
    """One that is not there, and one that cannot be written."""
    assert "cannot read 'missing'" in refusal(cli("report", "missing"))
    assert "cannot write '/proc/no/page'" in refusal(
        cli("report", str(saved), "--html", "/proc/no/page")
    )
    assert "cannot write '.' (Is a directory)" in refusal(cli("report", str(saved), "--html", "."))


def test_a_page_replaces_no_report(cli: Cli, saved: Path) -> None:
    """A page in place of its own report would lose what it is made of."""
    before = saved.read_bytes()

    assert "must be another file than" in refusal(cli("report", str(saved), "--html", "run.json"))
    assert before == saved.read_bytes()
