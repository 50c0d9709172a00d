"""The client of OVMS: tensors, predictions, chats and errors."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from adapters import ovms
from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.emulator.answers import count_tokens, expected_score
from adapters.errors import (
    AdapterError,
    AuthenticationError,
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    OverloadedError,
    ServerError,
    SettingsError,
    StreamInterruptedError,
)
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer, chunked

CHAT_MODEL = "OpenVINO/Qwen3-8B-int4-ov"
EMBED_MODEL = "OpenVINO/bge-base-en-v1.5-fp16-ov"
RERANK_MODEL = "OpenVINO/bge-reranker-base-fp16-ov"
ANSWERS = [expected_answer(text, seed=7) for text in ("hi", "ho")]
ROW = [1.0, 2.0, 3.0, 4.0]


@pytest.fixture
def client(emulator: Emulator, make: Make) -> Any:
    """A client of the emulator that repeats nothing."""
    address = emulator.base_url("ovms")
    return make(ovms, keys=emulator.keys("ovms"), base_url=address, max_retries=0)


@pytest.fixture
def older(emulator: Emulator, make: Make) -> Any:
    """A client of TensorFlow-Serving's routes."""
    return make(ovms, base_url=emulator.base_url("ovms"), dialect="tfs", max_retries=0)


@pytest.fixture
def scripted(server: Recorder, make: Make) -> Any:
    """A client of the scripted server that repeats nothing."""
    return make(ovms, base_url=server.url, max_retries=0)


@pytest.mark.parametrize("binary", [None, False, True])
def test_lists_in_and_lists_out(client: Any, binary: bool | None):
    """Whether they go as numbers or as bytes does not show."""
    found = client.infer("double", {"x": [ROW, ROW]}, binary=binary)

    assert {"y": [[2.0, 4.0, 6.0, 8.0]] * 2} == found.outputs
    assert ("double", "1") == (found.model, found.version)


@pytest.mark.parametrize("binary", [None, False, True])
def test_arrays_in_and_arrays_out(client: Any, binary: bool | None):
    """Their types and shapes are kept, whatever the order of their bytes and rows was."""
    array = np.asfortranarray(np.array([ROW, ROW], dtype=">f4"))
    found = client.infer("double", {"x": array}, binary=binary).outputs["y"]

    assert (np.float32, (2, 4)) == (found.dtype, found.shape)
    assert (2 * array).tolist() == found.tolist()


def test_one_array_makes_all_outputs_arrays(client: Any):
    """Lists and arrays may be mixed; several outputs come by name."""
    found = client.infer("arithmetic", {"a": [[5, 6]], "b": np.array([[1, 2]])}).outputs

    assert ([[6, 8]], [[4, 4]]) == (found["sum"].tolist(), found["difference"].tolist())


def test_texts(client: Any):
    """Texts in lists come back as texts, those in arrays as bytes."""
    lists = client.infer("answer", {"text": ["hi", "ho"]}).outputs["answer"]
    as_bytes = client.infer("answer", {"text": [b"hi", b"ho"]}).outputs["answer"]
    arrays = client.infer("answer", {"text": np.array(["hi", "ho"])}).outputs["answer"]

    assert ANSWERS == lists == as_bytes
    assert [text.encode() for text in ANSWERS] == arrays.tolist()


def test_datatypes_may_be_given(client: Any):
    """Beside `data`; what JSON cannot carry goes as bytes by itself."""
    half = {"data": [[1, 2]], "datatype": "FP16"}
    flat = {"data": ROW, "datatype": "FP32", "shape": [1, 4]}

    assert {"y": [[2.0, 4.0]]} == client.infer("half", {"x": half}).outputs
    assert {"y": [[2.0, 4.0, 6.0, 8.0]]} == client.infer("double", {"x": flat}).outputs
    assert [[2.0, 4.0]] == (
        client.infer("half", {"x": np.array([[1, 2]], dtype="float16")}).outputs["y"].tolist()
    )


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ({"data": [1.0], "datatype": "FP16"}, {"binary_data_output": True}),
        ([b"\xff"], {"binary_data_output": True}),
        (["hi"], None),
        ([1.0], None),
    ],
)
def test_what_json_cannot_carry_comes_as_it_went(
    scripted: Any, server: Recorder, value: Any, asked: Any
):
    """A model that gets halves or bytes gives such, which a server cannot write as JSON either."""
    server.play(answer({"outputs": []}))
    scripted.infer("m", {"x": value})
    request = server.requests[0]
    length = int(request.headers.get("inference-header-content-length", len(request.body)))

    assert asked == json.loads(request.body[:length]).get("parameters")


