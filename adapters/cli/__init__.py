"""The command line: `python -m adapters COMMAND`.

A command imports what it needs when it runs, so that `--help` is quick and needs no extra but this.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from adapters.cli._demo import demo
from adapters.cli._emulate import emulate

__all__ = ["main", "run"]


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Tools around the adapters."""


main.add_command(demo)
main.add_command(emulate)


def run(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 when all went well, 2 with one line on stderr for bad input."""
    try:
        code = main.main(arguments, prog_name="python -m adapters", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
        code = error.exit_code
    except click.Abort:
        code = 130
    sys.exit(code)
