"""Tensors as KServe v2 sends them: JSON numbers, or raw bytes behind the JSON. No numpy needed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NoReturn

from adapters.emulator.protocol import Problem, Refusal

__all__ = ["Tensor", "decode_binary", "decode_json", "encode_binary", "flat", "refuse_tensor"]

# Datatype to its letter in `struct`; BYTES has a length of its own for each element.
_LETTERS = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor: its elements row by row; numbers, truth values, or bytes."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: Sequence[Any]


def refuse_tensor(message: str) -> NoReturn:
    """Refuse a request for what is wrong with a tensor (400)."""
    raise Refusal(Problem(400, message))


def flat(value: Any) -> list[Any]:
    """Give the elements of nested lists in their order."""
    if not isinstance(value, list):
        return [value]
    return [element for part in value for element in flat(part)]


def _size(item: dict[str, Any]) -> int:
    shape = item.get("shape")
    if not isinstance(shape, list) or not all(isinstance(n, int) and n >= 0 for n in shape):
        refuse_tensor("Invalid shape in inputs")
    return prod(shape)


def _letter(item: dict[str, Any]) -> str:
    letter = _LETTERS.get(str(item.get("datatype")))
    if letter is None:
        refuse_tensor(f"Invalid datatype: {item.get('datatype')}")
    return letter


def decode_json(item: dict[str, Any]) -> Tensor:
    """Read an input that has its elements in `data`."""
    datatype, elements = str(item.get("datatype")), flat(item.get("data", []))
    if datatype == "FP16":
        refuse_tensor("FP16 is not supported in JSON, use the binary extension")
    if len(elements) != _size(item):
        refuse_tensor("Values count does not match the shape")
    if datatype == "BYTES":
        elements = [str(element).encode() for element in elements]
    else:
        elements = [_element(_letter(item), element) for element in elements]
    return Tensor(str(item.get("name")), datatype, tuple(item["shape"]), elements)


def _element(letter: str, value: Any) -> Any:
    """Give an element as this type holds it."""
    convert: Callable[[Any], Any] = float if letter in "fd" else bool if letter == "?" else int
    try:
        return struct.unpack(f"<{letter}", struct.pack(f"<{letter}", convert(value)))[0]
    except (TypeError, ValueError, struct.error, OverflowError):
        refuse_tensor("Invalid value in data")


def decode_binary(item: dict[str, Any], content: bytes) -> Tensor:
    """Read an input from its raw bytes, little end first."""
    size, datatype = _size(item), str(item.get("datatype"))
    if datatype == "BYTES":
        elements: Sequence[Any] = _split_bytes(content)
    else:
        letter = _letter(item)
        if len(content) != struct.calcsize(f"<{size}{letter}"):
            refuse_tensor("Invalid size of binary input")
        elements = struct.unpack(f"<{size}{letter}", content)
    if len(elements) != size:
        refuse_tensor("Values count does not match the shape")
    return Tensor(str(item.get("name")), datatype, tuple(item["shape"]), elements)


def _split_bytes(content: bytes) -> list[bytes]:
    """Cut elements that each have their length in four bytes in front."""
    found, place = [], 0
    while place < len(content):
        if place + 4 > len(content):
            refuse_tensor("Invalid length of a BYTES element")
        (length,) = struct.unpack_from("<I", content, place)
        place += 4 + length
        if place > len(content):
            refuse_tensor("Invalid length of a BYTES element")
        found.append(content[place - length : place])
    return found


def encode_binary(tensor: Tensor) -> bytes:
    """Write a tensor's elements, little end first."""
    if tensor.datatype == "BYTES":
        return b"".join(struct.pack("<I", len(element)) + element for element in tensor.data)
    try:
        return struct.pack(f"<{len(tensor.data)}{_LETTERS[tensor.datatype]}", *tensor.data)
    except (struct.error, OverflowError):
        refuse_tensor("The result does not fit its datatype")
