"""Keys from the environment and from `.env`; the only importer of python-dotenv."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from resilience.errors import MissingKeyError

__all__ = ["find_keys", "lookup"]

_logger = logging.getLogger("resilience.key_pool")


def find_keys(names: tuple[str, ...]) -> dict[str, str]:
    """Return every key whose variable is one of `names`, or one of them with a number behind it.

    A number is `_1`, `_2`, and so on; numbers may be missing. The order is that of `names`, then
    of the numbers. White space around a key is none of it, and an empty variable is none at all.
    The environment wins over the nearest `.env` from the working directory upwards, which is read
    without touching the environment.

    Raises:
        MissingKeyError: if there is none; it names the variables.
    """
    file, environment = _env_file(), _filled(os.environ)
    values, found = file | environment, {}
    for name in names:
        for variable in _numbered(name, values):
            found[variable] = values[variable]
            source = "environment" if variable in environment else ".env"
            fields = {"resilience_key_name": variable, "resilience_source": source}
            _logger.info("key %s comes from %s", variable, source, extra=fields)
    if not found:
        tried = ", ".join(f"{name}, {name}_1, …" for name in names)
        msg = f"no key found: set one of {tried} in the environment or in .env, or pass one"
        raise MissingKeyError(msg, variables=names)
    return found


def lookup(name: str) -> str | None:
    """Return the value of one variable, from the environment or `.env`; None where it is empty."""
    return _filled({name: os.environ.get(name)}).get(name) or _env_file().get(name)


def _numbered(name: str, variables: Iterable[str]) -> list[str]:
    """Return the variables of this name, in the order of their numbers; that without one first."""
    matches = (re.fullmatch(rf"{re.escape(name)}(?:_([0-9]+))?", each) for each in variables)
    numbers = {match[0]: int(match[1] or -1) for match in matches if match}
    return sorted(numbers, key=lambda variable: (numbers[variable], variable))


def _env_file() -> dict[str, str]:
    """Return what stands in the nearest `.env`; one that cannot be read is none."""
    try:
        if not _is_there():
            return {}
        from dotenv import dotenv_values, find_dotenv  # noqa: PLC0415 - many have no such file

        return _filled(dotenv_values(find_dotenv(usecwd=True)))
    except (OSError, UnicodeError) as error:
        kind = type(error).__name__
        fields = {"resilience_error_type": kind}
        _logger.warning("the file .env cannot be read (%s)", kind, extra=fields)
        return {}


def _is_there() -> bool:
    folder = Path.cwd()
    # Unlike `Path.exists`, it holds a folder that may not be looked into for an empty one.
    return any(os.path.exists(each / ".env") for each in (folder, *folder.parents))  # noqa: PTH110


def _filled(variables: Mapping[str, str | None]) -> dict[str, str]:
    stripped = {name: (value or "").strip() for name, value in variables.items()}
    return {name: value for name, value in stripped.items() if value}
