"""OVMS' wire: what this adapter sends is what tritonclient and the openai SDK send."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import openai as sdk
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

from adapters import ovms
from tests.adapters.flavours import Make
from tests.adapters.oracle import comparable
from tests.adapters.recorder import Recorded, Recorder, answer, event_stream

KEY = "ovms-key"
ARRAY = np.arange(8, dtype=np.float32).reshape(2, 4)
TEXTS = np.array([b"hi", "Grüße".encode()], dtype=object)
FOUND = {
    "model_name": "m",
    "model_version": "1",
    "outputs": [{"name": "y", "datatype": "FP32", "shape": [1], "data": [0.5]}],
}
DIFFERENCES = {
    "accept": "they say nothing, or that they take anything; we want JSON",
    "content-type": "they send none with tensors; ours is the one that the protocol recommends",
    "x-request-id": "ours: for proxies; the server reads none",
}


def parts(request: Recorded) -> dict[str, Any]:
    """What has to be the same in two inferences: JSON, then bytes, and where the border is."""
    length = int(request.headers.get("inference-header-content-length", len(request.body)))
    front = json.loads(request.body[:length])
    return {
        "method": request.method,
        "path": request.path,
        "json": front,
        "bytes": request.body[length:],
        "border": request.headers.get("inference-header-content-length") is not None,
        "unset": request.headers.get("authorization"),
    }


def tensor(name: str, values: Any, datatype: str, *, binary: bool) -> Any:
    """An input as the vendor's client wants it."""
    found = InferInput(name, list(values.shape), datatype)
    found.set_data_from_numpy(values, binary_data=binary)
    return found


Ask = Callable[[Any], Any]
INFER: dict[str, tuple[Ask, Ask]] = {
    "arrays": (
        lambda theirs: theirs.infer("m", [tensor("x", ARRAY, "FP32", binary=True)]),
        lambda ours: ours.infer("m", {"x": ARRAY}),
    ),
    "arrays of two kinds, a version and an id": (
        lambda theirs: theirs.infer(
            "m",
            [
                tensor("x", ARRAY, "FP32", binary=True),
                tensor("text", TEXTS, "BYTES", binary=True),
            ],
            outputs=[InferRequestedOutput("y", binary_data=True)],
            model_version="2",
            request_id="q7",
        ),
        lambda ours: ours.infer(
            "m", {"x": ARRAY, "text": TEXTS}, outputs=["y"], version=2, id="q7"
        ),
    ),
    "numbers": (
        lambda theirs: theirs.infer(
            "m",
            [tensor("x", ARRAY, "FP32", binary=False)],
            outputs=[InferRequestedOutput("y", binary_data=False)],
        ),
        lambda ours: ours.infer("m", {"x": ARRAY.tolist()}, outputs=["y"]),
    ),
    "arrays as numbers": (
        lambda theirs: theirs.infer(
            "m",
            [tensor("x", ARRAY, "FP32", binary=False)],
            outputs=[InferRequestedOutput("y", binary_data=False)],
        ),
        lambda ours: ours.infer("m", {"x": ARRAY}, outputs=["y"], binary=False),
    ),
    "texts": (
        lambda theirs: theirs.infer(
            "m",
            [tensor("text", TEXTS, "BYTES", binary=False)],
            outputs=[InferRequestedOutput("y", binary_data=False)],
        ),
        lambda ours: ours.infer("m", {"text": ["hi", "Grüße"]}, outputs=["y"]),
    ),
    "numbers as bytes": (
        lambda theirs: theirs.infer("m", [tensor("x", ARRAY, "FP32", binary=True)]),
        lambda ours: ours.infer("m", {"x": ARRAY.tolist()}, binary=True),
    ),
    "parameters": (
        lambda theirs: theirs.infer(
            "m", [tensor("x", ARRAY, "FP32", binary=True)], parameters={"trace": True}
        ),
        lambda ours: ours.infer("m", {"x": ARRAY}, parameters={"trace": True}),
    ),
}


@pytest.fixture
def theirs(server: Recorder) -> Any:
    """The vendor's client."""
    with InferenceServerClient(server.url.removeprefix("http://").removesuffix("/v1")) as client:
        yield client


@pytest.mark.parametrize(("ask_them", "ask_us"), INFER.values(), ids=INFER)
def test_we_infer_as_the_vendors_client_does(
    server: Recorder, theirs: Any, make: Make, ask_them: Ask, ask_us: Ask
):
    """The same JSON, the same bytes behind it, and the same border between them."""
    server.play(answer(FOUND))

    ask_them(theirs)
    ask_us(make(ovms, base_url=server.url))

    expected, sent = map(parts, server.requests)
    assert expected == sent


