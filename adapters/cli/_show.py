"""Answers on standard output: their text, or JSON, one line each unless somebody looks at it."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

import click

from adapters._messages import Result

__all__ = ["show", "show_events", "show_items", "to_json"]

_SENT = frozenset(each.name for each in fields(Result))


def show(result: Any, *, as_json: bool) -> None:
    """Write an answer: its text or bytes, else its own fields as JSON; with `as_json` all of it."""
    if as_json:
        click.echo(to_json(result))
    elif isinstance(body := getattr(result, "body", None), bytes):
        sys.stdout.buffer.write(body)
    elif _has_text(result):
        click.echo(str(result))
    elif isinstance(result, Iterable):  # a list of names, say
        show_items(result, as_json=False)
    else:
        click.echo(to_json({k: v for k, v in _own_fields(result).items() if k not in _SENT}))


def show_items(items: Iterable[Any], *, as_json: bool) -> None:
    """Write the items of a listing as they come, one a line."""
    for item in items:
        click.echo(to_json(item) if as_json or not _has_text(item) else str(item))


def show_events(events: Iterable[Any], *, as_json: bool) -> None:
    """Write a stream as it comes: its text, or each part of it as one line of JSON."""
    last = "\n"
    for event in events:
        if as_json:
            click.echo(to_json(event.raw))
        elif event.text:
            last = event.text
            click.echo(event.text, nl=False)
    if not last.endswith("\n"):
        click.echo()


def to_json(value: Any) -> str:
    """Return one line of JSON."""
    return json.dumps(value, default=_plain, ensure_ascii=False)


def _has_text(value: Any) -> bool:
    return isinstance(value, str) or "__str__" in vars(type(value))


def _own_fields(record: Any) -> dict[str, Any]:
    return {each.name: getattr(record, each.name) for each in fields(record)}


def _plain(value: Any) -> Any:
    """Return what JSON can hold in the place of a value of ours."""
    if is_dataclass(value) and not isinstance(value, type):
        return _own_fields(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.isoformat()
    to_list = getattr(value, "tolist", None)
    return to_list() if callable(to_list) else str(value)
