"""`python -m adapters bulk`: exit codes, what is said where, and no control characters in pipes."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from adapters.bulk import Progress
from adapters.cli import run
from adapters.cli._bulk_view import View
from tests.adapters.bulk.conftest import Job


@pytest.fixture(autouse=True)
def environment(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Address and keys of the emulator, in an empty folder with an input."""
    monkeypatch.setenv("OPENAI_BASE_URL", job.emulator.base_url())
    for number, key in enumerate(job.emulator.keys().values(), 1):
        monkeypatch.setenv(f"OPENAI_API_KEY_{number}", key)
    monkeypatch.chdir(job.source.parent)


def words(*more: str) -> list[str]:
    """The command that embeds the texts of the input."""
    usual = "bulk in.jsonl -o out.jsonl --provider openai --operation embed"
    model = "--model text-embedding-3-small --with dimensions=4"
    return [*usual.split(), *model.split(), *(more or ("--column", "text"))]


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    """Run a command and give its exit code and what it said."""
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    return ended.value.code, *capsys.readouterr()


def test_all_is_well(job: Job, capsys):
    """The exit code is 0, and a report goes to standard output alone."""
    job.write(12)
    code, out, err = outcome(capsys, *words())

    assert (0, "") == (code, err)
    assert "complete\nrows      12 (0 from earlier runs)\nsucceeded 12\n" in out
    assert 12 == len(job.lines())


def test_some_rows_failed(job: Job, capsys):
    """The exit code is 1; the rows that failed can be run again alone."""
    job.write(8)
    job.emulator.script(["400:nth=3"])
    code, out, err = outcome(capsys, *words())

    assert (1, "some rows failed: --retry-failed asks for them again\n") == (code, err)
    assert "  1 × BadRequestError" in out

    job.emulator.script()
    job.emulator.reset()
    code, out, err = outcome(capsys, *words(), "--column", "text", "--retry-failed")

    assert (0, 1) == (code, len(job.emulator.log()))


def test_going_on_is_of_no_use(job: Job, capsys):
    """The exit code is 3, with one line that says why."""
    job.write(8)
    job.emulator.script(["401:from=0"])
    code, out, err = outcome(capsys, *words())

    assert (3, "", 1) == (code, out, err.count("\n"))
    assert re.match("error: every key was rejected: .*; the same command goes on\n", err)


def test_a_run_that_was_stopped_has_its_report(job: Job, capsys):
    """Nobody needs it more than who has to find out why."""
    job.write(8)
    job.emulator.script(["401:from=0"])
    code, _, _ = outcome(capsys, *words(), "--report", "run.json", "--column", "text")
    report = json.loads(Path("run.json").read_text("utf-8"))

    assert (3, True) == (code, report["attempt_errors_by_type"]["AuthenticationError"] > 0)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--column", "txt"), "INPUT: the first row is no request: it has no field 'txt'; .*"),
        (("--template", "{x}"), "--template: template cannot be given beside column, not '{x}'"),
        (("--concurrency", "x"), "--concurrency: concurrency must be a whole number, .*, not 'x'"),
        (("-c", "max_retires=1"), "--client: .* has no setting 'max_retires'; did you mean .*"),
        (("-c", "max_retries=-1"), "--client: max_retries must be .*, not -1"),
        (("-c", "model=x"), "--client: model is no setting of a client"),
        (("-c", "api_key=sk-x"), "--client: api_key is not taken here, .*"),
        (("-c", "x"), "--client: must be NAME=VALUE, each name once; wrong at 'x'"),
        (("-w", "a=1", "--with", "a=2"), "--with: must be NAME=VALUE, .* at 'a'"),
        (("--provider", "acme"), "--provider: provider must be one of .*, not 'acme'"),
        (("--operation", "x"), "--operation: operation must be one of .* not 'x'"),
        (("--patience", "0"), "--patience: patience must be .*"),
        (("-o", "no/such/folder"), "--output: output must be a file that can be written .*"),
        (("-o", "in.jsonl"), "--output: output must be another file than the input, .*"),
        (("--order", "x"), "'--order': 'x' is not one of .*"),
        (("--report", "in.jsonl"), "--report: must be another file than 'in.jsonl', .*"),
        (("--report", "./out.jsonl"), "--report: must be another file than 'out.jsonl', .*"),
        (("--report", "no/such"), "--report: cannot write 'no/such' .*"),
        (("--report", "."), "--report: cannot write '.' .*"),
    ],
)
def test_bad_input(job: Job, capsys, more: tuple[str, ...], message: str):
    """One line that names what is wrong, exit code 2, nothing sent and nothing written."""
    job.write(3)
    code, out, err = outcome(capsys, *words("--column", "text", *more))

    assert (2, "") == (code, out)
    assert re.fullmatch(f"error: Invalid value for {message}\n", err)
    assert (set(), []) == (job.left(), job.emulator.log())


