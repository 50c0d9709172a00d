"""OVMS' client of tensors against Triton, which speaks the same protocol, and beside its own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from adapters import ovms
from adapters.errors import AdapterError, BadRequestError, NotFoundError, ServerError
from tests.adapters.flavours import Make, Together
from tests_real.servers import Server

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3) / 4
TEXTS = ["hi", "Grüße", "", "line\nline"]
NO_TEXT = b"\xff\x00\xfe"


@pytest.fixture
def client(triton_server: Server, make: Make) -> Any:
    """A client of the server that repeats nothing."""
    return make(ovms, base_url=triton_server.url, max_retries=0)


@pytest.fixture
def theirs(triton_server: Server) -> Iterator[InferenceServerClient]:
    """The server's own client."""
    with InferenceServerClient(f"127.0.0.1:{triton_server.port}") as found:
        yield found


def tensor(name: str, values: np.ndarray, datatype: str, *, binary: bool = True) -> InferInput:
    """An input as their client wants it."""
    found = InferInput(name, list(values.shape), datatype)
    found.set_data_from_numpy(values, binary_data=binary)
    return found


@pytest.mark.parametrize("binary", [None, False, True])
def test_arrays(client: Any, theirs: InferenceServerClient, binary: bool | None):
    """As bytes and as JSON, out come the arrays that their client reads: values, type and shape."""
    found = client.infer("double", {"x": ROWS}, binary=binary)
    wanted = theirs.infer("double", [tensor("x", ROWS, "FP32")])

    assert ["y", "rows"] == list(found.outputs)
    for name, array in found.outputs.items():
        np.testing.assert_array_equal(wanted.as_numpy(name), array, strict=True)
    assert (ROWS * 2).tolist() == found.outputs["y"].tolist()
    assert ("double", "1") == (found.model, found.version)


@pytest.mark.parametrize("binary", [None, False, True])
def test_lists(client: Any, binary: bool | None):
    """Lists in, lists out, whichever way they go."""
    found = client.infer("double", {"x": ROWS.tolist()}, binary=binary).outputs

    assert {"y": (ROWS * 2).tolist(), "rows": [[2], [2]]} == found


@pytest.mark.parametrize("binary", [False, True])
def test_the_whole_answer(client: Any, theirs: InferenceServerClient, binary: bool):
    """Id, version and the one output that was asked for, described as their client reads it."""
    found = client.infer("double", {"x": ROWS}, outputs=["y"], binary=binary, version=1, id="q7")
    wanted = theirs.infer(
        "double",
        [tensor("x", ROWS, "FP32", binary=binary)],
        outputs=[InferRequestedOutput("y", binary_data=binary)],
        model_version="1",
        request_id="q7",
    )

    assert wanted.get_response() == found.raw
    assert "q7" == found.raw["id"]


@pytest.mark.parametrize("binary", [None, False, True])
def test_texts(client: Any, binary: bool | None):
    """They come back letter for letter, as texts."""
    found = client.infer("echo", {"text": TEXTS}, binary=binary)

    assert {"text": TEXTS} == found.outputs


def test_bytes_that_are_no_text(client: Any, theirs: InferenceServerClient):
    """They need no setting: what JSON cannot carry goes as bytes, and comes back so."""
    array = np.array([NO_TEXT, b"hi"], dtype=object)
    wanted = theirs.infer("echo", [tensor("text", array, "BYTES")]).as_numpy("text")

    assert [NO_TEXT, "hi"] == client.infer("echo", {"text": [NO_TEXT, b"hi"]}).outputs["text"]
    assert [NO_TEXT, b"hi"] == client.infer("echo", {"text": array}).outputs["text"].tolist()
    assert [NO_TEXT, b"hi"] == wanted.tolist()


def test_half_precision(client: Any, theirs: InferenceServerClient):
    """The protocol has no JSON for it, in either direction; nobody has to know."""
    half = ROWS.astype(np.float16)
    wanted = theirs.infer("half", [tensor("x", half, "FP16")]).as_numpy("y")
    array = client.infer("half", {"x": half}).outputs["y"]
    lists = client.infer("half", {"x": {"data": ROWS.tolist(), "datatype": "FP16"}}).outputs["y"]

    np.testing.assert_array_equal(wanted, array, strict=True)
    assert (ROWS * 2).tolist() == lists == array.tolist()


@pytest.mark.parametrize(
    ("model", "inputs", "more", "kind", "status"),
    [
        ("nope", {"x": ROWS}, {}, NotFoundError, 404),
        ("double", {"x": ROWS}, {"version": 9}, NotFoundError, 404),
        ("double", {"z": ROWS}, {}, BadRequestError, 400),
        ("double", {"x": ROWS.astype(np.int64)}, {}, BadRequestError, 400),
        ("double", {"x": np.zeros((9, 1), np.float32)}, {}, BadRequestError, 400),
        ("double", {"x": np.zeros((2, 2, 2), np.float32)}, {}, BadRequestError, 400),
        ("double", {"x": ROWS}, {"outputs": ["q"]}, BadRequestError, 400),
        ("echo", {"text": np.array([b"fail"], dtype=object)}, {}, ServerError, 500),
    ],
)
def test_errors(
    client: Any,
    theirs: InferenceServerClient,
    model: str,
    inputs: dict[str, np.ndarray],
    more: dict[str, Any],
    kind: type[AdapterError],
    status: int,
):
    """Each has its class, and the sentence and status that their client reads."""
    [(name, values)] = inputs.items()
    datatype = {"f": "FP32", "i": "INT64", "O": "BYTES"}[values.dtype.kind]
    outputs = [InferRequestedOutput(output) for output in more.get("outputs", ())] or None
    with pytest.raises(InferenceServerException) as wanted:
        theirs.infer(
            model,
            [tensor(name, values, datatype)],
            outputs=outputs,
            model_version=str(more.get("version", "")),
        )
    with pytest.raises(AdapterError) as found:
        client.infer(model, inputs, **more)

    assert (kind, status) == (type(found.value), found.value.status_code)
    assert (str(status), found.value.message) == (wanted.value.status(), wanted.value.message())


def test_what_the_server_tells(client: Any, theirs: InferenceServerClient):
    """Metadata of the server and of a model are what their client reads."""
    assert theirs.get_server_metadata() == client.info().raw
    assert theirs.get_model_metadata("double") == client.metadata("double").raw
    assert theirs.get_model_metadata("double", "1") == client.metadata("double", version=1).raw
    with pytest.raises(NotFoundError):
        client.metadata("nope")


def test_readiness(client: Any):
    """A model that is not there is not ready, which is no error."""
    assert client.health()
    assert client.status("double")
    assert not client.status("nope")
    assert not client.status("double", version=9)


def test_calls_share_a_request(triton_server: Server, flavour: str):
    """The server sees the rows of all of them as one request; each call gets its own back."""
    sent = [np.full((count, 2), count, np.float32) for count in (1, 2, 3)]
    together = Together(
        flavour,
        ovms,
        base_url=triton_server.url,
        batch_operations=["infer"],
        max_batch_size=3,
        batch_timeout=60,
    )
    found = together(*(partial(infer, rows) for rows in sent))

    for rows, tensors in zip(sent, found, strict=True):
        np.testing.assert_array_equal(rows * 2, tensors.outputs["y"], strict=True)
        assert [[6]] * len(rows) == tensors.outputs["rows"].tolist()


def infer(rows: np.ndarray, client: Any) -> Any:
    """Ask a client, of either kind."""
    return client.infer("double", {"x": rows})
