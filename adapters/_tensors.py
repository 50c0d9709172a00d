"""Tensors of KServe v2: JSON numbers, or raw bytes behind the JSON. Pure.

Source: the Open Inference Protocol, and its binary tensor data extension.
numpy is used where the caller does: arrays in, arrays out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from math import prod
from typing import Any, cast

from adapters._json import is_object
from resilience._record import record
from resilience._rules import fail

__all__ = ["Tensor", "as_array", "as_nested", "encode_tensor", "is_array", "split_bytes"]

# Datatype to its letter in `struct`, and the name of numpy's; BYTES has elements of any length.
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
_OF_NUMPY = {
    "bool": "BOOL",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "bfloat16": "BF16",
    **{f"int{bits}": f"INT{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"UINT{bits}" for bits in (8, 16, 32, 64)},
}
_TO_NUMPY = {datatype: name for name, datatype in _OF_NUMPY.items() if datatype != "BF16"}
# Datatype of lists to what they may hold; the first that fits.
_OF_PYTHON: Mapping[str, set[type]] = {
    "BOOL": {bool},
    "INT64": {int},
    "FP32": {int, float},
    "BYTES": {str, bytes},
}
_DEEPEST = 64  # dimensions that an array of numpy can have; a list inside itself has no end
_WITHOUT_JSON = frozenset({"FP16", "BF16"})


@record(kw_only=False)
class Tensor:
    """An input, ready to be written.

    Attributes:
        name: Of the input.
        datatype: As KServe writes it.
        shape: The size of each dimension.
        elements: Numbers, truth values, texts or bytes, row by row.
        raw: Their bytes where an array gave them, else None.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    elements: Sequence[Any]
    raw: bytes | None = None

    @property
    def needs_bytes(self) -> bool:
        """Say whether JSON cannot carry it."""
        is_binary = any(isinstance(element, bytes) for element in self.elements)
        return self.raw is not None or self.datatype in _WITHOUT_JSON or is_binary

    def described(self) -> dict[str, Any]:
        """Return what stands in the JSON in any case."""
        return {"name": self.name, "shape": list(self.shape), "datatype": self.datatype}

    def content(self) -> bytes:
        """Return the elements as bytes, little end first.

        Raises:
            SettingsError: if one does not fit the datatype.
        """
        if self.raw is not None:
            return self.raw
        if self.datatype == "BYTES":
            return join_bytes(self.elements)
        letter = _LETTERS.get(self.datatype)
        if letter is None:
            fail(f"inputs[{self.name!r}]", "must be an array for this datatype", self.datatype)
        try:
            return struct.pack(f"<{len(self.elements)}{letter}", *self.elements)
        except (struct.error, OverflowError):
            fail(f"inputs[{self.name!r}]", f"must hold what fits {self.datatype}", "another")


def is_array(value: object) -> bool:
    """Say whether it is an array of numpy, or of a library that acts like it."""
    return all(hasattr(value, name) for name in ("dtype", "shape", "tobytes"))


def encode_tensor(name: str, value: Any, *, as_bytes: bool) -> Tensor:
    """Make an input of an array, of nested lists, or of an object with `data`.

    Args:
        name: Of the input.
        value: Nested lists get the datatype of their elements (BOOL, INT64, FP32 or BYTES); in an
            object `datatype` and `shape` may stand beside `data`.
        as_bytes: Whether an array is sent as it lies in memory, and not as numbers.

    Raises:
        SettingsError: if lists at one depth differ in length, or nothing tells the datatype.
    """
    if is_array(value):
        return _of_array(name, value, as_bytes=as_bytes)
    given: Mapping[str, Any] = value if is_object(value) else {"data": value}
    data = given.get("data")
    if is_array(data):
        return _of_array(name, data, as_bytes=as_bytes)
    found = tuple(_shape(name, data))
    shape = tuple(given.get("shape") or found)
    elements = list(_flat(data))
    if len(elements) != prod(shape):
        fail(f"inputs[{name!r}]", f"must have as many elements as {shape}", len(elements))
    datatype = given.get("datatype") or _datatype(name, elements)
    return Tensor(name, str(datatype), shape, elements)


def _of_array(name: str, array: Any, *, as_bytes: bool) -> Tensor:
    kind = str(array.dtype.name)
    shape = tuple(int(size) for size in array.shape)
    if array.dtype.kind in "OSU":
        return Tensor(name, "BYTES", shape, array.ravel().tolist())
    if kind not in _OF_NUMPY:
        fail(f"inputs[{name!r}]", f"must be of one of {', '.join(_OF_NUMPY)}", kind)
    datatype = _OF_NUMPY[kind]
    if not as_bytes and datatype not in _WITHOUT_JSON:
        return Tensor(name, datatype, shape, array.ravel().tolist())
    small_end = array if kind == "bfloat16" else array.astype(array.dtype.newbyteorder("<"))
    return Tensor(name, datatype, shape, (), small_end.tobytes())


