"""KServe v2 over REST: inference with JSON and binary tensors, metadata, readiness. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from adapters._build import checked_headers
from adapters._failures import ErrorTable, read_answer
from adapters._fields import encode_fields, extra_fields, path_part
from adapters._flows import Ask, Flow, one
from adapters._json import is_object, word_or_none
from adapters._messages import Reply, Request, sent_as
from adapters._results import Tensors
from adapters._tensors import Tensor, as_array, as_nested, encode_tensor, is_array
from adapters.errors import InvalidResponseError
from resilience._rules import fail

__all__ = ["infer", "model_path"]

_LENGTH = "inference-header-content-length"


def model_path(root: str, model: str, version: object) -> str:
    """Return the path of a model, or of one of its versions."""
    path = f"{root}/models/{path_part('model', model)}"
    return path if version is None else f"{path}/versions/{path_part('version', str(version))}"


def infer(
    model: str,
    inputs: Mapping[str, Any],
    options: Mapping[str, Any],
    *,
    outputs: Sequence[str] | None,
    version: object,
    binary: bool | None,
) -> Flow[Tensors]:
    """Send tensors by name, and read those that come back."""
    if not is_object(inputs):
        fail("inputs", "must be an object: the name of each input, and its tensor", type(inputs))
    arrays = any(is_array(value) or is_array(_data_of(value)) for value in inputs.values())
    as_bytes = arrays if binary is None else binary
    tensors = [encode_tensor(name, value, as_bytes=as_bytes) for name, value in inputs.items()]
    if binary is None:
        # Where JSON could not carry an input, it may be unable to carry an output as well.
        as_bytes = as_bytes or any(tensor.needs_bytes for tensor in tensors)
    path = f"{model_path('v2', model, version)}/infer"
    request = _request(path, tensors, outputs, options, as_bytes=as_bytes)
    request = replace(request, model=model)
    return (yield from one(Ask(request, read=partial(_read, arrays=arrays))))


def _data_of(value: Any) -> Any:
    return value.get("data") if is_object(value) else None


def _request(
    path: str,
    tensors: Sequence[Tensor],
    outputs: Sequence[str] | None,
    options: Mapping[str, Any],
    *,
    as_bytes: bool,
) -> Request:
    body: dict[str, Any] = {**options}
    headers = checked_headers(body.pop("extra_headers", None))
    extra = extra_fields(body.pop("extra_body", None))
    blobs: list[bytes] = []
    body["inputs"] = [_written(tensor, blobs, as_bytes=as_bytes) for tensor in tensors]
    if outputs is not None:
        wanted = {"binary_data": as_bytes}
        body["outputs"] = [{"name": name, "parameters": wanted} for name in outputs]
    elif as_bytes:
        body["parameters"] = {"binary_data_output": True, **(body.get("parameters") or {})}
    front = encode_fields({**body, **extra})
    if blobs:
        headers = {"Inference-Header-Content-Length": str(len(front)), **headers}
    return Request(
        operation="infer",
        method="POST",
        path=path,
        body=front + b"".join(blobs),
        content_type="application/octet-stream" if blobs else "application/json",
        headers=headers,
    )


def _written(tensor: Tensor, blobs: list[bytes], *, as_bytes: bool) -> dict[str, Any]:
    """Return a tensor's part of the JSON; its bytes, if it has any, are added to the blobs."""
    if not as_bytes and not tensor.needs_bytes:
        return {**tensor.described(), "data": list(tensor.elements)}
    blobs.append(tensor.content())
    return {**tensor.described(), "parameters": {"binary_data_size": len(blobs[-1])}}


def _read(errors: ErrorTable, reply: Reply, forms: tuple[str, ...], *, arrays: bool) -> Tensors:
    """Read tensors; the type of the answer is that of JSON even where bytes follow."""
    length = reply.headers.get(_LENGTH, "")
    if length and not (length.isdecimal() and int(length) <= len(reply.body)):
        msg = "the answer does not have the length that it says"
        raise InvalidResponseError(msg, retryable=True)
    size = int(length) if length else len(reply.body)
    front = replace(reply, body=reply.body[:size])
    parse = partial(_parse, arrays=arrays, rest=reply.body[size:])
    return read_answer(parse, errors, front, forms)


def _parse(payload: Any, reply: Reply, *, arrays: bool, rest: bytes) -> Tensors:
    make = as_array if arrays else as_nested
    outputs = {
        str(item["name"]): make(str(item["datatype"]), _sizes(item["shape"]), content)
        for item, content in _contents(payload["outputs"], rest)
    }
    return Tensors(
        outputs=outputs,
        model=word_or_none(payload.get("model_name")),
        version=word_or_none(payload.get("model_version")),
        raw=payload,
        **sent_as(reply),
    )


def _sizes(shape: Sequence[Any]) -> list[int]:
    sizes = [int(size) for size in shape]
    if any(size < 0 for size in sizes):
        msg = "a dimension of an output has no size"
        raise ValueError(msg)
    return sizes


def _contents(items: Sequence[Any], rest: bytes) -> Iterator[tuple[Any, Any]]:
    """Give each output with its elements, or its part of the bytes."""
    place = 0
    for item in items:
        size = (item.get("parameters") or {}).get("binary_data_size")
        if size is None:
            yield item, item["data"]
            continue
        end = place + int(size)
        if not place <= end <= len(rest):
            msg = "the sizes of the outputs do not fit the answer"
            raise ValueError(msg)
        yield item, rest[place:end]
        place = end