@pytest.mark.parametrize("content", [None, "", "\n", "not json\n", "[1]\n"])
def test_a_bad_file(job: Job, capsys, content: str | None):
    """A file that is not there, is empty, or does not begin with a row."""
    if content is not None:
        job.source.write_text(content)
    code, out, err = outcome(capsys, *words())

    assert (2, "", 1) == (code, out, err.count("\n"))
    assert err.startswith("error: Invalid value for INPUT: ")
    assert (set(), []) == (job.left(), job.emulator.log())


def test_no_key(job: Job, capsys, monkeypatch):
    """The variables are named."""
    for number in (1, 2):
        monkeypatch.delenv(f"OPENAI_API_KEY_{number}")
    job.write(1)
    code, out, err = outcome(capsys, *words())

    assert (2, "", True) == (code, out, "OPENAI_API_KEY" in err)


def test_interrupted_and_piped(job: Job):
    """Ctrl-C ends it in order with 130; what a pipe gets holds no control characters."""
    names = job.write(200)
    job.emulator.script(["slow:delay=0.1"])
    command = [sys.executable, "-m", "adapters", *words(), "--concurrency", "2"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    part = Path("out.jsonl.part")
    while not part.exists() or part.read_bytes().count(b"\n") < 10:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()

    assert (130, b"interrupted; the same command goes on\n") == (process.returncode, err)
    assert out.startswith(b"interrupted\nrows ")
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", out)

    job.emulator.script()
    job.run()

    assert names == [line["id"] for line in job.lines()]
    assert {1} == set(job.answered().values())


def told(progress: Progress, **console: object) -> str:
    """What a view shows of it on a console of this kind."""
    text = io.StringIO()
    with View(Console(file=text, **console)) as view:
        view.show(progress)
    return text.getvalue()


PROGRESS = Progress(
    total=100_000,
    done=12_345,
    failed=3,
    active=24,
    limit=32,
    requests=12_400,
    retries=45,
    throttled=7,
    tokens=1_234_567,
    seconds=40.0,
    rate=310.4,
    waiting=0.0,
)


@pytest.mark.parametrize("width", [80, 160])
def test_a_terminal_shows_two_lines(width: int):
    """Rate, tokens, retries and time left, within the width, also without colours."""
    shown = told(PROGRESS, force_terminal=True, width=width, no_color=True)
    frame, *_ = shown.split("\r")
    plain = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", frame).splitlines()
    first, second = plain[0].split(), plain[1]

    assert (["12,345", "of", "100,000"], ["ETA", "0:04:42"]) == (first[:3], first[-2:])
    assert "310 rows/s · 24 of 32 at once · 3 failed · 45 retries · 1,234,567 tok" == second[:69]
    assert max(map(len, plain)) < width
    assert "\x1b[3" not in shown


def test_a_pipe_shows_plain_lines():
    """Every ten seconds one, whole, without control characters."""
    shown = told(PROGRESS, force_terminal=False, width=80)

    assert (
        "12,345 of 100,000 rows, 310 rows/s, 24 of 32 at once, 3 failed, 45 retries, "
        "1,234,567 tokens, ETA 0:04:42\n"
    ) == shown


def test_help_names_the_exit_codes(capsys):
    """Whoever writes a script finds them."""
    code, out, _ = outcome(capsys, "bulk", "--help")

    assert (0, ["0", "1", "2", "3", "130"]) == (code, re.findall(r"^ +(\d+) ", out, re.MULTILINE))
