"""`python -m benchmarks.bulk`: print what kills cost, and who gets how much done."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

from adapters.emulator import Emulator
from benchmarks.bulk.kills import survive, write_input
from benchmarks.bulk.ways import by_cookbook, by_tenacity, by_us
from benchmarks.machine import describe_machine

_LIMIT = 150  # requests a second that the key of the race allows
_FAULTS = (
    f"limit:requests={_LIMIT},window=1",
    "500:rate=0.01",
    "reset:rate=0.005",
)
_MODELS = {"answers at once": (), "answers after 0.2 s": ("slow:delay=0.2",)}
_WAYS: dict[str, Callable[..., None]] = {
    "adapters.bulk": by_us,
    "tenacity, 8 threads": partial(by_tenacity, workers=8),
    "tenacity, 32 threads": partial(by_tenacity, workers=32),
    "tenacity, 128 threads": partial(by_tenacity, workers=128),
    "cookbook, told half the limit": partial(by_cookbook, per_minute=_LIMIT * 30.0),
    "cookbook, told the limit": partial(by_cookbook, per_minute=_LIMIT * 60.0),
}


def main() -> None:
    """Run what the command line selects."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bulk", description=__doc__)
    parser.add_argument("what", nargs="*", help="kills, memory, race (default: all)")
    parser.add_argument("--rows", type=int, default=100_000, help="of the job that is killed")
    parser.add_argument("--race-rows", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    chosen = options.what or ["kills", "memory", "race"]
    print(describe_machine(), flush=True)
    if "kills" in chosen:
        _kills(options.rows, 3, options.seed)
    if "memory" in chosen:
        for rows in (options.rows // 100, options.rows // 10):
            _kills(rows, 0, options.seed)
    if "race" in chosen:
        _race(options.race_rows, options.seed)


def _kills(rows: int, kills: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(survive(Path(folder), rows, kills, seed), flush=True)


def _race(rows: int, seed: int) -> None:
    for (model, faults), (name, way) in product(_MODELS.items(), _WAYS.items()):
        with (
            tempfile.TemporaryDirectory() as folder,
            Emulator(seed=seed, faults=[*_FAULTS, *faults]) as server,
        ):
            source, output = Path(folder) / "in.jsonl", Path(folder) / "out.jsonl"
            write_input(source, rows)
            began = time.monotonic()
            way(source, output, server.base_url(), next(iter(server.keys().values())))
            seconds = time.monotonic() - began
            done = sum(1 for _ in output.open("rb"))
            log = server.log()
        statuses = Counter(record.status for record in log)
        early = sum(record.too_early for record in log)
        print(
            f"{model}, {name}: {done / seconds:.0f} rows/s, {done} of {rows} rows "
            f"in {seconds:.1f} s, {len(log)} requests, {statuses[429]} throttled, "
            f"{early} before the time told",
            flush=True,
        )


if __name__ == "__main__":
    main()
