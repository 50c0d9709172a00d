"""`resilient report`: what a run came to, from what it has written."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterable

    from resilience.telemetry._report import Report

__all__ = ["check_target", "report", "write_report"]

_HELP = """\
Show what a run came to.

FILE is a report that was saved as JSON (`resilient bulk --report run.json`, or
`json.dumps(generate_report(include_details=True))` in a program), or the results of a bulk run.
Plots are of what a saved report holds.

\b
Examples:
  resilient report run.json
  resilient report vectors.jsonl --html run.html
"""


@click.command(help=_HELP, short_help="Show what a run came to, as text or as a web page.")
@click.argument("file")
@click.option("--html", "page", metavar="PAGE", help="Write a web page there, and print nothing.")
def report(file: str, page: str | None) -> None:
    """Show what a run came to."""
    if page is not None:
        check_target(page, option="--html", keep=[file])
    found = _read(Path(file))
    if page is None:
        click.echo(str(found))
    else:
        write_report(found, page, option="--html")


def check_target(file: str, *, option: str, keep: Iterable[str]) -> None:
    """Refuse, before any work, a file that cannot be written or whose content is needed."""
    path = Path(file)
    for needed in keep:
        if path.resolve() == Path(needed).resolve():
            message = f"must be another file than {needed!r}, not {file!r}"
            raise click.BadParameter(message, param_hint=option)
    problem = 0
    if path.is_dir():
        problem = errno.EISDIR
    elif not path.parent.is_dir():
        problem = errno.ENOENT
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        problem = errno.EACCES
    if problem:
        message = f"cannot write {file!r} ({os.strerror(problem)})"
        raise click.BadParameter(message, param_hint=option)


def write_report(found: Report, file: str, *, option: str) -> None:
    """Write a report to a file: a web page if its name ends so or `--html` asks, else JSON."""
    is_page = option == "--html" or file.endswith((".html", ".htm"))
    try:
        Path(file).write_text(found.to_html() if is_page else json.dumps(found) + "\n", "utf-8")
    except OSError as error:
        message = f"cannot write {file!r} ({error.strerror})"
        raise click.BadParameter(message, param_hint=option) from error


def _read(path: Path) -> Report:
    from adapters.bulk._lines import head_of  # noqa: PLC0415 - a command imports what it needs
    from resilience.telemetry._report import Report as Saved  # noqa: PLC0415

    try:
        with path.open("rb") as lines:
            first = lines.readline()
            if head_of(first) is not None:
                lines.seek(0)
                return _summary(path, lines)
            saved = json.loads(first + lines.read())
            found = Saved(saved)
            str(found)  # it has all that is shown
            found.to_html()
    except OSError as error:
        raise click.UsageError(f"cannot read {str(path)!r} ({error.strerror})") from error
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        message = f"{str(path)!r} is neither a saved report nor the results of a bulk run"
        raise click.UsageError(message) from error
    return found


def _summary(path: Path, lines: Iterable[bytes]) -> Report:
    """Add up the results of a bulk run; a last line that is not whole is none yet."""
    from adapters.bulk._lines import head_of, kind_of  # noqa: PLC0415
    from resilience.telemetry._report import report_of  # noqa: PLC0415
    from resilience.telemetry._totals import Totals  # noqa: PLC0415

    totals = Totals()
    for line in lines:
        head = head_of(line)
        if head is None:
            continue
        totals.own("outcomes")["success" if head.ok else "failure"] += 1
        totals.own("counts")["retries"] += max(0, head.attempts - 1)
        for kind in ("input_tokens", "output_tokens", "total_tokens"):
            totals.own("counts")[kind] += getattr(head, kind)
        if not head.ok:
            totals.own("errors")[kind_of(line)] += 1
    found = report_of(totals, path.name, None)
    found["errors_by_type"] = dict(totals.errors)
    return found
