"""The page about the command line, and the help of the commands, tell of the same."""

from __future__ import annotations

import re

import click
import pytest

from adapters.cli import main
from tests.support.sources import ROOT

PAGE = (ROOT / "docs/reference/cli.md").read_text("utf-8")
PAGE += (ROOT / "docs/reference/emulator.md").read_text("utf-8")


@pytest.mark.parametrize("command", main.commands.values(), ids=main.commands.keys())
def test_the_page_has_each_command_and_its_options(command: click.Command) -> None:
    """A command is a heading, and each of its options stands in a table."""
    options = [each for each in command.params if isinstance(each, click.Option)]
    names = [name for each in options for name in each.opts]

    assert re.search(rf"^## {command.name}$", PAGE, re.MULTILINE)
    assert [] == [name for name in names if f"`{name}" not in PAGE]


@pytest.mark.parametrize("command", main.commands.values(), ids=main.commands.keys())
def test_help_fits_a_terminal(command: click.Command) -> None:
    """No line of a help text is wider than 80 columns where the terminal is."""
    context = click.Context(command, info_name=command.name, terminal_width=80)

    assert [] == [line for line in command.get_help(context).splitlines() if len(line) > 80]


def test_help_says_what_each_command_does() -> None:
    """The list of commands has a whole sentence for each."""
    context = click.Context(main, info_name="resilient", terminal_width=80)
    shown = main.get_help(context)

    assert [] == [
        name for name in main.commands if not re.search(rf"{name} +\w.*\.\n", f"{shown}\n")
    ]
    assert "..." not in shown.partition("Commands:")[2]
