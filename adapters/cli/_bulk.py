"""The command `bulk`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from adapters.cli._report import check_target, write_report
from adapters.cli._words import read_assignments
from resilience import generate_report
from resilience.errors import MissingKeyError, SettingsError

__all__ = ["bulk"]

_FAILED, _STOPPED, _INTERRUPTED = 1, 3, 130  # a click.UsageError exits with 2

_HELP = """\
Ask an API for every row of INPUT (CSV or TSV by its name, else JSONL).

OUTPUT gets a line of JSON for each row: id, row, ok, attempts, usage, and result or error. A run
that was killed or interrupted goes on where it was when the same command is given again.

\b
A row becomes a call by one of
  --column NAME      this field is the input of the operation
  --template TEXT    the input, with {field} in it, or JSON of arguments
  neither            the fields of the row are the arguments

\b
Exit codes:
  0    every row has an answer
  1    some results are errors: --retry-failed asks for these again
  2    the command or the input is wrong; nothing was sent
  3    stopped, since going on is of no use; the same command goes on
  130  interrupted (Ctrl-C, SIGTERM); the same command goes on

\b
Keys come from the environment or .env, as the page of the API says.
\b
Examples:
  resilient bulk texts.csv -o vectors.jsonl --provider openai \\
      --operation embed --model text-embedding-3-small --column text
  resilient bulk words.jsonl -o french.jsonl --provider claude \\
      --operation chat --model claude-haiku-4-5 -w max_tokens=100 \\
      --template 'Translate to French: {word}'
"""

# Arguments of `bulk.run` that have another name here.
_HINTS = {"source": "INPUT", "options": "--with"}
_NAMED = (
    "column",
    "concurrency",
    "id_column",
    "model",
    "operation",
    "order",
    "output",
    "patience",
    "provider",
    "template",
)


# Arguments of `bulk.run` that are no settings of a client either.
_OTHERS = {*_NAMED, "on_progress", "on_start", "options", "overwrite", "retry_failed", "source"}


@click.command(help=_HELP, short_help="Call an API for every row of a file; resumable.")
@click.argument("source", metavar="INPUT")
@click.option("-o", "--output", metavar="OUTPUT", required=True, help="The file for the results.")
@click.option("--provider", metavar="NAME", required=True, help="An API, such as openai.")
@click.option("--operation", metavar="NAME", required=True, help="Such as embed or chat.")
@click.option("--model", metavar="NAME", help="For rows that name none.")
@click.option("--column", metavar="NAME", help="The field that holds the input.")
@click.option("--template", metavar="TEXT", help="See above.")
@click.option(
    "-w",
    "--with",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="A further argument of every call, as JSON or text; may be repeated.",
)
@click.option(
    "-c",
    "--client",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="A setting of the client, such as base_url=, timeout=, max_retries=; may be repeated.",
)
@click.option(
    "--id-column", metavar="NAME", help="The field that names a row. Default: id, else its number."
)
@click.option(
    "--concurrency",
    metavar="auto|N",
    default="auto",
    show_default=True,
    help="Calls at once; auto: as many as the server takes, up to max_concurrent_requests (64).",
)
@click.option(
    "--order",
    type=click.Choice(["input", "completed"]),
    default="input",
    show_default=True,
    help="Of the results; as completed, OUTPUT grows while the job runs.",
)
@click.option(
    "--retry-failed", is_flag=True, help="Ask again for the rows whose result is an error."
)
@click.option(
    "--report",
    metavar="FILE",
    help="Write a report there at the end: a web page if it ends in .html, else JSON.",
)
@click.option("--overwrite", is_flag=True, help="Begin anew, whatever is there.")
@click.option(
    "--patience",
    type=float,
    default=300.0,
    show_default=True,
    help="Seconds without any answer after which the run stops.",
)
def bulk(
    *,
    options: Sequence[str],
    settings: Sequence[str],
    concurrency: str,
    report: str | None,
    **arguments: Any,
) -> int:
    """Ask an API for every row of an input."""
    arguments |= {
        "options": read_assignments("--with", options),
        "concurrency": _limit(concurrency),
        **_settings(settings),
    }
    if report is not None:
        output = arguments["output"]
        needed = [arguments["source"], *(output + each for each in ("", ".job", ".part"))]
        check_target(report, option="--report", keep=needed)
    try:
        return _run(arguments, report)
    except SettingsError as error:
        raise click.BadParameter(str(error), param_hint=_hint(error.setting)) from error
    except (MissingKeyError, ModuleNotFoundError) as error:
        raise click.UsageError(str(error)) from error


def _run(arguments: dict[str, Any], report: str | None) -> int:
    from rich.console import Console  # noqa: PLC0415 - a command imports what it needs

    from adapters.bulk import BulkStoppedError, run  # noqa: PLC0415
    from adapters.cli._bulk_view import View  # noqa: PLC0415

    try:
        with View(Console(stderr=True, highlight=False)) as view:
            result = run(**arguments, on_progress=view.show, on_start=_on_signals)
    except BulkStoppedError as stopped:
        click.echo(f"error: {stopped}; the same command goes on", err=True)
        _write(report)
        return _STOPPED
    except OSError as error:
        click.echo(f"error: {error}; the same command goes on", err=True)
        return _STOPPED
    click.echo(str(result))
    _write(report)
    if result.ending == "interrupted":
        click.echo("interrupted; the same command goes on", err=True)
        return _INTERRUPTED
    if result.failed:
        click.echo("some rows failed: --retry-failed asks for them again", err=True)
        return _FAILED
    return 0


def _write(report: str | None) -> None:
    if report is not None:
        write_report(generate_report(include_details=True), report, option="--report")


def _on_signals(stop: Callable[[], None]) -> None:
    import asyncio  # noqa: PLC0415 - a command imports what it needs
    import signal  # noqa: PLC0415

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def _settings(given: Sequence[str]) -> dict[str, Any]:
    settings = read_assignments("--client", given, refuse_secrets=True)
    for name in settings:
        if name in _OTHERS:
            message = f"{name} is no setting of a client"
            raise click.BadParameter(message, param_hint="--client")
    return settings


def _limit(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def _hint(setting: str | None) -> str:
    if setting in _NAMED:
        return f"--{setting.replace('_', '-')}"
    return _HINTS.get(setting or "", "--client")
