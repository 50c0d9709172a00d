"""TensorFlow-Serving's REST API, which OVMS had below `/v1` up to 2026.2."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapters.emulator._inference_models import MODELS, Inference, find, run
from adapters.emulator._tensors import Tensor, decode_json, flat, refuse_tensor
from adapters.emulator.protocol import Answer, Call, Operation, Problem, Refusal

__all__ = ["TFS_OPERATIONS"]

_MODEL = "/v1/models/{model}"
_DTYPES = {"FP32": "DT_FLOAT", "FP16": "DT_HALF", "INT64": "DT_INT64", "BYTES": "DT_STRING"}
_OK = {"error_code": "OK", "error_message": "OK"}


def _version() -> dict[str, Any]:
    return {"version": "1", "state": "AVAILABLE", "status": _OK}


def _status(call: Call) -> Answer:
    find(call)
    return Answer.of_json({"model_version_status": [_version()]})


def _metadata(call: Call) -> Answer:
    model = find(call)
    signature = {
        "inputs": _described(model.inputs),
        "outputs": _described(model.outputs),
        "methodName": "",
    }
    return Answer.of_json(
        {
            "modelSpec": {"name": model.name, "signatureName": "", "version": "1"},
            "metadata": {
                "signature_def": {
                    "@type": "type.googleapis.com/tensorflow.serving.SignatureDefMap",
                    "signatureDef": {"serving_default": signature},
                }
            },
        }
    )


def _described(specs: Mapping[str, tuple[str, tuple[int, ...]]]) -> dict[str, Any]:
    return {
        name: {
            "dtype": _DTYPES[datatype],
            "tensorShape": {
                "dim": [{"size": str(size), "name": ""} for size in shape],
                "unknownRank": False,
            },
            "name": name,
        }
        for name, (datatype, shape) in specs.items()
    }


def _predict(call: Call) -> Answer:
    model = find(call)
    try:
        body = json.loads(call.body)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal(Problem(412, "Invalid JSON structure. Could not parse the request body"))
    if ("instances" in body) == ("inputs" in body):
        refuse_tensor("Invalid request: either instances or inputs must be given")
    by_row = "instances" in body
    columns = _columns(model, body["instances"]) if by_row else _named(model, body["inputs"])
    given = [_tensor(model, name, value) for name, value in columns.items()]
    outputs = {tensor.name: _nested(tensor) for tensor in run(model, given, call.seed)}
    if not by_row:
        return Answer.of_json({"outputs": _bare(outputs)})
    if len(outputs) == 1:
        return Answer.of_json({"predictions": _bare(outputs)})
    rows = [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
    return Answer.of_json({"predictions": rows})


def _columns(model: Inference, instances: Any) -> dict[str, Any]:
    """Put rows together: values of the only input, or objects that name the inputs."""
    if not isinstance(instances, list) or not instances:
        refuse_tensor("Invalid request: instances must be a list that is not empty")
    if not isinstance(instances[0], dict):
        return _named(model, instances)
    names = set(instances[0])
    if any(not isinstance(row, dict) or set(row) != names for row in instances):
        refuse_tensor("Invalid request: the instances differ")
    return {name: [row[name] for row in instances] for name in instances[0]}


def _named(model: Inference, value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {next(iter(model.inputs)): value}


def _tensor(model: Inference, name: str, value: Any) -> Tensor:
    if name not in model.inputs:
        refuse_tensor(f"Unexpected input: {name}")
    shape, part = [], value
    while isinstance(part, list):
        shape.append(len(part))
        part = part[0] if part else None
    datatype = model.inputs[name][0]
    if datatype == "BYTES":
        refuse_tensor("Only numbers can be sent in this form")
    item = {"name": name, "datatype": datatype, "shape": shape, "data": flat(value)}
    return decode_json(item)


def _nested(tensor: Tensor) -> list[Any]:
    rows = tensor.shape[0] or 1
    width = len(tensor.data) // rows
    return [list(tensor.data[start : start + width]) for start in range(0, rows * width, width)]


def _bare(outputs: dict[str, Any]) -> Any:
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


def _config(_call: Call) -> Answer:
    return Answer.of_json({name: {"model_version_status": [_version()]} for name in MODELS})


TFS_OPERATIONS = (
    *(
        operation
        for model in (_MODEL, _MODEL + "/versions/{version}")
        for operation in (
            Operation("predict", "POST", f"{model}:predict", _predict, takes_json=False),
            Operation("tfs_metadata", "GET", f"{model}/metadata", _metadata, takes_json=False),
            Operation("status", "GET", model, _status, takes_json=False),
        )
    ),
    Operation("config", "GET", "/v1/config", _config, takes_json=False),
    Operation("reload", "POST", "/v1/config/reload", _config, takes_json=False),
)
