"""The command line: `resilient COMMAND`, or `python -m adapters COMMAND`.

A command imports what it needs when it runs, so that `--help` is quick and needs no extra but this.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from adapters.cli._bulk import bulk
from adapters.cli._call import call
from adapters.cli._demo import demo
from adapters.cli._doctor import doctor
from adapters.cli._emulate import emulate
from adapters.cli._explain import explain
from adapters.cli._report import report

__all__ = ["main", "run"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Calls of APIs that survive, from a shell, and a server to test against."""


for command in (bulk, call, demo, doctor, emulate, explain, report):
    main.add_command(command)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit.

    With 0 when all went well, 1 with one line on stderr when it did not, 2 with one for bad input,
    and 130 after Ctrl-C.
    """
    try:
        code = main.main(arguments, prog_name=_program(), standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except click.ClickException as error:
        code = _complain(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        code = _stop_writing()
    except Exception as error:  # noqa: BLE001 - what is a bug goes on from there
        code = _complain(*_judged(error))
    sys.exit(code)


def _program() -> str:
    return "resilient" if Path(sys.argv[0]).name == "resilient" else "python -m adapters"


def _complain(message: str, code: int) -> int:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    return code


def _judged(error: Exception) -> tuple[str, int]:
    """Return what to say of an error of ours and how to exit; what is a bug goes on."""
    from adapters.errors import AdapterError  # noqa: PLC0415 - a command imports what it needs
    from resilience import MissingKeyError, ResilienceError, SettingsError  # noqa: PLC0415

    if isinstance(error, SettingsError | MissingKeyError):
        return str(error), 2
    if isinstance(error, AdapterError | ResilienceError):
        return f"{type(error).__name__}: {error}", 1
    if isinstance(error, OSError) and error.filename is not None:  # a file that an argument names
        return f"cannot use {str(error.filename)!r} ({error.strerror})", 2
    raise error


def _stop_writing() -> int:
    """Leave quietly when nobody reads any more, as `head` does; Python would complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
