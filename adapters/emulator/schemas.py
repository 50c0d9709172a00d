"""An instance of a JSON schema, for tool calls and structured answers."""

from __future__ import annotations

from typing import Any

__all__ = ["instance"]

# Deep enough for what a person writes, and an end for a schema that contains itself ten times.
_DEPTH = 10
_MOST_ITEMS = 16

_Schema = dict[str, Any]


def instance(schema: object, text: str) -> object:
    """Give a small value that a schema allows, with `text` wherever a string may stand.

    Understands `enum`, `const`, `default`, `type`, `properties`, `required`, `items`, `minItems`,
    `minimum`, `anyOf`, `oneOf`, `allOf` (the first of them) and `$ref` within the schema.
    An object has the members that are required; where the schema does not say which, all.
    """
    root = schema if isinstance(schema, dict) else {}
    return _instance(root, root, text, _DEPTH)


def _instance(schema: object, root: _Schema, text: str, depth: int) -> object:
    if not isinstance(schema, dict) or depth == 0:
        return None
    if "$ref" in schema:
        return _instance(_resolve(str(schema["$ref"]), root), root, text, depth - 1)
    for name in ("const", "default"):
        if name in schema:
            return schema[name]
    for name in ("enum", "anyOf", "oneOf", "allOf"):
        choices = schema.get(name)
        if isinstance(choices, list) and choices:
            first = choices[0]
            return first if name == "enum" else _instance(first, root, text, depth - 1)
    return _of_type(schema, root, text, depth)


def _of_type(schema: _Schema, root: _Schema, text: str, depth: int) -> object:
    kind = schema.get("type", "object" if "properties" in schema else None)
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind == "object":
        return _object(schema, root, text, depth)
    if kind == "array":
        count = schema.get("minItems")
        item = _instance(schema.get("items"), root, text, depth - 1)
        return [item] * (min(count, _MOST_ITEMS) if isinstance(count, int) else 1)
    simple = {"string": text, "boolean": True, "null": None}
    return simple[str(kind)] if str(kind) in simple else schema.get("minimum", 1)


def _object(schema: _Schema, root: _Schema, text: str, depth: int) -> _Schema:
    properties = schema.get("properties")
    members = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    names = map(str, required) if isinstance(required, list) else members
    return {name: _instance(members.get(name), root, text, depth - 1) for name in names}


def _resolve(reference: str, root: _Schema) -> object:
    found: object = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            found = found.get(step) if isinstance(found, dict) else None
    return found
