"""What is written on the command line, as values: assignments, JSON, files, standard input."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

__all__ = ["fitted", "read_assignments", "read_value"]

_SECRET = ("api_key", "key", "keys", "access_key", "secret_key", "session_token")


def fitted(line: str, indent: int) -> str:
    """Return a line as it is, or, on a terminal, broken between words where it would not fit."""
    if not sys.stdout.isatty():
        return line
    width = max(40, shutil.get_terminal_size().columns)
    return textwrap.fill(
        line,
        width,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def read_value(text: str) -> Any:
    """Return the value that an argument stands for.

    `-` is standard input and `@FILE` what the file holds, as text, or as bytes where it is none.
    What begins like a JSON list or object is one; everything else is the text itself.
    """
    if text == "-":
        return _text_of(sys.stdin.buffer.read())
    if text.startswith("@"):
        try:
            return _text_of(Path(text[1:]).read_bytes())
        except OSError as error:
            message = f"cannot read {text[1:]!r} ({error.strerror})"
            raise click.UsageError(message) from error
    if text.startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def read_assignments(
    option: str, pairs: Iterable[str], *, refuse_secrets: bool = False
) -> dict[str, Any]:
    """Return what NAME=VALUE says: JSON where the value is some, else the text.

    Args:
        option: Where they were given, for errors.
        pairs: What was given.
        refuse_secrets: Whether keys are not taken: every process of the machine sees them here.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if refuse_secrets and name in _SECRET:
            message = f"{name} is not taken here, where others see it: set the API's variable"
            raise click.BadParameter(message, param_hint=option)
        if not equals or not name.isidentifier() or name in values:
            # The value may be a secret after all: only the name is repeated.
            message = f"must be NAME=VALUE, each name once; wrong at {name!r}"
            raise click.BadParameter(message, param_hint=option)
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values


def _text_of(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data
