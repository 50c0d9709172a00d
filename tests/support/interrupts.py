"""Ctrl-C at any point at which the interpreter looks for it, one point after the other."""

from __future__ import annotations

import dis
import gc
import inspect
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

__all__ = ["Untraced", "interrupted_everywhere"]

# The interpreter looks for signals when a function begins, when it jumps back, and after the call
# of a function that is not written in Python; not when a Python function returns. What a trace
# function raises before the instruction that follows has the same effect as a signal there.
_LOOKS = ("JUMP_BACKWARD", "CALL", "WITH_EXCEPT_START")
_PACKAGE = "/resilience/"


def interrupted_everywhere(body: Callable[[], object]) -> Iterator[str]:
    """Run the body again and again, each time interrupted at the next point in the package.

    Yields where it was, after the interruption has come out of the body; ends when the body runs
    to its end.
    """
    _trace(body, -1)  # some versions of Python follow each instruction from the second time on
    for number in range(10_000):
        place = _trace(body, number)
        if not place:
            return
        yield place


class Untraced:
    """Code in it is not interrupted."""

    def __enter__(self) -> None:
        self.tracer = sys.gettrace()
        sys.settrace(None)

    def __exit__(self, *_: object) -> None:
        sys._getframe().f_trace_opcodes = True  # as in `interrupted_everywhere`
        sys.settrace(self.tracer)


def _trace(body: Callable[[], object], number: int) -> str:
    tracer = _Tracer(number)
    sys._getframe().f_trace_opcodes = True  # from Python 3.12 on it must be so at `settrace`
    gc.disable()  # what it would run just then is the end of some other test's objects
    sys.settrace(tracer)
    try:
        body()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(None)
        gc.enable()
    return tracer.place


class _Tracer:
    def __init__(self, number: int) -> None:
        self.left = number
        self.place = ""
        self.looks: dict[FrameType, str] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_back is not None:
            self.looks.pop(frame.f_back, None)  # it calls a Python function
        if _PACKAGE not in frame.f_code.co_filename or "/tests/" in frame.f_code.co_filename:
            return None
        frame.f_trace_opcodes = True
        if frame.f_code.co_flags & inspect.CO_GENERATOR:  # it goes on, or it is closed
            self.looks[frame] = "RESUME"
        elif not self.place:
            self.count(frame)
        return self.trace

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "opcode" and frame.f_lineno is not None:  # else its generator is being closed
            if self.looks.pop(frame, None) and not self.place:
                self.count(frame)
            name = dis.opname[frame.f_code.co_code[frame.f_lasti]]
            if name.startswith(_LOOKS):
                self.looks[frame] = name
        elif event == "return":
            self.looks.pop(frame, None)
        return self.trace

    def count(self, frame: FrameType) -> None:
        """Interrupt, if this is the point whose turn it is."""
        self.left -= 1
        if self.left == -1:
            code = frame.f_code
            self.place = f"{code.co_qualname}:{frame.f_lineno}"
            raise KeyboardInterrupt
