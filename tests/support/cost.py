"""The cost of a step, counted in instructions and not by a clock."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["Ends", "instructions"]


def instructions(step: Callable[[], object]) -> int:
    """How many instructions the interpreter executes for a call; what is inside of C is not seen.

    Lines are counted beside them, since some versions of Python trace no instructions.
    """
    count = 0

    def trace(frame: Any, event: str, _: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event in ("line", "opcode")
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        step()
    finally:
        sys.settrace(before)
    if not count:
        raise AssertionError("nothing was traced")
    return count


class Ends(deque[Any]):
    """A deque that can be used at its ends alone, so that no C code walks through it unseen."""

    def _refuse(self, *_: object) -> NoReturn:
        raise AssertionError("somebody walks through the whole deque")

    __contains__ = __iter__ = __reversed__ = copy = count = index = remove = rotate = _refuse
    __add__ = __eq__ = __iadd__ = __lt__ = __mul__ = extend = insert = reverse = _refuse
    __hash__ = None
