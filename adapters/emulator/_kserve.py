"""KServe v2 over REST: health, metadata and inference, with the binary extension."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.emulator._inference_models import find, run
from adapters.emulator._tensors import (
    Tensor,
    decode_binary,
    decode_json,
    encode_binary,
    refuse_tensor,
)
from adapters.emulator.protocol import Answer, Call, Operation, Problem, Refusal, to_json

__all__ = ["KSERVE_OPERATIONS", "VERSION"]

VERSION = "2026.2.1"
_LENGTH = "inference-header-content-length"
_MODEL = "/v2/models/{model}"


def _empty(_call: Call) -> Answer:
    return Answer()


def _server(_call: Call) -> Answer:
    return Answer.of_json({"name": "OpenVINO Model Server", "version": VERSION})


def _ready(call: Call) -> Answer:
    find(call)
    return Answer()


def _metadata(call: Call) -> Answer:
    model = find(call)
    described = [
        [
            {"name": name, "datatype": datatype, "shape": list(shape)}
            for name, (datatype, shape) in specs.items()
        ]
        for specs in (model.inputs, model.outputs)
    ]
    return Answer.of_json(
        {
            "name": model.name,
            "versions": ["1"],
            "platform": "OpenVINO",
            "inputs": described[0],
            "outputs": described[1],
        }
    )


def _infer(call: Call) -> Answer:
    model = find(call)
    body, rest = _parts(call)
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(item, dict) for item in inputs):
        refuse_tensor("Missing inputs in request")
    outputs = run(model, list(_decoded(inputs, rest)), call.seed)
    asked = body.get("outputs")
    wanted = {
        str(item.get("name")): item
        for item in (asked if isinstance(asked, list) else ())
        if isinstance(item, dict)
    }
    kept = [tensor for tensor in outputs if not wanted or tensor.name in wanted]
    head: dict[str, Any] = {"model_name": model.name, "model_version": "1"}
    if body.get("id") is not None:
        head["id"] = body["id"]
    all_binary = bool(_parameters(body).get("binary_data_output"))
    return _written(head, kept, wanted, all_binary=all_binary)


def _parts(call: Call) -> tuple[dict[str, Any], bytes]:
    """Cut the body into its JSON and the bytes behind it."""
    given = call.header(_LENGTH)
    length = int(given) if given.isdecimal() else len(call.body)
    try:
        body = json.loads(call.body[:length])
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal(Problem(412, "Invalid JSON structure. Could not parse the request body"))
    return body, call.body[length:]


def _parameters(item: Mapping[str, Any]) -> dict[str, Any]:
    found = item.get("parameters")
    return found if isinstance(found, dict) else {}


def _decoded(inputs: list[dict[str, Any]], rest: bytes) -> Iterator[Tensor]:
    place = 0
    for item in inputs:
        if "data" in item:
            yield decode_json(item)
            continue
        # One input alone may leave its size out.
        size = _parameters(item).get("binary_data_size", len(rest) - place)
        if not isinstance(size, int) or size < 0:
            refuse_tensor("Invalid binary_data_size")
        yield decode_binary(item, rest[place : place + size])
        place += size
    if place != len(rest):
        refuse_tensor("The binary data does not fit the inputs")


def _written(
    head: dict[str, Any],
    tensors: list[Tensor],
    wanted: Mapping[str, dict[str, Any]],
    *,
    all_binary: bool,
) -> Answer:
    described, blobs = [], []
    for tensor in tensors:
        own = _parameters(wanted.get(tensor.name, {})).get("binary_data", all_binary)
        item: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype}
        item["shape"] = list(tensor.shape)
        if own or tensor.datatype == "FP16":
            blobs.append(encode_binary(tensor))
            item["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            item["data"] = [_as_json(element) for element in tensor.data]
        described.append(item)
    front = to_json({**head, "outputs": described})
    if not blobs:
        return Answer(body=front)
    # The type stays that of JSON: only the header tells.
    length = (_LENGTH.encode(), b"%d" % len(front))
    return Answer(body=front + b"".join(blobs), headers=(length,))


def _as_json(element: Any) -> Any:
    return element.decode(errors="replace") if isinstance(element, bytes) else element


KSERVE_OPERATIONS = (
    Operation("server_metadata", "GET", "/v2", _server, takes_json=False),
    *(
        Operation("health", "GET", f"/v2/health/{state}", _empty, takes_json=False)
        for state in ("live", "ready")
    ),
    *(
        operation
        for model in (_MODEL, _MODEL + "/versions/{version}")
        for operation in (
            Operation("ready", "GET", f"{model}/ready", _ready, takes_json=False),
            Operation("infer", "POST", f"{model}/infer", _infer, takes_json=False),
            Operation("metadata", "GET", model, _metadata, takes_json=False),
        )
    ),
)
