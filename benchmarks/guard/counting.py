"""The cost of a call as two numbers that every machine agrees on."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping
from operator import gt
from pathlib import Path
from threading import get_ident
from types import FrameType
from typing import Any, NamedTuple

__all__ = ["LIMITS", "Cost", "cost_of", "exceeded"]

LIMITS = Path(__file__).with_name("limits.json")

_TOOL = 4  # of the six that a process may have; nobody else's
_WARM = 20  # calls before the one that is counted: caches are filled, and code is specialised


class Cost(NamedTuple):
    """What a call takes.

    Attributes:
        instructions: Of the interpreter, in all Python code that runs.
        c_calls: Calls of functions that are written in C, each of whatever length.
    """

    instructions: int
    c_calls: int


def cost_of(step: Callable[[], object]) -> Cost:
    """Count one call, after some that warm it up; other threads are not counted."""
    for _ in range(_WARM):
        step()
    gc.collect()
    gc.disable()  # what it would run just then is no part of the call
    try:
        return Cost(_instructions(step), _c_calls(step))
    finally:
        gc.enable()


def _instructions_by_trace(step: Callable[[], object]) -> int:
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        step()
    finally:
        sys.settrace(before)
    return count


def _instructions_by_monitoring(step: Callable[[], object]) -> int:
    """Count where `sys.monitoring` is there: its Pythons lose instructions when they trace."""
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
    event, here = monitoring.events.INSTRUCTION, get_ident()
    count = 0

    def ran(*_: object) -> None:
        nonlocal count
        count += get_ident() == here

    monitoring.use_tool_id(_TOOL, "guard")
    monitoring.register_callback(_TOOL, event, ran)
    monitoring.set_events(_TOOL, event)
    try:
        step()
    finally:
        monitoring.set_events(_TOOL, 0)
        monitoring.register_callback(_TOOL, event, None)
        monitoring.free_tool_id(_TOOL)
    return count


_instructions = (
    _instructions_by_monitoring if sys.version_info >= (3, 12) else _instructions_by_trace
)


def _c_calls(step: Callable[[], object]) -> int:
    count = 0

    def profile(_frame: FrameType, event: str, _: Any) -> None:
        nonlocal count
        count += event == "c_call"

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        step()
    finally:
        sys.setprofile(before)
    return count - 1  # that of `sys.setprofile` itself


def exceeded(costs: Mapping[str, Cost], limits: Mapping[str, Cost]) -> list[str]:
    """Say which costs are above their limits, or have none."""
    return [
        f"{name}: {cost.instructions} instructions and {cost.c_calls} C calls, "
        f"the limit is {limits.get(name)}; is it meant? python -m benchmarks.guard --write"
        for name, cost in costs.items()
        if name not in limits or any(map(gt, cost, limits[name]))
    ]
