"""The routes of an older framework's "LLVM" API, and which dialect an operation belongs to. Pure.

No public server speaks these routes; who has one of his own finds here what that framework sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from adapters._build import json_request
from adapters._fields import path_part, texts_of
from adapters._flows import Ask, Flow, one
from adapters._json import is_object, word_or_none
from adapters._messages import Reply, Request, sent_as
from adapters._openai_answers import parse_models
from adapters._openai_style import build_models
from adapters._results import Health, Info, Models, Tensors
from adapters._servers import get_request, health_at, info_at, parse_info, read_health
from adapters._setup import Setup
from adapters.errors import InvalidResponseError
from resilience._rules import fail

__all__ = [
    "batch_infer_flow",
    "build_infer",
    "health_flow",
    "info_flow",
    "models_flow",
    "of_vllm",
    "parse_infer",
]

P = ParamSpec("P")
R = TypeVar("R")


def of_vllm(
    build: Callable[Concatenate[Setup, P], R],
) -> Callable[Concatenate[Setup, P], R]:
    """Keep an operation to the dialect "vllm"."""

    @wraps(build)
    def checked(setup: Setup, /, *args: P.args, **kwargs: P.kwargs) -> R:
        _check_dialect(setup, "vllm")
        return build(setup, *args, **kwargs)

    return checked


def _is_older(setup: Setup) -> bool:
    return bool(setup.own["dialect"] == "llvm")


def _check_dialect(setup: Setup, wanted: str) -> None:
    if setup.own["dialect"] != wanted:
        fail("dialect", f"must be {wanted!r} for this operation", setup.own["dialect"])


def build_infer(setup: Setup, /, model: str, value: Any, **options: Any) -> Request:
    """Let a model work on a value of any kind, in the dialect "llvm".

    Args:
        model: The name of the model.
        value: The input, which JSON must be able to express.
        options: Those of every call; every other one is one of the request's `parameters`.
    """
    _check_dialect(setup, "llvm")
    return _request(model, "infer", {"input": value}, options)


def batch_infer_flow(
    setup: Setup, /, model: str, values: Sequence[Any], **options: Any
) -> Flow[Tensors]:
    """Let a model work on several values at once; the output has one result for each, in order."""
    _check_dialect(setup, "llvm")
    request = _request(model, "batch_infer", {"inputs": texts_of("values", values)}, options)
    return (yield from one(Ask(request, partial(_parse_batch, model, len(values)))))


def _request(
    model: str, route: str, fields: Mapping[str, Any], options: Mapping[str, Any]
) -> Request:
    parameters = dict(options)
    extra = {name: parameters.pop(name, None) for name in ("extra_headers", "extra_body")}
    parameters.update(parameters.pop("parameters", None) or {})
    body = {**fields, "parameters": parameters} if parameters else fields
    path = f"models/{path_part('model', model)}/{route}"
    return replace(json_request("infer", path, body, extra), model=model)


def parse_infer(payload: Any, reply: Reply) -> Tensors:
    """Read what a model has made of the one value."""
    found = payload["outputs"]
    outputs: Mapping[str, Any] = found if is_object(found) else {"output": found}
    model = word_or_none(payload.get("model_id"))
    return Tensors(outputs=outputs, model=model, raw=payload, **sent_as(reply))


def _parse_batch(model: str, count: int, payload: Any, reply: Reply) -> Tensors:
    results = payload["results"]
    if len(results) != count:
        msg = f"the answer has {len(results)} results for {count} inputs"
        raise InvalidResponseError(msg, retryable=True)
    return Tensors(outputs={"output": results}, model=model, raw=payload, **sent_as(reply))


def models_flow(setup: Setup, /, **options: Any) -> Flow[Models]:
    """List the models."""
    if _is_older(setup):
        return (yield from one(Ask(get_request("models", "models", options), _parse_names)))
    return (yield from one(Ask(build_models(setup, **options), parse_models)))


def _parse_names(payload: Any, reply: Reply) -> Models:
    return Models(
        names=tuple(_name(model) for model in payload["models"]), raw=payload, **sent_as(reply)
    )


def _name(model: Any) -> str:
    return model if isinstance(model, str) else str(model["model_id"])


def health_flow(setup: Setup, /, **options: Any) -> Flow[Health]:
    """Say whether the server is ready to work; false where it says itself that it is not."""
    build = health_at("status" if _is_older(setup) else "health")
    return (yield from one(Ask(build(setup, **options), read=read_health)))


def info_flow(setup: Setup, /, **options: Any) -> Flow[Info]:
    """Tell what the server says about itself: its version, in the dialect "llvm" its status."""
    build = info_at("status" if _is_older(setup) else "version")
    return (yield from one(Ask(build(setup, **options), parse_info)))
