"""The models behind KServe's and TensorFlow-Serving's routes: sums that a client can check."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from adapters.emulator._tensors import Tensor, refuse_tensor
from adapters.emulator.answers import expected_answer
from adapters.emulator.protocol import Call, Problem, Refusal

__all__ = ["MODELS", "Inference", "find", "run"]

Spec = Mapping[str, tuple[str, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Inference:
    """A model: inputs and outputs by name, each a datatype and a shape in which -1 is any size."""

    name: str
    inputs: Spec
    outputs: Spec
    compute: Callable[[Sequence[Tensor], int], Sequence[Sequence[Any]]]


def _double(inputs: Sequence[Tensor], _seed: int) -> Sequence[Sequence[Any]]:
    return [[2 * number for number in inputs[0].data]]


def _arithmetic(inputs: Sequence[Tensor], _seed: int) -> Sequence[Sequence[Any]]:
    first, second = (tensor.data for tensor in inputs)
    if len(first) != len(second):
        refuse_tensor("Invalid input shape: the inputs differ")
    return [list(map(operator.add, first, second)), list(map(operator.sub, first, second))]


def _answer(inputs: Sequence[Tensor], seed: int) -> Sequence[Sequence[Any]]:
    texts = [element.decode(errors="replace") for element in inputs[0].data]
    return [[expected_answer(text, seed=seed).encode() for text in texts]]


MODELS = {
    model.name: model
    for model in (
        Inference("double", {"x": ("FP32", (-1, 4))}, {"y": ("FP32", (-1, 4))}, _double),
        Inference(
            "arithmetic",
            {"a": ("INT64", (-1, 2)), "b": ("INT64", (-1, 2))},
            {"sum": ("INT64", (-1, 2)), "difference": ("INT64", (-1, 2))},
            _arithmetic,
        ),
        Inference("answer", {"text": ("BYTES", (-1,))}, {"answer": ("BYTES", (-1,))}, _answer),
        Inference("fixed", {"x": ("FP32", (1, 3))}, {"y": ("FP32", (1, 3))}, _double),
        Inference("half", {"x": ("FP16", (-1, 2))}, {"y": ("FP16", (-1, 2))}, _double),
    )
}


def find(call: Call) -> Inference:
    """Find the model of a path, in a version that there is; 0 stands for the latest.

    Raises:
        Refusal: 404.
    """
    model = MODELS.get(call.params["model"])
    if model is None:
        raise Refusal(Problem(404, "Model with requested name is not found"))
    if call.params.get("version", "1") not in {"0", "1"}:
        raise Refusal(Problem(404, "Model with requested version is not found"))
    return model


def run(model: Inference, given: Sequence[Tensor], seed: int) -> list[Tensor]:
    """Compute the outputs of inputs that fit; raises `Refusal` (400) for others."""
    named = {tensor.name: tensor for tensor in given}
    if len(given) != len(model.inputs):
        refuse_tensor("Invalid number of inputs")
    for name, (datatype, shape) in model.inputs.items():
        if name not in named:
            refuse_tensor(f"Missing input with specific name: {name}")
        _check(named[name], datatype, shape)
    ordered = [named[name] for name in model.inputs]
    rows = ordered[0].shape[0]
    return [
        Tensor(name, datatype, _shape(shape, rows), data)
        for (name, (datatype, shape)), data in zip(
            model.outputs.items(), model.compute(ordered, seed), strict=True
        )
    ]


def _check(tensor: Tensor, datatype: str, shape: tuple[int, ...]) -> None:
    if tensor.datatype != datatype:
        message = f"Invalid input precision - Expected: {datatype}; Actual: {tensor.datatype}"
        refuse_tensor(message)
    fits = len(shape) == len(tensor.shape) and all(
        wanted in {-1, size} for wanted, size in zip(shape, tensor.shape, strict=True)
    )
    if not fits:
        which = "batch size" if tensor.shape[1:] == shape[1:] else "input shape"
        refuse_tensor(f"Invalid {which} - Expected: {shape}; Actual: {tensor.shape}")
    if len(tensor.data) != prod(tensor.shape):
        refuse_tensor("Values count does not match the shape")


def _shape(shape: tuple[int, ...], rows: int) -> tuple[int, ...]:
    return tuple(rows if size == -1 else size for size in shape)
