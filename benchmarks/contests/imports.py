"""Importing, in a process of its own each time: seconds of the processor.

Ours load what a name needs when the name is asked for, so the rows ask for names, and say beside
it what all of them take, and what a client takes that is ready for its first call.
Bytecode is kept, whatever the environment says: after the first time, which does not count,
nobody compiles.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from benchmarks.harness import PLAIN, Contest
from benchmarks.samples import own_figure

__all__ = ["CONTESTS"]

_ROOT = Path(__file__).parents[2]
_CODE = "import time; began = time.process_time(); {}; print(time.process_time() - began)"


def _seconds(statement: str, number: int) -> float:
    command = [sys.executable, "-c", _CODE.format(statement)]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    outputs = [
        subprocess.check_output(command, cwd=_ROOT, env=environment, text=True)  # noqa: S603
        for _ in range(number)
    ]
    return sum(map(float, outputs)) / number


def _importing(module: str, statement: str | None = None) -> Callable[[], Callable[[int], float]]:
    def make() -> Callable[[int], float]:
        if find_spec(module) is None:
            raise ModuleNotFoundError(module)
        return partial(_seconds, statement or f"import {module}")

    return make


_CLIENT = "from adapters import openai; openai.Client('made-up')"

# wrapt + 25 ms where wrapt took 134 ms; requests + 40 ms where it took 190 ms.
_GOAL = (134 + 25) / 134
_GOAL_OF_ADAPTERS = (190 + 40) / 190

CONTESTS = (
    Contest(
        name="import-resilience",
        title="`from resilience import retry`",
        contestants={
            "wrapt": _importing("wrapt"),
            PLAIN: _importing("resilience", "from resilience import retry"),
            "`import resilience`": _importing("resilience"),
            "every name of it": _importing("resilience", "from resilience import *"),
            "tenacity": _importing("tenacity"),
            "stamina": _importing("stamina"),
            "pyresilience": _importing("pyresilience"),
        },
        baseline="wrapt",
        unit="× wrapt",
        goals={PLAIN: _GOAL},
        sample=own_figure,
        echoes=False,
        number=1,
        shown="ms",
        weight=20,
    ),
    Contest(
        name="import-adapters",
        title="`from adapters import openai`",
        contestants={
            "requests": _importing("requests"),
            PLAIN: _importing("adapters.openai"),
            "and a client of it made": _importing("adapters.openai", _CLIENT),
            "openai SDK": _importing("openai"),
        },
        baseline="requests",
        unit="× requests",
        goals={PLAIN: _GOAL_OF_ADAPTERS},
        sample=own_figure,
        echoes=False,
        number=1,
        shown="ms",
        weight=30,
    ),
)
