"""Keys from the environment and from `.env`; the only importer of python-dotenv."""

from __future__ import annotations

import logging
import os
import re

from dotenv import dotenv_values, find_dotenv

from resilience.errors import MissingKeyError

__all__ = ["find_keys", "lookup"]

_logger = logging.getLogger("resilience.key_pool")


def find_keys(names: tuple[str, ...]) -> dict[str, str]:
    """Return every key whose variable is one of `names`, or one of them with a number behind it.

    A number is `_1`, `_2`, and so on; numbers may be missing. The order is that of `names`, then
    of the numbers. An empty variable
    is none. The environment wins over the nearest `.env` from the working directory upwards,
    which is read without touching the environment.

    Raises:
        MissingKeyError: if there is none; it names the variables.
    """
    file, environment = _env_file(), dict(os.environ)
    found: dict[str, str] = {}
    for name in names:
        matches = (
            re.fullmatch(rf"{re.escape(name)}(?:_(\d+))?", each) for each in file | environment
        )
        numbered = sorted((int(match[1] or 0), match[0]) for match in matches if match)
        for _, variable in numbered:
            source = "environment" if environment.get(variable) else ".env"
            key = environment.get(variable) or file.get(variable)
            if key:
                found[variable] = key
                _logger.info("key %s comes from %s", variable, source)
    if not found:
        tried = ", ".join(f"{name}, {name}_1, …" for name in names)
        msg = f"no key found: set one of {tried} in the environment or in .env, or pass one"
        raise MissingKeyError(msg, variables=names)
    return found


def lookup(name: str) -> str | None:
    """Return the value of one variable, from the environment or `.env`; None where it is empty."""
    return os.environ.get(name) or _env_file().get(name) or None


def _env_file() -> dict[str, str]:
    values = dotenv_values(find_dotenv(usecwd=True))
    return {name: value for name, value in values.items() if value}
