"""The emulator's addresses and keys as variables in a file that the adapters read."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from adapters.cli._apis import client_class

__all__ = ["variables_in", "variables_of"]

Write = Callable[[Sequence[dict[str, Any]]], None]


@contextmanager
def variables_in(file: str | None) -> Generator[Write]:
    """Give what writes the file, once, for its owner alone; remove it at the end.

    Raises:
        click.BadParameter: if there is such a file already, or it cannot be written.
    """
    if file is None:
        yield _write_nothing
        return
    path = Path(file)
    try:
        path.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        message = f"must be a file that can be made, not {file!r} ({error.strerror})"
        raise click.BadParameter(message, param_hint="--env") from error
    try:
        yield lambda providers: _write(path, providers)
    finally:
        path.unlink(missing_ok=True)


def _write_nothing(providers: Sequence[dict[str, Any]]) -> None:
    del providers


def _write(path: Path, providers: Sequence[dict[str, Any]]) -> None:
    variables = variables_of(providers)
    path.write_text("".join(f"{name}={value}\n" for name, value in variables.items()), "utf-8")


def variables_of(providers: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the variables from which the adapters take what the emulator has announced."""
    variables: dict[str, str] = {}
    for each in providers:
        api = client_class(each["provider"]).provider
        variables[api.base_url_variables[0]] = each["base_url"]
        for number, key in enumerate(each["keys"].values()):
            suffix = f"_{number}" if number else ""
            if each["provider"] == "s3":
                access_key, _, secret_key = key.partition(":")
                variables[f"AWS_ACCESS_KEY_ID{suffix}"] = access_key
                variables[f"AWS_SECRET_ACCESS_KEY{suffix}"] = secret_key
            else:
                variables[f"{api.key_variables[0]}{suffix}"] = key
    return variables
