"""Instances of JSON schemas, for tool calls and structured answers."""

from __future__ import annotations

import pytest

from adapters.emulator.schemas import instance


@pytest.mark.parametrize(
    ("expected", "schema"),
    [
        ("text", {"type": "string"}),
        (1, {"type": "integer"}),
        (5, {"type": "number", "minimum": 5}),
        (True, {"type": "boolean"}),
        (None, {"type": "null"}),
        ("text", {"type": ["string", "null"]}),
        ("a", {"enum": ["a", "b"]}),
        (3, {"const": 3}),
        (4, {"type": "integer", "default": 4}),
        (["text"], {"type": "array", "items": {"type": "string"}}),
        ([1, 1, 1], {"type": "array", "items": {"type": "integer"}, "minItems": 3}),
        ("text", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"b": 1}, {"properties": {"a": {}, "b": {"type": "integer"}}, "required": ["b"]}),
        ({"a": "text"}, {"type": "object", "properties": {"a": {"type": "string"}}}),
        (
            {"p": {"x": 1}},
            {
                "type": "object",
                "properties": {"p": {"$ref": "#/$defs/P"}},
                "$defs": {"P": {"type": "object", "properties": {"x": {"type": "integer"}}}},
            },
        ),
        ({}, {"type": "object"}),
    ],
)
def test_an_instance_fits_its_schema(expected: object, schema: object) -> None:
    """Each keyword that is understood decides what stands in its place."""
    assert expected == instance(schema, "text")


@pytest.mark.parametrize("schema", [None, 5, {"$ref": "#/nowhere"}, {"type": "array", "items": 3}])
def test_nonsense_gives_a_value_all_the_same(schema: object) -> None:
    """A schema that makes no sense is no reason to fail."""
    assert instance(schema, "text") in (None, 1, [None])


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    """Recursion stops, also where each level has several branches."""
    node = {
        "type": "object",
        "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}},
        "required": ["left", "right"],
    }

    found = instance(node, "text")

    assert isinstance(found, dict)
    assert {"left", "right"} == set(found)
