"""How a storm is measured: each contestant alone with the server, the same seeds for all.

A contestant runs in a process of its own. What arrived is counted from the server's log, what was
answered by the callers, who know the right answers.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, cast

from adapters.emulator import Emulator
from benchmarks.storm.count import Count
from benchmarks.storm.senders import OURS, SENDERS
from benchmarks.storm.weather import KEYS, RULES, SECONDS

__all__ = ["STORMS", "Finish", "Races", "Storm", "measure_storm"]

_ROOT = Path(__file__).parents[2]
_NEEDS = {
    OURS: ("requests",),
    "tenacity∘pybreaker": ("tenacity", "pybreaker"),
    "tenacity∘circuitbreaker": ("tenacity", "circuitbreaker"),
    "pyresilience": ("pyresilience",),
    "openai SDK": ("openai",),
}


@dataclass(frozen=True, kw_only=True)
class Storm:
    """The weather of a race.

    Attributes:
        name: Selects it on the command line.
        title: What there is to see.
        keys: Names and secrets; each has a limit of its own.
        seconds: How long a race lasts.
        is_long: A quick run leaves it out.
    """

    name: str
    title: str
    keys: Mapping[str, str] = field(default_factory=lambda: KEYS)
    seconds: float = SECONDS
    is_long: bool = True

    @property
    def rules(self) -> list[Mapping[str, object]]:
        """The script of the server, without what concerns keys that nobody has."""
        return [rule for rule in RULES if "key" not in rule or rule["key"] in self.keys]


@dataclass(frozen=True)
class Finish:
    """How one contestant came through one race.

    Attributes:
        count: What its callers saw.
        requests: Requests that arrived at the server.
        too_early: Those of them before the time that the server had asked to wait.
    """

    count: Count
    requests: int
    too_early: int


@dataclass(frozen=True)
class Races:
    """A storm and all races in it, by contestant: for everybody one of each seed."""

    storm: Storm
    finishes: Mapping[str, Sequence[Finish]]
    absent: tuple[str, ...]


STORMS = (
    Storm(name="storm-two-keys", title="two keys, each with a limit of its own"),
    Storm(
        name="storm-one-key",
        title="one key",
        keys={"production": KEYS["production"]},
    ),
)


def measure_storm(storm: Storm, rounds: int, labels: Sequence[str] = tuple(SENDERS)) -> Races:
    """Let each contestant race once for each of so many seeds, in turn.

    Raises:
        AssertionError: if a contestant got a wrong answer.
    """
    here = [label for label in labels if all(map(find_spec, _NEEDS[label]))]
    finishes: dict[str, list[Finish]] = {label: [] for label in here}
    for seed in range(rounds):
        first = seed % len(here)
        with Emulator(seed=seed, script=storm.rules, keys=storm.keys) as server:
            for label in here[first:] + here[:first]:
                finishes[label].append(_race(storm, label, server))
    return Races(storm, finishes, tuple(label for label in labels if label not in here))


def _race(storm: Storm, label: str, server: Emulator) -> Finish:
    arguments = (label, server.base_url(), json.dumps(dict(storm.keys)), server.seed, storm.seconds)
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "benchmarks.storm.worker", *map(str, arguments)],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as worker:
        to_worker, from_worker = cast("IO[str]", worker.stdin), cast("IO[str]", worker.stdout)
        assert "ready\n" == from_worker.readline(), label
        server.reset()
        reset = time.monotonic()
        to_worker.write("go\n")
        to_worker.flush()
        count = Count(**json.loads(from_worker.readline()))
        end = count.began - reset + storm.seconds  # by the server's clock
        log = [record for record in server.log() if record.time <= end]
    assert not count.wrong, label
    return Finish(count, len(log), sum(record.too_early for record in log))
