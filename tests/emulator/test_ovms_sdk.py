"""OVMS: tritonclient reads KServe v2, the openai SDK `/v3`; `/v1` is read by hand."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import openai
import pytest
from tritonclient.http import (
    InferenceServerClient,
    InferInput,
    InferRequestedOutput,
)
from tritonclient.utils import InferenceServerException

from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.emulator.answers import expected_score

from .conftest import SEED, Wire

CHAT_MODEL = "OpenVINO/Qwen3-8B-int4-ov"
EMBED_MODEL = "OpenVINO/bge-base-en-v1.5-fp16-ov"
RERANK_MODEL = "OpenVINO/bge-reranker-base-fp16-ov"
USER: Any = [{"role": "user", "content": "hi"}]
ANSWER = expected_answer("hi", seed=SEED)


@pytest.fixture
def triton(server: Emulator) -> Iterator[Any]:
    """The vendor's client."""
    client = InferenceServerClient(server.base_url("ovms").removeprefix("http://"))
    yield client
    client.close()


@pytest.fixture
def sdk(server: Emulator) -> Iterator[openai.OpenAI]:
    """OpenAI's client on `/v3`."""
    key = server.keys("ovms")["production"]
    with openai.OpenAI(
        base_url=f"{server.base_url('ovms')}/v3", api_key=key, max_retries=0, timeout=20
    ) as client:
        yield client


@pytest.fixture
def wire(server: Emulator) -> Wire:
    """Requests by hand."""
    return Wire(server, provider="ovms")


def tensor(name: str, values: Any, datatype: str, *, binary: bool = True) -> Any:
    """Give an input as the vendor's client wants it."""
    found = InferInput(name, list(values.shape), datatype)
    found.set_data_from_numpy(values, binary_data=binary)
    return found


@pytest.mark.parametrize("binary_in", [False, True])
@pytest.mark.parametrize("binary_out", [False, True])
def test_infer(triton: Any, binary_in: bool, binary_out: bool) -> None:
    """Tensors go in and out as JSON or as bytes, in every combination; the id comes back."""
    values = np.arange(8, dtype=np.float32).reshape(2, 4)
    found = triton.infer(
        "double",
        [tensor("x", values, "FP32", binary=binary_in)],
        outputs=[InferRequestedOutput("y", binary_data=binary_out)],
        request_id="q7",
        model_version="1",
    )

    assert (2 * values).tolist() == found.as_numpy("y").tolist()
    assert "q7" == found.get_response()["id"]
    assert binary_out == ("parameters" in found.get_output("y"))


def test_several_tensors(triton: Any) -> None:
    """The blobs follow each other in the order of inputs and outputs."""
    first, second = np.array([[5, 6]], dtype=np.int64), np.array([[1, 2]], dtype=np.int64)
    found = triton.infer("arithmetic", [tensor("a", first, "INT64"), tensor("b", second, "INT64")])

    assert ([[6, 8]], [[4, 4]]) == (
        found.as_numpy("sum").tolist(),
        found.as_numpy("difference").tolist(),
    )


def test_texts_and_half_floats(triton: Any) -> None:
    """BYTES have their lengths in front; FP16 exists as bytes alone."""
    texts = np.array([b"hi", b"ho"], dtype=object)
    answers = triton.infer("answer", [tensor("text", texts, "BYTES")]).as_numpy("answer")
    halves = triton.infer("half", [tensor("x", np.ones((1, 2), dtype=np.float16), "FP16")])

    assert [ANSWER, expected_answer("ho", seed=SEED)] == [text.decode() for text in answers]
    assert [[2.0, 2.0]] == halves.as_numpy("y").tolist()


def test_the_state_of_server_and_model(triton: Any) -> None:
    """Health and metadata tell what there is; a size that is free is -1."""
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("double", "1")
    assert not triton.is_model_ready("nope")
    assert "OpenVINO Model Server" == triton.get_server_metadata()["name"]
    assert [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}] == triton.get_model_metadata(
        "double"
    )["inputs"]