def _shape(name: str, value: Any) -> Iterator[int]:
    """Give the sizes of nested lists, which must be the same at each depth."""
    for depth in count():
        if not isinstance(value, list | tuple):
            return
        if depth == _DEEPEST:
            fail(f"inputs[{name!r}]", f"must be nested at most {_DEEPEST} deep", type(value))
        rows = cast("Sequence[Any]", value)
        yield len(rows)
        sizes = {len(row) if isinstance(row, list | tuple) else None for row in rows}
        if len(sizes) > 1:
            fail(f"inputs[{name!r}]", "must have lists of one length at each depth", sizes)
        value = rows[0] if rows else None


def _flat(value: Any) -> Iterator[Any]:
    if not isinstance(value, list | tuple):
        yield value
        return
    for part in cast("Sequence[Any]", value):
        yield from _flat(part)


def _datatype(name: str, elements: Sequence[Any]) -> str:
    kinds = {type(element) for element in elements}
    found = next((name for name, allowed in _OF_PYTHON.items() if kinds and kinds <= allowed), None)
    if found is None:
        words = sorted(kind.__name__ for kind in kinds)
        fail(f"inputs[{name!r}]", "must hold numbers, truth values or texts alone", words)
    return found


def join_bytes(elements: Sequence[Any]) -> bytes:
    """Write elements of any length, each behind its length in four bytes."""
    parts = [part if isinstance(part, bytes) else str(part).encode() for part in elements]
    return b"".join(struct.pack("<I", len(part)) + part for part in parts)


def split_bytes(content: bytes) -> list[bytes]:
    """Read what `join_bytes` writes.

    Raises:
        ValueError: if a length does not fit.
    """
    found: list[bytes] = []
    place = 0
    while place < len(content):
        head = content[place : place + 4]
        end = place + 4 + int.from_bytes(head, "little")
        if len(head) < 4 or end > len(content):  # noqa: PLR2004 - the length's own length
            msg = "the lengths of the elements do not fit"
            raise ValueError(msg)
        found.append(content[place + 4 : end])
        place = end
    return found


def as_nested(datatype: str, shape: Sequence[int], content: bytes | Sequence[Any]) -> Any:
    """Make nested lists of raw bytes, or of elements row by row.

    Raises:
        ValueError: if there are more or fewer elements than the shape has.
    """
    elements = _decoded(datatype, content) if isinstance(content, bytes) else list(content)
    if len(elements) != prod(shape):
        msg = "the number of elements does not fit the shape"
        raise ValueError(msg)
    for size in reversed(shape[1:]):
        elements = [elements[at : at + size] for at in range(0, len(elements), size or 1)]
    return elements if shape else elements[0]


def _decoded(datatype: str, content: bytes) -> list[Any]:
    if datatype == "BYTES":
        return [_as_text(element) for element in split_bytes(content)]
    if datatype == "BF16" and not len(content) % 2:  # the upper half of a 32-bit float
        halves = [content[at : at + 2] for at in range(0, len(content), 2)]
        return [struct.unpack("<f", b"\0\0" + half)[0] for half in halves]
    letter = _LETTERS[datatype]
    if len(content) % struct.calcsize(f"<{letter}"):
        msg = f"the bytes are no elements of {datatype}"
        raise ValueError(msg)
    return [number for (number,) in struct.iter_unpack(f"<{letter}", content)]


def _as_text(element: bytes) -> str | bytes:
    try:
        return element.decode()
    except UnicodeDecodeError:
        return element


def as_array(datatype: str, shape: Sequence[int], content: bytes | Sequence[Any]) -> Any:
    """Make an array of numpy of the same; texts stay bytes, as tritonclient has it."""
    import numpy as np  # noqa: PLC0415 - only who hands in arrays has it

    if datatype == "BYTES":
        parts = split_bytes(content) if isinstance(content, bytes) else content
        texts = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
        return np.array(texts, dtype=object).reshape(shape)
    if datatype not in _TO_NUMPY:
        nested = as_nested(datatype, shape, content)
        return np.array(nested, dtype="float32")
    kind = np.dtype(_TO_NUMPY[datatype]).newbyteorder("<")
    if isinstance(content, bytes):
        return np.frombuffer(content, dtype=kind).reshape(shape)
    return np.array(content, dtype=kind).reshape(shape)
