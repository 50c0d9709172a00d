"""From a file to rows, and from rows to the arguments of calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.bulk._requests import PROVIDERS, Requests, operation_of
from adapters.bulk._rows import InvalidInput, Row, rows_of, survey
from resilience import SettingsError


def requests(operation: str = "chat", provider: str = "openai", **changes: Any) -> Requests:
    """Return how rows become calls of an operation."""
    arguments = {"model": "m", "column": None, "template": None, "options": {}, "id_column": None}
    return Requests(operation, operation_of(provider, operation), **(arguments | changes))


def test_lines_of_json(tmp_path: Path):
    """Rows are numbered by their lines; empty lines are none, and a broken one says why."""
    path = tmp_path / "in.jsonl"
    path.write_text('\ufeff{"a": 1}\n\n{"a": \n[1]\n{"a": "\u2028ü"}', encoding="utf-8")
    rows = list(rows_of(path))

    assert [(1, {"a": 1}), (5, {"a": "\u2028ü"})] == [
        (row.number, row.fields) for row in rows if not row.problem
    ]
    assert [3, 4] == [row.number for row in rows if row.problem]
    assert "line 3 is no JSON" in rows[1].problem
    assert "row 4 is no object with fields but list" == rows[2].problem


@pytest.mark.parametrize(("name", "mark"), [("in.csv", ","), ("in.TSV", "\t")])
def test_records(tmp_path: Path, name: str, mark: str):
    """Records are numbered from 1 below the header; one with other cells says so."""
    path = tmp_path / name
    path.write_text(f'a{mark}b\n1{mark}"two\nlines"\n3\n4{mark}5{mark}6\n', encoding="utf-8")
    rows = list(rows_of(path))

    assert {"a": "1", "b": "two\nlines"} == rows[0].fields
    assert [
        "record 2 has not the 2 cells of the header",
        "record 3 has not the 2 cells of the header",
    ] == [row.problem for row in rows[1:]]


def test_mappings():
    """An iterable is a source as well."""
    assert [Row(1, {"a": 1}), Row(2, {"a": 2})] == list(rows_of([{"a": 1}, {"a": 2}]))


def test_a_survey_counts_rows(tmp_path: Path):
    """The whole input is read once: how many rows, which is the first, what is the content."""
    path = tmp_path / "in.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n')
    found = survey(path)
    path.write_text('{"a": 1}\n\n{"a": 3}\n')

    assert (2, Row(1, {"a": 1})) == (found.rows, found.first)
    assert found.digest != survey(path).digest


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "must hold at least one row"),
        (b"\n\n", "must hold at least one row"),
        (b'{"a": "\xff"}\n', "must be UTF-8"),
        (None, r"must be a file that can be read \(No such file or directory\)"),
    ],
)
def test_a_bad_file_has_one_clear_line(tmp_path: Path, content: bytes | None, rule: str):
    """What is wrong with the input, and with which."""
    path = tmp_path / "in.jsonl"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(SettingsError, match=f"source {rule}, not '.*in.jsonl'"):
        survey(path)


def test_a_column():
    """The field is the operation's input; nothing else of the row is sent."""
    made = requests("embed", column="text", options={"dimensions": 4})

    assert {"inputs": "hi", "model": "m", "dimensions": 4} == made.arguments(
        Row(1, {"text": "hi", "n": 1})
    )


@pytest.mark.parametrize(
    ("template", "arguments"),
    [
        ("{a} and {{n}}: {n} {l}", {"messages": "x and {n}: 1 [1]"}),
        (
            '{"messages": [{"content": "say {a}"}], "n": "{n}"}',
            {"messages": [{"content": "say x"}], "n": 1},
        ),
        ({"messages": "{l}", "seed": 7}, {"messages": [1], "seed": 7}),
    ],
)
def test_a_template(template: Any, arguments: dict[str, Any]):
    """Fields are filled in; a text that is one field alone takes the field's own type."""
    made = requests(template=template, model=None, options={"model": "o"})

    assert {"model": "o", **arguments} == made.arguments(Row(1, {"a": "x", "n": 1, "l": [1]}))


@pytest.mark.parametrize("template", ["", "{", "Say hello", "{{text}}"])
def test_a_template_without_a_field(template: str):
    """A text that is the same for all rows is a slip."""
    with pytest.raises(SettingsError, match="template must name a field of the rows"):
        requests(template=template)


def test_the_row_as_it_is():
    """Without column and template the fields are the arguments, but for the id; they win."""
    made = requests(options={"temperature": 0})
    row = Row(1, {"id": 5, "messages": "hi", "model": "mine"})

    assert {"messages": "hi", "model": "mine", "temperature": 0} == made.arguments(row)
    assert 5 == made.identity(row)


def test_identities():
    """A row is named by the field that is asked for, by "id", or by its number."""
    row = Row(3, {"id": "a", "other": None})

    assert ["a", "None", 3] == [
        requests().identity(row),
        requests(id_column="other").identity(row),
        requests(id_column="missing").identity(row),
    ]


@pytest.mark.parametrize(
    ("changes", "fields", "message"),
    [
        ({"column": "text"}, {"txt": "hi"}, "it has no field 'text'; those it has: txt"),
        ({"template": "{x}"}, {}, "it has no field 'x'; those it has: none"),
        ({"model": None}, {"messages": "hi"}, "chat cannot be called with it: missing .* 'model'"),
        ({}, {"message": "hi"}, "chat cannot be called with it: missing .* 'messages'"),
    ],
)
def test_a_row_that_is_no_request(changes: dict[str, Any], fields: dict[str, Any], message: str):
    """The error names what is missing and what is there."""
    with pytest.raises(InvalidInput, match=message):
        requests(**changes).arguments(Row(1, fields))


@pytest.mark.parametrize(
    ("provider", "operation", "message"),
    [
        ("opena", "chat", "provider must be one of claude, .*, not 'opena'"),
        ("openai", "emed", "operation must be one of chat, completions, .* at openai, not 'emed'"),
        ("openai", "stream", "operation must be one of"),
        ("openai", "models", "operation must be one of"),
        ("openai", "transcribe", "operation must be one of"),
    ],
)
def test_only_operations_of_one_input_and_one_answer(provider: str, operation: str, message: str):
    """Streams, lists and uploads are no bulk work; the error names what is."""
    with pytest.raises(SettingsError, match=message):
        operation_of(provider, operation)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_has_some(provider: str):
    """Each API that is offered has an operation of one input and one answer."""
    with pytest.raises(SettingsError) as refused:
        operation_of(provider, "")

    names = refused.value.rule.removeprefix("must be one of ").removesuffix(f" at {provider}")
    assert all(operation_of(provider, name) for name in names.split(", "))