def test_an_array_may_stand_below_data(client: Any):
    """It tells its own datatype and shape, and makes the outputs arrays."""
    found = client.infer("double", {"x": {"data": np.array([ROW], dtype="float32")}})

    assert [[2.0, 4.0, 6.0, 8.0]] == found.outputs["y"].tolist()


def test_outputs_may_be_chosen(client: Any):
    """Others are not sent."""
    inputs = {"a": [[5, 6]], "b": [[1, 2]]}

    assert ["sum"] == list(client.infer("arithmetic", inputs, outputs=["sum"]).outputs)


@pytest.mark.parametrize(
    ("inputs", "rule"),
    [
        ([ROW], "must be an object"),
        ({"x": [[1], [1, 2]]}, "must have lists of one length"),
        ({"x": [[[1], [2]], [[1], [2, 3]]]}, "must have as many elements"),
        ({"x": [1, [2]]}, "must have lists of one length"),
        ({"x": {"data": ROW, "shape": [2, 4]}}, "must have as many elements"),
        ({"x": [None]}, "must hold numbers"),
        ({"x": []}, "must hold numbers"),
        ({"x": [1, "a"]}, "must hold numbers"),
        ({"x": {"data": [1.0], "datatype": "BF16"}}, "must be an array for this datatype"),
        ({"x": {"data": [70000], "datatype": "FP16"}}, "must hold what fits FP16"),
        ({"x": np.array([1j])}, "must be of one of bool"),
    ],
)
def test_inputs_that_are_none(inputs: Any, rule: str):
    """They are refused before anything is sent, by name."""
    client = ovms.Client(base_url="http://localhost:1")

    with pytest.raises(SettingsError, match=rule):
        client.infer("m", inputs)


def binary_answer(outputs: list[dict[str, Any]], rest: bytes, length: object = None) -> bytes:
    """An answer with bytes behind its JSON."""
    front = json.dumps({"model_name": "m", "outputs": outputs}).encode()
    told = str(len(front) if length is None else length)
    headers = {"inference-header-content-length": told, "content-type": "application/json"}
    return answer(front + rest, headers=headers)


def output(datatype: str, shape: list[int], size: int | None = None, **more: Any) -> Any:
    """An output as an answer describes it."""
    where = {} if size is None else {"parameters": {"binary_data_size": size}}
    return {"name": "y", "datatype": datatype, "shape": shape, **where, **more}


@pytest.mark.parametrize(
    ("datatype", "content", "found"),
    [
        ("BOOL", b"\0\1", [False, True]),
        ("UINT8", b"\1\xff", [1, 255]),
        ("INT16", b"\1\0\xff\xff", [1, -1]),
        ("FP64", struct.pack("<2d", 0.5, -1), [0.5, -1.0]),
        ("BF16", b"\x80\x3f\x00\xc0", [1.0, -2.0]),
        ("BYTES", b"\2\0\0\0hi\1\0\0\0\xff", ["hi", b"\xff"]),
    ],
)
def test_every_datatype_is_read(
    scripted: Any, server: Recorder, datatype: str, content: bytes, found: list[Any]
):
    """Little end first, whichever it is; a text that is none stays bytes."""
    server.play(binary_answer([output(datatype, [2], len(content))], content))

    assert {"y": found} == scripted.infer("m", {"x": [1]}).outputs