@pytest.mark.parametrize(
    ("ask_them", "ask_us"),
    [
        (lambda theirs: theirs.get_model_metadata("m"), lambda ours: ours.metadata("m")),
        (
            lambda theirs: theirs.get_model_metadata("m", "2"),
            lambda ours: ours.metadata("m", version=2),
        ),
        (lambda theirs: theirs.is_model_ready("m", "2"), lambda ours: ours.status("m", version=2)),
        (lambda theirs: theirs.is_server_ready(), lambda ours: ours.health()),
        (lambda theirs: theirs.get_server_metadata(), lambda ours: ours.info()),
    ],
)
def test_we_ask_for_the_state_as_the_vendors_client_does(
    server: Recorder, theirs: Any, make: Make, ask_them: Ask, ask_us: Ask
):
    """The same paths for metadata and readiness, of a version too."""
    server.play(answer({"name": "m"}))

    ask_them(theirs)
    ask_us(make(ovms, base_url=server.url))

    expected, sent = (comparable(request, DIFFERENCES) for request in server.requests)
    assert expected == sent


USER = [{"role": "user", "content": "Hi"}]
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
CHAT = {"object": "chat.completion", "created": 1, "model": "m", "choices": [CHOICE]}
CHUNK = {
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}],
}
VECTORS = {
    "object": "list",
    "model": "e",
    "data": [{"object": "embedding", "index": 0, "embedding": "AAAAPwAAoL8="}],
    "usage": USAGE,
}
OPENAI: dict[str, tuple[object, Ask, Ask]] = {
    "chat": (
        answer(CHAT),
        lambda theirs: theirs.chat.completions.create(model="m", messages=USER, max_tokens=5),
        lambda ours: ours.chat("m", USER, max_tokens=5),
    ),
    "stream": (
        event_stream(CHUNK, "[DONE]"),
        lambda theirs: list(
            theirs.chat.completions.create(
                model="m", messages=USER, stream=True, stream_options={"include_usage": True}
            )
        ),
        lambda ours: list(ours.stream("m", USER)),
    ),
    "embeddings": (
        answer(VECTORS),
        lambda theirs: theirs.embeddings.create(model="e", input=["a"]),
        lambda ours: ours.embed("e", ["a"]),
    ),
    "models": (
        answer({"object": "list", "data": [{"id": "m", "object": "model", "created": 1}]}),
        lambda theirs: list(theirs.models.list()),
        lambda ours: ours.models(),
    ),
}


@pytest.mark.parametrize(("script", "ask_them", "ask_us"), OPENAI.values(), ids=OPENAI)
def test_we_speak_openais_dialect_as_its_client_does(
    server: Recorder, make: Make, script: Any, ask_them: Ask, ask_us: Ask
):
    """The same method, path, query, body and headers for the same question."""
    server.play([script] if isinstance(script, bytes) else script)
    root = server.url.removesuffix("/v1")

    with sdk.OpenAI(base_url=f"{root}/v3", api_key=KEY, max_retries=0) as theirs:
        ask_them(theirs)
    ask_us(make(ovms, api_key=KEY, base_url=f"{root}/v3"))

    expected, sent = (
        comparable(request, {"x-request-id": DIFFERENCES["x-request-id"]})
        for request in server.requests
    )
    expected["headers"] = {
        name: value for name, value in expected["headers"].items() if "stainless" not in name
    }
    assert expected == sent


@pytest.mark.parametrize(
    ("ask", "method", "path", "body"),
    [
        (
            lambda ours: ours.predict("m", [[1, 2]]),
            "POST",
            "/v1/models/m:predict",
            {"instances": [[1, 2]]},
        ),
        (
            lambda ours: ours.predict("m", {"x": ARRAY}, version=3, signature_name="s"),
            "POST",
            "/v1/models/m/versions/3:predict",
            {"inputs": {"x": ARRAY.tolist()}, "signature_name": "s"},
        ),
        (
            lambda ours: ours.infer("m", {"x": [[1]]}, version=0),
            "POST",
            "/v1/models/m/versions/0:predict",
            {"inputs": {"x": [[1]]}},
        ),
        (lambda ours: ours.metadata("m"), "GET", "/v1/models/m/metadata", None),
        (lambda ours: ours.status("m", version=2), "GET", "/v1/models/m/versions/2", None),
    ],
)
def test_the_routes_of_tensorflow_serving(
    server: Recorder, make: Make, ask: Ask, method: str, path: str, body: object
):
    """Paths and bodies are those of its REST API; the version stands in the path."""
    server.play(answer({"predictions": [[2]], "model_version_status": []}))

    ask(make(ovms, base_url=server.url, dialect="tfs"))

    (sent,) = server.requests
    assert (method, path, body) == (sent.method, sent.path, sent.json)


@pytest.mark.parametrize("address", ["OVMS_BASE_URL", "OVMS_API_URL"])
def test_the_environment(server: Recorder, monkeypatch, address: str):
    """Address and key come from variables, the older framework's among them."""
    monkeypatch.setenv(address, server.url)
    monkeypatch.setenv("OVMS_API_KEY", KEY)
    server.play(answer({"name": "x"}))

    assert "x" == ovms.Client().info()["name"]
    assert ("/v2", f"Bearer {KEY}") == (
        server.requests[0].path,
        server.requests[0].headers["authorization"],
    )