@pytest.mark.parametrize(
    ("model", "shape", "datatype", "message"),
    [
        ("nope", (1, 4), "FP32", r"\[404\] Model with requested name"),
        ("double", (1, 3), "FP32", r"\[400\] Invalid input shape"),
        ("fixed", (2, 3), "FP32", r"\[400\] Invalid batch size"),
        ("double", (1, 4), "FP64", r"\[400\] Invalid input precision"),
        ("arithmetic", (1, 4), "FP32", r"\[400\] Invalid number of inputs"),
    ],
)
def test_tensors_that_do_not_fit(
    triton: Any, model: str, shape: tuple[int, ...], datatype: str, message: str
) -> None:
    """They are refused with 400, models that there are not with 404."""
    kind = {"FP32": np.float32, "FP64": np.float64}[datatype]
    with pytest.raises(InferenceServerException, match=message):
        triton.infer(model, [tensor("x", np.zeros(shape, dtype=kind), datatype)])


def given(**change: Any) -> dict[str, Any]:
    """Give an inference with one input that is changed."""
    item = {"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4]}
    return {"inputs": [{**item, **change}]}


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 412, "Invalid JSON"),
        ({}, 400, "Missing inputs"),
        (given(data=[1, 2]), 400, "Values count"),
        (given(data=["a", "b", "c", "d"]), 400, "Invalid value"),
        (given(datatype="FP16"), 400, "FP16"),
        (given(datatype="FP99"), 400, "Invalid datatype"),
        (given(shape=[-1, 4]), 400, "Invalid shape"),
        (given(name="z"), 400, "Missing input"),
    ],
)
def test_bodies_that_are_wrong(wire: Wire, body: object, status: int, message: str) -> None:
    """Broken JSON is 412; an error is a text below `error`."""
    reply = wire.send(body, "/v2/models/double/infer")

    assert (status, True) == (reply.status, reply.error.startswith(message))


def test_bytes_that_are_too_few(wire: Wire) -> None:
    """A blob has to have the size that its tensor needs."""
    item = {"name": "x", "shape": [1, 4], "datatype": "FP32", "parameters": {"binary_data_size": 4}}
    front = json.dumps({"inputs": [item]}).encode()
    headers = {"inference-header-content-length": str(len(front))}
    reply = wire.send(front + struct.pack("<f", 1), "/v2/models/double/infer", headers=headers)

    assert 400 == reply.status


@pytest.mark.parametrize("version", ["", "/versions/0", "/versions/1"])
def test_predict_by_rows_and_by_columns(wire: Wire, version: str) -> None:
    """One output is bare, several are named; a row may name its inputs."""
    double = f"/v1/models/double{version}:predict"
    both = f"/v1/models/arithmetic{version}:predict"
    named = {"a": [5, 6], "b": [1, 2]}

    assert {"predictions": [[2, 4, 6, 8]]} == wire.send({"instances": [[1, 2, 3, 4]]}, double).json
    assert {"outputs": [[2, 4, 6, 8]]} == wire.send({"inputs": {"x": [[1, 2, 3, 4]]}}, double).json
    assert {"predictions": [{"sum": [6, 8], "difference": [4, 4]}]} == (
        wire.send({"instances": [named]}, both).json
    )
    assert {"outputs": {"sum": [[6, 8]], "difference": [[4, 4]]}} == (
        wire.send({"inputs": {"a": [[5, 6]], "b": [[1, 2]]}}, both).json
    )