@pytest.mark.parametrize(
    ("datatype", "kind"),
    [("BOOL", "bool"), ("INT8", "int8"), ("FP16", "float16"), ("BF16", "float32")],
)
def test_arrays_have_the_type_of_the_output(
    scripted: Any, server: Recorder, datatype: str, kind: str
):
    """Numpy has no BF16, which fits into 32 bits."""
    size = {"BOOL": 1, "INT8": 1}.get(datatype, 2)
    server.play(binary_answer([output(datatype, [1, 2], 2 * size)], bytes(2 * size)))

    array = scripted.infer("m", {"x": np.array([1])}).outputs["y"]

    assert (kind, (1, 2)) == (array.dtype.name, array.shape)


@pytest.mark.parametrize(
    "body",
    [
        binary_answer([output("FP32", [2], 4)], b"1234"),
        binary_answer([output("FP32", [1], 8)], b"1234"),
        binary_answer([output("FP32", [1], 3)], b"123"),
        binary_answer([output("FP32", [1], -4)], b"1234"),
        binary_answer([output("FP32", [-1, -1], 4)], b"1234"),
        binary_answer([output("BYTES", [1], 5)], b"\xff\0\0\0a"),
        binary_answer([output("BYTES", [1], 2)], b"\1\0"),
        binary_answer([output("FP99", [1], 4)], b"1234"),
        binary_answer([], b"", length=10**6),
        binary_answer([], b"", length="x"),
        answer({"outputs": [output("FP32", [2], data=[1.0])]}),
        answer({"outputs": [output("FP32", [1])]}),
        answer({"outputs": 5}),
        answer(b"[]"),
    ],
)
@pytest.mark.parametrize("value", [[1], np.array([1])], ids=["lists", "arrays"])
def test_an_answer_of_another_form(scripted: Any, server: Recorder, body: bytes, value: Any):
    """Sizes, lengths, shapes and datatypes must fit one another."""
    server.play(body)

    with pytest.raises(InvalidResponseError):
        scripted.infer("m", {"x": value})


def test_a_shape_without_dimensions_is_one_value(scripted: Any, server: Recorder):
    """It is no list."""
    server.play(answer({"outputs": [output("FP32", [], data=[0.5])]}))

    assert {"y": 0.5} == scripted.infer("m", {"x": [1]}).outputs


@pytest.mark.parametrize(
    ("call", "outputs"),
    [
        (lambda c: c.predict("double", [ROW]), {"output": [[2.0, 4.0, 6.0, 8.0]]}),
        (lambda c: c.predict("double", np.array([ROW])), {"output": [[2.0, 4.0, 6.0, 8.0]]}),
        (lambda c: c.predict("double", {"x": [ROW]}), {"output": [[2.0, 4.0, 6.0, 8.0]]}),
        (
            lambda c: c.predict("arithmetic", [{"a": [5, 6], "b": np.array([1, 2])}]),
            {"sum": [[6, 8]], "difference": [[4, 4]]},
        ),
        (
            lambda c: c.predict("arithmetic", {"a": [[5, 6]], "b": [[1, 2]]}),
            {"sum": [[6, 8]], "difference": [[4, 4]]},
        ),
        (lambda c: c.infer("double", {"x": [ROW]}), {"output": [[2.0, 4.0, 6.0, 8.0]]}),
    ],
)
def test_predict(older: Any, call: Any, outputs: dict[str, Any]):
    """Rows and columns; several outputs come by name, a single one has none."""
    assert outputs == call(older).outputs


def test_the_state_of_a_model(client: Any, older: Any):
    """Ready or not, in both dialects; a model that is not there is not ready."""
    for each in (client, older):
        assert each.status("double")
        assert each.status("double", version=1)
        assert not each.status("nope")
    assert [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}] == client.metadata("double")[
        "inputs"
    ]
    assert "double" == older.metadata("double")["modelSpec"]["name"]
    with pytest.raises(NotFoundError):
        client.metadata("nope")


def test_a_version_that_is_still_loading(server: Recorder, make: Make):
    """The older route answers 200; the state of the versions tells."""
    client = make(ovms, base_url=server.url, dialect="tfs", max_retries=0)
    server.play(answer({"model_version_status": [{"version": "1", "state": "LOADING"}]}))

    assert not client.status("m")


