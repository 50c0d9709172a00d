"""Batching: concurrent calls with one input each become one request, where an API takes a list.

Each caller gets a result of its own. What is known of the whole request alone (`raw`, the headers,
attempts, key and the server's id) is the same in all of them; usage is shared out.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Generic, NamedTuple, TypeVar

from adapters._messages import Result
from adapters._results import Embeddings, Moderations, Predictions
from adapters._setup import Setup
from resilience._record import record

__all__ = [
    "EMBEDDINGS",
    "MODERATIONS",
    "PREDICTIONS",
    "Combining",
    "Single",
    "single_call",
    "weights_of",
]

R = TypeVar("R", bound=Result)


def _text_or_none(value: object) -> object:
    return str if isinstance(value, str) else None


@record
class Combining(Generic[R]):
    """How single calls of an operation become one.

    Attributes:
        parameter: The name of the parameter that takes one input, or several.
        take_apart: Makes a result for each of the inputs of the joined one, in their order.
        kind_of: Says of what kind an input is: those of one kind go together, and what is None
            goes alone. By default every text goes with every other, and all else alone.
        join: Makes one argument of several inputs.
    """

    parameter: str
    take_apart: Callable[[R, Sequence[Any]], list[R]]
    kind_of: Callable[[Any], object] = _text_or_none
    join: Callable[[Sequence[Any]], Any] = list


class Single(NamedTuple):
    """A call that may share a request with others.

    Attributes:
        input: Its input.
        others: All other arguments, by name; calls that differ in them share none.
        kind: Of the input.
    """

    input: Any
    others: dict[str, Any]
    kind: object


def single_call(
    combining: Combining[Any],
    operation: str,
    setup: Setup,
    signature: inspect.Signature,
    arguments: tuple[tuple[Any, ...], Mapping[str, Any]],
) -> Single | None:
    """Return a call taken to pieces, or None where it is sent by itself.

    So goes every list of inputs: it is sent as it is.
    """
    if setup.batch_operations is not None and operation not in setup.batch_operations:
        return None
    try:
        others = signature.bind(*arguments[0], **arguments[1]).arguments
    except TypeError:  # told by whoever makes the call
        return None
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            others.update(others.pop(parameter.name, {}))
    given = others.pop(combining.parameter)
    model = str(others.get("model") or "")
    if not any(fnmatchcase(model, pattern) for pattern in setup.batch_models):
        return None
    kind = combining.kind_of(given)
    return None if kind is None else Single(given, others, kind)


def weights_of(inputs: Sequence[str]) -> list[int]:
    """Return by what a usage is shared out: the characters are what is known of the tokens."""
    return [max(1, len(each)) for each in inputs]


def _each_embedding(joined: Embeddings, inputs: Sequence[str]) -> list[Embeddings]:
    """Give each input its vector."""
    shares = joined.usage.shares(weights_of(inputs))
    pairs = zip(joined.vectors, shares, strict=True)
    return [replace(joined, vectors=[vector], usage=share) for vector, share in pairs]


def _each_moderation(joined: Moderations, _: Sequence[str]) -> list[Moderations]:
    """Give each input its verdict."""
    verdicts = zip(joined.flagged, joined.scores, strict=True)
    return [replace(joined, flagged=(flag,), scores=(scores,)) for flag, scores in verdicts]


def _each_prediction(joined: Predictions, inputs: Sequence[str]) -> list[Predictions]:
    """Give each input its classes."""
    shares = joined.usage.shares(weights_of(inputs))
    found = zip(joined.labels, joined.scores, shares, strict=True)
    return [
        replace(joined, labels=(label,), scores=(scores,), usage=share)
        for label, scores, share in found
    ]


EMBEDDINGS = Combining(parameter="inputs", take_apart=_each_embedding)
MODERATIONS = Combining(parameter="inputs", take_apart=_each_moderation)
PREDICTIONS = Combining(parameter="inputs", take_apart=_each_prediction)
