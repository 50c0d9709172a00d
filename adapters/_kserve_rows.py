"""Tensors of several calls put together along their first dimension, and taken apart again. Pure.

A model has to take any number of rows for it: its metadata say -1 for the first dimension.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from adapters._combining import Combining
from adapters._json import is_object
from adapters._results import Tensors
from adapters._tensors import encode_tensor, is_array
from adapters.errors import InvalidResponseError
from resilience.errors import SettingsError

__all__ = ["ROWS"]


def _kind_of(inputs: Any) -> object:
    """Say names, datatypes and shapes of what has rows; None where an input has none, or its own.

    Arrays and lists do not go together: outputs come as what the inputs are.
    """
    if not is_object(inputs) or any(is_object(value) for value in inputs.values()):
        return None
    try:
        tensors = [encode_tensor(name, value, as_bytes=True) for name, value in inputs.items()]
    except SettingsError:  # told when the call is made
        return None
    rows = {tensor.shape[0] if tensor.shape else 0 for tensor in tensors}
    if len(rows) != 1 or not rows.isdisjoint({0}):
        return None
    kinds = [(tensor.name, tensor.datatype, tensor.shape[1:]) for tensor in tensors]
    return [*kinds, [is_array(value) for value in inputs.values()]]


def _join(calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: _stacked([inputs[name] for inputs in calls]) for name in calls[0]}


def _stacked(parts: Sequence[Any]) -> Any:
    if is_array(parts[0]):
        return import_module("numpy").concatenate(parts)
    return [row for part in parts for row in part]


def _take_apart(joined: Tensors, calls: Sequence[Mapping[str, Any]]) -> list[Tensors]:
    """Give each call the rows that are its own.

    Raises:
        InvalidResponseError: if an output does not have a row for each of the input.
    """
    sizes = [len(next(iter(inputs.values()))) for inputs in calls]
    for name, output in joined.outputs.items():
        if not hasattr(output, "__len__") or len(output) != sum(sizes):
            msg = f"the output {name!r} does not have a row for each of the {sum(sizes)} sent"
            raise InvalidResponseError(msg)
    results: list[Tensors] = []
    begin = 0
    for size in sizes:
        rows = slice(begin, begin + size)
        outputs = {name: output[rows] for name, output in joined.outputs.items()}
        results.append(replace(joined, outputs=outputs))
        begin += size
    return results


ROWS = Combining(parameter="inputs", take_apart=_take_apart, kind_of=_kind_of, join=_join)