def test_the_state_of_the_server(client: Any, emulator: Emulator):
    """Its version, and whether it is ready."""
    assert "2026.2.1" == client.info()["version"]
    assert client.health()
    emulator.script(["503"])
    assert not client.health()


def test_chat(client: Any):
    """Whole and as a stream: the same text and usage."""
    whole = client.chat(CHAT_MODEL, "hi")
    with client.stream(CHAT_MODEL, "hi") as stream:
        list(stream)

    assert ANSWERS[0] == whole.text == stream.text
    assert (5, count_tokens(ANSWERS[0])) == (whole.usage.input_tokens, whole.usage.output_tokens)
    assert whole.usage == stream.usage


def test_the_other_operations(client: Any, emulator: Emulator):
    """Completions, vectors in parts, ranks in parts, tokens, models."""
    texts = [str(number) for number in range(501)]
    ranking = client.rerank(RERANK_MODEL, "q", texts[:150], top_n=3)

    assert ANSWERS[0] == client.completions(CHAT_MODEL, "hi").text
    assert (
        list(expected_vector("500", 384, seed=7)) == client.embed(EMBED_MODEL, texts).vectors[500]
    )
    scores = [expected_score("q", text, seed=7) for text in texts[:150]]
    assert sorted(range(150), key=lambda place: -scores[place])[:3] == list(ranking.order)
    assert (2, 3) == (ranking.attempts, len(ranking.scores))
    assert (1, 2) == tuple(len(client.tokenize("m", text).ids) for text in ("a b", ["a", "b"]))
    assert [CHAT_MODEL, EMBED_MODEL, RERANK_MODEL] == list(client.models())


@pytest.mark.parametrize(
    ("status", "text", "error", "retryable"),
    [
        (400, "Invalid input shape", BadRequestError, False),
        (404, "Model with requested name is not found", NotFoundError, False),
        (404, "Model version is not loaded yet", OverloadedError, True),
        (404, "Model version is not loaded anymore", NotFoundError, False),
        (406, "Unsupported method", BadRequestError, False),
        (412, "JSON parse error", BadRequestError, False),
        (500, "Internal server error", ServerError, True),
        (
            500,
            "Unauthorized request due to invalid or missing api-key",
            AuthenticationError,
            False,
        ),
        (503, "Server is not ready", OverloadedError, True),
    ],
)
def test_errors_by_status(
    scripted: Any,
    server: Recorder,
    status: int,
    text: str,
    error: type[AdapterError],
    retryable: bool,
):
    """Two errors are told by their words: a wrong key, and a model that is still loading."""
    server.play(answer({"error": text}, status))

    with pytest.raises(error, match=text) as caught:
        scripted.infer("m", {"x": [1]})

    assert (error, status, retryable) == (
        type(caught.value),
        caught.value.status_code,
        caught.value.retryable,
    )


CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}\n\n'


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_an_error_in_a_stream_is_bare(scripted: Any, server: Recorder, end: bytes):
    """It has no `data:` in front and no end marker behind it."""
    server.play(chunked(CHUNK, b'{"error": "out of memory"}' + end))

    with pytest.raises(StreamInterruptedError, match="out of memory") as caught:
        list(scripted.stream("m", "hi"))
    assert ("Hel", ServerError) == (caught.value.partial, type(caught.value.__cause__))


def test_a_stream_that_only_ends_was_cut(scripted: Any, server: Recorder):
    """The end marker is missing."""
    server.play(chunked(CHUNK))

    with pytest.raises(StreamInterruptedError, match="without its end marker"):
        list(scripted.stream("m", "hi"))


def test_an_unknown_dialect():
    """There are two."""
    with pytest.raises(SettingsError, match="dialect must be 'kserve' or 'tfs', not 'v1'"):
        ovms.Client(dialect="v1")


def test_the_module_has_a_client_of_its_own(emulator: Emulator, monkeypatch):
    """Its functions find the server in the environment."""
    monkeypatch.setenv("OVMS_API_URL", emulator.base_url("ovms"))
    ovms.configure()
    try:
        assert {"y": [[2.0, 4.0, 6.0, 8.0]]} == ovms.infer("double", {"x": [ROW]}).outputs
    finally:
        ovms.configure()
