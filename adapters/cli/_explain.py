"""`resilient explain`: what stands around the functions of a module."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import click

__all__ = ["explain"]

_HELP = """\
Print what stands around the decorated functions of a module, outermost first, with the worst case
in attempts and seconds, notes, and warnings.

TARGET is a module (app.service), a file (app/service.py), or either with a name in it
(app.service:fetch, app.service:Client.get). The module is imported: what it does when it is
imported, happens. Clients of the adapters that it holds are explained as well.

Exits with 0; with 1 if there is a warning, so that a build can refuse it; with 2 for bad input.
"""


@click.command(help=_HELP, short_help="Print the layers around a module's functions.")
@click.argument("target")
def explain(target: str) -> None:
    """Print the layers around a module's functions."""
    from resilience import explain as describe  # noqa: PLC0415 - a command imports what it needs

    place, colon, name = target.partition(":")
    if colon and not name:
        raise click.UsageError(f"{target}: a name must stand behind the colon")
    module = _import(place)
    things = [_attribute(module, place, name)] if name else list(_things_of(module))
    if not things:
        raise click.UsageError(f"nothing in {place} is decorated")
    try:
        texts = [describe(thing) for thing in things]
    except ValueError as error:
        raise click.UsageError(f"{target}: {error}") from error
    click.echo("\n\n".join(texts))
    if any("\nwarning: " in text for text in texts):
        sys.exit(1)


def _import(place: str) -> ModuleType:
    """Import a module by its name, or the file at a path."""
    is_file = place.endswith(".py")
    if not is_file and not all(part.isidentifier() for part in place.split(".")):
        message = f"TARGET must be a module (app.service) or a file (app/service.py), not {place!r}"
        raise click.UsageError(message)
    try:
        sys.path.insert(0, str(Path(place).parent) if is_file else "")
        return _load(Path(place)) if is_file else import_module(place)
    except (Exception, SystemExit) as error:  # whatever the module raises
        text = " ".join(str(error).split())
        message = f"cannot import {place}: {type(error).__name__}{f': {text}' if text else ''}"
        raise click.UsageError(message) from error


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses and pickle look there
    spec.loader.exec_module(module)
    return module


def _attribute(module: ModuleType, place: str, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise click.UsageError(f"{place} has no {name}") from error
    return found


def _things_of(module: ModuleType) -> Iterator[Any]:
    """Find the decorated functions, methods, and clients that a module holds, in their order."""
    seen: set[int] = set()
    for value in vars(module).values():
        owned = vars(value).values() if _is_own_class(value, module) else ()
        for thing in (value, *owned):
            if id(thing) not in seen and _can_be_explained(thing, module):
                seen.add(id(thing))
                yield thing


def _is_own_class(value: Any, module: ModuleType) -> bool:
    return inspect.isclass(value) and value.__module__ == module.__name__


def _can_be_explained(thing: Any, module: ModuleType) -> bool:
    from adapters._base_client import CommonClient  # noqa: PLC0415 - the HTTP client is slow
    from resilience._wrapper import stack_of  # noqa: PLC0415

    if isinstance(thing, CommonClient):
        return True
    function = getattr(thing, "__func__", thing)  # of a class or static method
    is_own = getattr(function, "__module__", None) == module.__name__
    return is_own and stack_of(function) is not None
