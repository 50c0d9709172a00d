"""The cost of a step, counted in lines that run and not by a clock."""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn

__all__ = ["Ends", "lines_run"]


def lines_run(step: Callable[[], object]) -> int:
    """How many lines of Python the call runs, loops included; what is inside of C is not seen."""
    count = 0

    def trace(_frame: object, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    gc.collect()
    gc.disable()  # what it would run just then is no part of the step
    sys.settrace(trace)
    try:
        step()
    finally:
        sys.settrace(before)
        gc.enable()
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
