"""The eleven APIs as the commands see them: their clients and operations, by name."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from adapters.cli._words import read_assignments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapters._operations import Method

__all__ = ["APIS", "ApiName", "client_class", "make_client", "operation_named", "operations_of"]

APIS = (
    *("openai", "claude", "gemini", "groq", "ollama"),
    *("tgi", "tei", "llvm", "ovms", "opea", "s3"),
)


class ApiName(click.Choice[str]):
    """The name of one API, as an argument."""

    def __init__(self) -> None:
        super().__init__(APIS)


def client_class(api: str) -> type[Any]:
    """Return the class of its clients that need no event loop."""
    found: type[Any] = import_module(f"adapters.{api}").Client
    return found


def make_client(api: str, assignments: Iterable[str], option: str = "--client") -> Any:
    """Return a client with these settings; its keys come from the environment and `.env`.

    Raises:
        MissingKeyError: if there is none and the API wants one.
        SettingsError: for an unknown setting, and for a value that breaks its rule.
    """
    settings = read_assignments(option, assignments, refuse_secrets=True)
    return client_class(api)(**settings)


def operations_of(api: str) -> dict[str, Method]:
    """Return its operations by name, in the order in which they are written."""
    from adapters._operations import Method  # noqa: PLC0415 - the HTTP client is slow

    return {
        name: value
        for each in reversed(client_class(api).__mro__)
        for name, value in vars(each).items()
        if isinstance(value, Method)
    }


def operation_named(api: str, name: str) -> Method:
    """Return one of them.

    Raises:
        click.BadParameter: if there is none of that name, with the nearest.
    """
    known = operations_of(api)
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {nearest[0]}?" if nearest else f": it has {', '.join(known)}"
        raise click.BadParameter(f"{api} has no {name!r}{hint}", param_hint="OPERATION")
    return known[name]
