"""Tensors of several calls in one request: put together by rows, and taken apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from adapters import ovms
from adapters._combining import Combining
from adapters._kserve_rows import ROWS
from adapters._results import Tensors
from adapters.emulator import Emulator
from adapters.errors import InvalidResponseError
from tests.adapters.flavours import Together
from tests.adapters.recorder import Recorder, answer

ROW = [1.0, 2.0, 3.0, 4.0]


def test_rows_of_several_calls_are_put_together():
    """By name, one below the other; lists stay lists, and arrays arrays."""
    lists = ROWS.join([{"a": [[1], [2]], "b": ["x", "y"]}, {"a": [[3]], "b": ["z"]}])
    arrays = ROWS.join([{"a": np.array([[1]])}, {"a": np.array([[2], [3]])}])

    assert {"a": [[1], [2], [3]], "b": ["x", "y", "z"]} == lists
    assert [[1], [2], [3]] == arrays["a"].tolist()


def test_each_call_gets_its_own_rows():
    """As many as it has sent."""
    joined = Tensors(outputs={"y": [[1], [2], [3]], "z": np.array([4, 5, 6])}, raw={})

    first, second = ROWS.take_apart(joined, [{"a": [[0], [0]]}, {"a": [[0]]}])

    assert ([[1], [2]], [4, 5]) == (first.outputs["y"], first.outputs["z"].tolist())
    assert ([[3]], [6]) == (second.outputs["y"], second.outputs["z"].tolist())


@pytest.mark.parametrize("output", [[[1], [2]], 0.5, []])
def test_an_output_without_a_row_for_each_is_nobodys(output: Any):
    """Nobody could say whose it is."""
    joined = Tensors(outputs={"y": output}, raw={})

    with pytest.raises(
        InvalidResponseError, match="'y' does not have a row for each of the 3 sent"
    ):
        ROWS.take_apart(joined, [{"a": [[0], [0]]}, {"a": [[0]]}])


SAME = {"a": [[1, 2]], "b": ["x"]}


@pytest.mark.parametrize(
    "inputs",
    [
        {"a": [[1.0, 2.0]], "b": ["x"]},
        {"a": [[1, 2, 3]], "b": ["x"]},
        {"a": [[1, 2]]},
        {"a": [[1, 2]], "c": ["x"]},
        {"a": np.array([[1, 2]]), "b": ["x"]},
    ],
    ids=["datatype", "shape", "fewer", "other names", "an array"],
)
def test_calls_of_another_kind_share_no_request(inputs: dict[str, Any]):
    """Names, datatypes and the shape of a row make the kind, and whether it is an array."""
    assert ROWS.kind_of(SAME) != ROWS.kind_of(inputs)
    assert ROWS.kind_of(SAME) == ROWS.kind_of({"a": [[3, 4], [5, 6]], "b": ["y", "z"]})


@pytest.mark.parametrize(
    "inputs",
    [
        {"a": {"data": [1], "shape": [1]}},
        {"a": [[1], [2]], "b": ["x"]},
        {"a": []},
        {"a": 5},
        {"a": [[1], [2, 3]]},
        {},
        [1],
    ],
    ids=["described", "rows differ", "no rows", "a number", "ragged", "nothing", "no object"],
)
def test_what_has_no_rows_goes_alone(inputs: Any):
    """As it is: what is wrong with it is told where it is sent."""
    assert None is ROWS.kind_of(inputs)


def test_calls_share_a_request_where_that_is_asked_for(emulator: Emulator, flavour: str):
    """By default they do not: a model may take one row alone."""
    address = emulator.base_url("ovms")

    def infer(factor: float) -> Any:
        return lambda client: client.infer("double", {"x": [[factor * each for each in ROW]]})

    options: dict[str, Any] = {"base_url": address, "max_batch_size": 2, "batch_timeout": 5}
    first, second = Together(flavour, ovms, batch_operations=["infer"], **options)(
        infer(1), infer(10)
    )
    Together(flavour, ovms, **options)(infer(1))

    assert {"y": [[2.0, 4.0, 6.0, 8.0]]} == first.outputs
    assert {"y": [[20.0, 40.0, 60.0, 80.0]]} == second.outputs
    assert 2 == len(emulator.log())


def test_calls_of_two_kinds_at_once_are_two_requests(server: Recorder, flavour: str):
    """Each is answered by itself."""
    server.play(
        answer({"outputs": [{"name": "y", "datatype": "INT64", "shape": [1], "data": [1]}]})
    )
    options: dict[str, Any] = {"base_url": server.url, "max_batch_size": 2, "batch_timeout": 0.05}

    Together(flavour, ovms, batch_operations=["infer"], **options)(
        lambda client: client.infer("m", {"x": [[1]]}),
        lambda client: client.infer("m", {"x": [[1, 2]]}),
    )

    assert [[1, 1], [1, 2]] == sorted(
        request.json["inputs"][0]["shape"] for request in server.requests
    )


def test_a_text_goes_with_every_other_text_and_nothing_else_does():
    """What most operations want."""
    texts: Combining[Any] = Combining(parameter="inputs", take_apart=lambda *_: [])

    assert texts.kind_of("a") == texts.kind_of("b")
    assert [None, None, None] == [texts.kind_of(each) for each in (["a"], [1], None)]
