"""From a row to the arguments of an operation: by a column, a template, or the row as it is."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from adapters._operations import Operation
from adapters.bulk._rows import InvalidInput, Row
from resilience._rules import fail

__all__ = ["PROVIDERS", "Requests", "operation_of", "template_of"]

PROVIDERS = ("claude", "gemini", "groq", "llvm", "ollama", "opea", "openai", "ovms", "tei", "tgi")

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]+)\}")
_BRACES = {"{{": "{", "}}": "}"}


class Requests:
    """How each row becomes the arguments of one call.

    Args:
        name: Of the operation.
        operation: What is called.
        model: For every row that names none itself, or None.
        column: The field that holds the operation's input, or None.
        template: In its place a text with `{field}` in it, which gives the input, or a mapping of
            arguments with such texts in it, or None. A text that is one field and nothing else
            gives the value of the field, of whatever type; `{{` and `}}` stand for braces.
            With neither, the fields of a row are the arguments.
        options: Arguments of every call; those of a row win.
        id_column: The field that names a row. Default: "id" where a row has it, else its number.

    Raises:
        SettingsError: for a column beside a template, and for a text that names no field: all rows
            would get the same call.
    """

    def __init__(
        self,
        name: str,
        operation: Operation[Any, Any],
        *,
        model: str | None,
        column: str | None,
        template: str | Mapping[str, Any] | None,
        options: Mapping[str, Any],
        id_column: str | None,
    ) -> None:
        if column is not None and template is not None:
            fail("template", "cannot be given beside column", template)
        self.name = name
        self._input = _input_of(operation)
        self._operation = operation
        self._options = dict(options) if model is None else {"model": model, **options}
        self._template = template_of(template)
        if isinstance(self._template, str) and not any(_FIELD.findall(self._template)):
            fail("template", "must name a field of the rows, as {text} does", template)
        self._column = column
        self._id_column = id_column

    def identity(self, row: Row) -> str | int:
        """Return what names a row in its result; never raises."""
        name = row.fields.get("id" if self._id_column is None else self._id_column, row.number)
        return name if isinstance(name, int) and not isinstance(name, bool) else str(name)

    def arguments(self, row: Row) -> dict[str, Any]:
        """Return the arguments of the call for a row.

        Raises:
            InvalidInput: if it cannot be read, lacks a field, or does not fit the operation.
        """
        if row.problem:
            raise InvalidInput(row.problem)
        arguments = {**self._options, **self._own(row.fields)}
        try:
            self._operation.signature.bind(**arguments)
        except TypeError as misfit:
            raise InvalidInput(f"{self.name} cannot be called with it: {misfit}") from None
        return arguments

    def _own(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._column is not None:
            return {self._input: _field(fields, self._column)}
        if isinstance(self._template, str):
            return {self._input: _text(self._template, fields)}
        if self._template is not None:
            return {name: _filled(value, fields) for name, value in self._template.items()}
        named = "id" if self._id_column is None else self._id_column
        return {name: value for name, value in fields.items() if name != named}


def operation_of(provider: str, name: str) -> Operation[Any, Any]:
    """Return an operation of an API that takes one input and gives one answer.

    Raises:
        SettingsError: for a provider or an operation that is not there; it names those that are.
    """
    if provider not in PROVIDERS:
        fail("provider", f"must be one of {', '.join(PROVIDERS)}", provider)
    client = import_module(f"adapters.{provider}").Client
    found = {
        each: value
        for base in client.__mro__
        for each, value in vars(base).items()
        if isinstance(value, Operation) and _input_of(value)
    }
    if name not in found:
        fail("operation", f"must be one of {', '.join(sorted(found))} at {provider}", name)
    return found[name]


def template_of(given: Any) -> str | Mapping[str, Any] | None:
    """Return a template; a text that is a JSON object stands for the mapping that it writes."""
    if given is None or isinstance(given, Mapping):
        return given
    if not isinstance(given, str):
        fail("template", "must be a text or a mapping of arguments", given)
    try:
        parsed = json.loads(given)
    except ValueError:
        return given
    return parsed if isinstance(parsed, dict) else given


def _input_of(operation: Operation[Any, Any]) -> str:
    """Return the name of the first parameter that is the input; "" where there is none.

    What may be left out is a file to upload, and no text.
    """
    for parameter in operation.signature.parameters.values():
        if parameter.name != "model":
            is_input = parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
            return parameter.name if is_input and parameter.default is parameter.empty else ""
    return ""


def _field(fields: Mapping[str, Any], name: str) -> Any:
    if name not in fields:
        known = ", ".join(map(str, fields)) or "none"
        raise InvalidInput(f"it has no field {name!r}; those it has: {known}")
    return fields[name]


def _filled(value: Any, fields: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        whole = _FIELD.fullmatch(value)
        return _field(fields, whole[1]) if whole and whole[1] else _text(value, fields)
    if isinstance(value, Mapping):
        return {name: _filled(each, fields) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, fields) for each in value]
    return value


def _text(template: str, fields: Mapping[str, Any]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return _BRACES[found[0]]
        field = _field(fields, found[1])
        return field if isinstance(field, str) else json.dumps(field, ensure_ascii=False)

    return _FIELD.sub(value, template)