def test_status_metadata_and_configuration(wire: Wire) -> None:
    """The older routes tell the state of a model and its signature."""
    (version,) = wire.send(None, "/v1/models/double", "GET").json["model_version_status"]
    metadata = wire.send(None, "/v1/models/double/metadata", "GET").json

    assert ("1", "AVAILABLE") == (version["version"], version["state"])
    signature = metadata["metadata"]["signature_def"]["signatureDef"]["serving_default"]
    assert "DT_FLOAT" == signature["inputs"]["x"]["dtype"]
    assert "double" in wire.send(None, "/v1/config", "GET").json


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 412),
        ({"instances": [[1]], "inputs": [[1]]}, 400),
        ({"instances": []}, 400),
        ({"instances": [{"a": 1}, {"b": 1}]}, 400),
        ({"instances": [{"z": [1, 2, 3, 4]}]}, 400),
        ({"instances": [[1, 2, 3]]}, 400),
    ],
)
def test_predictions_that_are_refused(wire: Wire, body: object, status: int) -> None:
    """Both forms at once, none at all, and rows that do not fit."""
    assert status == wire.send(body, "/v1/models/double:predict").status


def test_chat(sdk: openai.OpenAI) -> None:
    """The answer has no id; a stream begins with content null."""
    found = sdk.chat.completions.create(model=CHAT_MODEL, messages=USER)
    with sdk.chat.completions.create(
        model=CHAT_MODEL, messages=USER, stream=True, stream_options={"include_usage": True}
    ) as stream:
        *chunks, last = stream

    assert (None, ANSWER) == (found.id, found.choices[0].message.content)
    assert chunks[0].choices[0].delta.content is None
    assert ANSWER == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert found.usage == last.usage


def test_embeddings_and_ranks(sdk: openai.OpenAI, wire: Wire) -> None:
    """Vectors as OpenAI has them, ranks as Cohere has them."""
    found = sdk.embeddings.create(model=EMBED_MODEL, input=["a", "b"])
    body = {"model": RERANK_MODEL, "query": "q", "documents": ["a", "b"], "top_n": 1}
    (best,) = wire.send({**body, "return_documents": True}, "/v3/rerank").json["results"]

    assert pytest.approx(expected_vector("b", 384, seed=SEED)) == found.data[1].embedding
    text = max("ab", key=lambda one: expected_score("q", one, seed=SEED))
    assert text == best["document"]["text"] == "ab"[best["index"]]
    assert [CHAT_MODEL, EMBED_MODEL, RERANK_MODEL] == [model.id for model in sdk.models.list()]
    assert 2 == len(wire.send({"model": "m", "text": ["a", "b"]}, "/v3/tokenize").json["tokens"])


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v3/chat/completions", b"{", 412),
        ("/v3/chat/completions", {"model": "nope", "messages": USER}, 404),
        ("/v3/chat/completions", {"model": CHAT_MODEL}, 400),
        ("/v3/completions", {"model": CHAT_MODEL, "prompt": ["a", "b"]}, 400),
        ("/v3/embeddings", {"model": EMBED_MODEL, "input": ["a"] * 501}, 400),
        ("/v3/rerank", {"model": RERANK_MODEL, "query": "q", "documents": ["a"] * 101}, 400),
        ("/v3/nope", {}, 404),
    ],
)
def test_refusals_are_texts(wire: Wire, path: str, body: object, status: int) -> None:
    """Every error is a text below `error`."""
    reply = wire.send(body, path)

    assert (status, str) == (reply.status, type(reply.error))


def test_a_wrong_key_is_a_server_error(wire: Wire) -> None:
    """The server has no status for it: 500, told by its words; `/v2` does not look at keys."""
    wrong = {"authorization": "Bearer x"}
    reply = wire.send(
        {"model": CHAT_MODEL, "messages": USER}, "/v3/chat/completions", headers=wrong
    )

    assert (500, True) == (reply.status, reply.error.startswith("Unauthorized"))
    assert 200 == wire.send(None, "/v2", "GET", headers=wrong).status


def test_an_error_in_a_stream_is_no_event(server: Emulator, wire: Wire) -> None:
    """It is bare JSON without `data:`, and no end marker follows."""
    server.script(["stream_error:after=1"])
    body = wire.send(
        {"model": CHAT_MODEL, "messages": USER, "stream": True}, "/v3/chat/completions"
    ).body

    assert body.endswith(b'\n\n{"error":"Internal Server Error"}')
