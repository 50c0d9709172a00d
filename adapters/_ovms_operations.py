"""OVMS: which dialect an operation speaks, its streams and its errors. Pure.

KServe v2 is there in every version; TensorFlow-Serving's routes below `/v1` up to 2026.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from adapters._build import json_request
from adapters._failures import ErrorTable
from adapters._flows import Ask, Flow, one
from adapters._json import is_list, is_object
from adapters._kserve import infer, model_path
from adapters._messages import Headers, Reply, Request, sent_as
from adapters._openai_answers import read_chat_stream
from adapters._results import Health, Info, Tensors, Tokens
from adapters._said import Said, said
from adapters._servers import get_request, parse_info, read_health
from adapters._setup import Setup
from adapters._streams import EventReader, ServerSentEvent, ServerSentEvents
from adapters._tensors import is_array
from adapters.errors import AuthenticationError, BadRequestError, OverloadedError
from resilience._rules import fail

__all__ = [
    "OVMS_ERRORS",
    "build_ovms_tokenize",
    "infer_flow",
    "metadata_flow",
    "parse_ovms_tokens",
    "predict_flow",
    "read_ovms_stream",
    "status_flow",
]

_NOT_READY = frozenset({400, 404, 503})


def _said(body: Any) -> Said:
    """Read an error; two of them are told by their words alone, under a status of other ones."""
    told = said(body)
    message = (told.message or "").lower()
    if message.startswith("unauthorized"):
        return Said(message=told.message, code="unauthorized")
    if "not loaded yet" in message:
        return Said(message=told.message, code="not_loaded_yet")
    return told


OVMS_ERRORS = ErrorTable(
    codes={
        (500, "unauthorized"): AuthenticationError,
        (404, "not_loaded_yet"): OverloadedError,
    },
    words={"unauthorized": AuthenticationError, "not_loaded_yet": OverloadedError},
    statuses={406: BadRequestError, 412: BadRequestError},  # 412 is broken JSON, among others
    said=_said,
)


def infer_flow(
    setup: Setup,
    /,
    model: str,
    inputs: Mapping[str, Any],
    *,
    outputs: Sequence[str] | None = None,
    version: int | str | None = None,
    binary: bool | None = None,
    **options: Any,
) -> Flow[Tensors]:
    """Let a model compute outputs from inputs.

    Args:
        model: The name of the model.
        inputs: By name: arrays of numpy, nested lists, or objects with `data`, `datatype` and
            `shape`. Nested lists are BOOL, INT64, FP32 or BYTES, as their elements are.
        outputs: The names of those that are wanted; all of them by default.
        version: Of the model; the latest by default.
        binary: Whether tensors go as bytes behind the JSON, both ways; by default where an input is
            an array, or one that JSON cannot carry: FP16, BF16 or bytes. With an array among the
            inputs outputs are arrays, else nested lists.
        options: Those of every call; every other one goes to the API as it is.
    """
    if setup.own["dialect"] == "tfs":
        return (yield from predict_flow(setup, model, inputs, version=version, **options))
    return (
        yield from infer(model, inputs, options, outputs=outputs, version=version, binary=binary)
    )


def predict_flow(
    _: Setup,
    /,
    model: str,
    inputs: Any,
    *,
    version: int | str | None = None,
    **options: Any,
) -> Flow[Tensors]:
    """Let a model predict, by TensorFlow-Serving's route, which servers up to 2026.2 have.

    Args:
        model: The name of the model.
        inputs: A list of instances, or an object of inputs by name; arrays are sent as lists.
        version: Of the model; the latest by default.
        options: Those of every call; every other one goes to the API as it is.
    """
    by_name = is_object(inputs)
    try:
        fields = {"inputs" if by_name else "instances": _plain(inputs)}
    except RecursionError:
        fail("inputs", "must not hold themselves", type(inputs))
    request = json_request(
        "predict", f"{model_path('v1', model, version)}:predict", fields, options
    )
    return (yield from one(Ask(replace(request, model=model), _parse_predictions)))


def _plain(value: Any) -> Any:
    if is_array(value):
        return value.tolist()
    if is_object(value):
        return {name: _plain(part) for name, part in value.items()}
    if is_list(value):
        return [_plain(part) for part in value]
    return value


def _parse_predictions(payload: Any, reply: Reply) -> Tensors:
    """Read outputs by name; rows of several outputs are put together, one output has no name."""
    found = payload["predictions"] if "predictions" in payload else payload["outputs"]
    outputs: Mapping[str, Any] = {"output": found}
    if is_object(found):
        outputs = found
    elif is_list(found) and found and all(is_object(row) for row in found):
        rows = cast("list[dict[str, Any]]", found)
        outputs = {name: [row[name] for row in rows] for name in rows[0]}
    return Tensors(outputs=outputs, raw=payload, **sent_as(reply))


def metadata_flow(
    setup: Setup, /, model: str, *, version: int | str | None = None, **options: Any
) -> Flow[Info]:
    """Tell the inputs and outputs of a model: names, datatypes and shapes."""
    path = model_path("v2", model, version)
    if setup.own["dialect"] == "tfs":
        path = f"{model_path('v1', model, version)}/metadata"
    return (yield from one(Ask(get_request("metadata", path, options, model=model), parse_info)))


def status_flow(
    setup: Setup, /, model: str, *, version: int | str | None = None, **options: Any
) -> Flow[Health]:
    """Say whether a model is ready to work; false where it is not loaded, or not there."""
    is_older = setup.own["dialect"] == "tfs"
    path = model_path("v1" if is_older else "v2", model, version)
    request = get_request(
        "status", path if is_older else f"{path}/ready", options, model=model, accepts=_NOT_READY
    )
    found = yield from one(Ask(request, read=read_health))
    if is_older and found.is_healthy:
        return _available(found)
    return found


def _available(found: Health) -> Health:
    """Look at the states of the versions: the status of the answer tells nothing of them."""
    versions: Any = found.raw.get("model_version_status") if is_object(found.raw) else None
    states = [item.get("state") for item in versions or () if is_object(item)]
    return replace(found, is_healthy="AVAILABLE" in states)


def build_ovms_tokenize(_: Setup, /, model: str, text: Any, **options: Any) -> Request:
    """Cut a text, or each of a list, into the tokens of a model."""
    return json_request("tokenize", "v3/tokenize", {"model": model, "text": text}, options)


def parse_ovms_tokens(payload: Any, reply: Reply) -> Tokens:
    """Read the ids of the tokens; those of a single text are not in a list of their own."""
    tokens: Any = payload["tokens"]
    rows: Any = tokens if tokens and is_list(tokens[0]) else [tokens]
    ids = tuple(tuple(int(token) for token in row) for row in rows)
    return Tokens(ids=ids, raw=payload, **sent_as(reply))


class _Events(ServerSentEvents):
    """Server-sent events among which an error may stand as it is, without `data:`."""

    def _take(self, line: str) -> ServerSentEvent | None:
        if line.startswith("{"):
            return ServerSentEvent(line, "error")
        return super()._take(line)


def read_ovms_stream(
    errors: ErrorTable, headers: Headers, forms: tuple[str, ...]
) -> EventReader[ServerSentEvent] | None:
    """Make the reader of a streamed chat."""
    return read_chat_stream(errors, headers, forms, decoder=_Events())
