"""The journal: whatever a killed program has left of it, each row has one result at the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters._messages import Usage
from adapters._results import Answer, Embeddings
from adapters.bulk._journal import Journal
from adapters.bulk._lines import Head, error_line, head_of, result_line
from adapters.errors import RateLimitError, ServerError
from resilience import SettingsError

ROWS = 6


def answer(row: int, text: str = "yes") -> tuple[Head, bytes]:
    """Return the line of an answer that took one request."""
    usage = Usage(input_tokens=2, output_tokens=1, total_tokens=3)
    return result_line(row, f"r{row}", Answer(text=text, usage=usage, raw=None), attempts=1)


def failure(row: int) -> tuple[Head, bytes]:
    """Return the line of an error."""
    return error_line(row, f"r{row}", ServerError("broken"), attempts=6)


def result_of(path: Path) -> list[int]:
    """The rows of which a file has a result."""
    return [json.loads(line)["row"] for line in path.read_bytes().splitlines()]


@given(cut=st.integers(0, 2_000), order=st.permutations(range(1, ROWS + 1)))
def test_a_crash_at_any_byte(tmp_path_factory, cut: int, order: list[int]):
    """What was written whole is kept, what was torn is asked again, and nothing is there twice."""
    folder = tmp_path_factory.mktemp("journal")
    path, output = folder / "part", folder / "out"
    journal = Journal(path)
    for row in order:
        journal.add(*(failure(row) if row == 3 else answer(row)))
    journal.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    kept = order[: whole[:cut].count(b"\n")]

    journal = Journal(path)
    needed = [row for row in range(1, ROWS + 1) if journal.needs(row)]

    assert sorted(set(order) - set(kept)) == needed

    for row in needed:
        journal.add(*answer(row))
    journal.copy(output, sort=True)
    totals = journal.totals
    journal.close()

    assert list(range(1, ROWS + 1)) == result_of(output)
    assert (ROWS, int(3 in kept)) == (totals.rows, totals.failed)


def test_the_order_in_which_they_came(tmp_path: Path):
    """Without sorting the lines stay as they came, but for those that were replaced."""
    journal = Journal(tmp_path / "part")
    for head, line in (answer(3), failure(1), answer(2)):
        journal.add(head, line)
    journal.begin_round()
    journal.add(*answer(1, "at last"))
    journal.copy(tmp_path / "out", sort=False)
    journal.close()

    assert [3, 2, 1] == result_of(tmp_path / "out")


def test_a_round_asks_for_what_had_failed(tmp_path: Path):
    """Each failed row once, though it fails again and the program is killed in between."""
    journal = Journal(tmp_path / "part")
    for head, line in (answer(1), failure(2), failure(3)):
        journal.add(head, line)

    assert [False, False, False, True] == [journal.needs(row) for row in range(1, 5)]

    journal.begin_round()

    assert [False, True, True, True] == [journal.needs(row) for row in range(1, 5)]

    journal.add(*failure(2))
    journal.close()
    journal = Journal(tmp_path / "part")

    assert [False, False, True, True] == [journal.needs(row) for row in range(1, 5)]
    assert journal.in_round
    journal.close()


def test_totals_count_what_holds(tmp_path: Path):
    """A result that was replaced counts no more; the tokens of both were spent."""
    path = tmp_path / "part"
    journal = Journal(path)
    journal.add(*failure(1))
    journal.add(*error_line(2, 2, RateLimitError("slow"), attempts=1))
    journal.begin_round()
    journal.add(*answer(1))
    journal.close()
    for counted in (journal, Journal(path)):
        totals = counted.totals

        assert (1, {"RateLimitError": 1}, 3) == (
            totals.succeeded,
            dict(totals.errors),
            totals.total_tokens,
        )
    counted.close()


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path):
    """A line that is no result is an error that names the place, and nothing is cut off."""
    path = tmp_path / "part"
    text = answer(1)[1] + b'{"id": "x"}\n' + answer(2)[1]
    path.write_bytes(text)

    with pytest.raises(SettingsError, match=f"at byte {len(answer(1)[1])}"):
        Journal(path)
    assert text == path.read_bytes()


@given(st.one_of(st.text(), st.integers()), st.integers(1, 10**9), st.booleans())
def test_a_line_can_be_read_at_a_glance(identity: str | int, row: int, ok: bool):
    """Whatever the id holds, what stands first is found without parsing the line."""
    result = Embeddings(vectors=[[0.5]], usage=Usage(input_tokens=7, total_tokens=7), raw=None)
    head, line = (
        result_line(row, identity, result, attempts=2)
        if ok
        else error_line(row, identity, ValueError('"},'), attempts=0)
    )

    assert head == head_of(line)
    assert identity == json.loads(line)["id"]
    assert head_of(line[:-1]) is None
    assert 1 == line.count(b"\n")
