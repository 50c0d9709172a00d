"""The measurement of bulk runs: it counts what it says, and every way does the job."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.emulator import Emulator
from benchmarks.bulk.kills import survive, write_input


def test_a_killed_run_is_counted(tmp_path: Path):
    """Every row has one result, in order, and little was answered twice."""
    found = survive(tmp_path, rows=80, kills=1, seed=3)

    assert (80, 0, 0, True) == (found.results, found.missing, found.doubled, found.in_order)
    assert 1 == len(found.kills)
    assert found.repeated <= 64
    assert found.requests >= 80 - 64
    assert found.peak > 1


@pytest.mark.parametrize("name", ["by_us", "by_tenacity", "by_cookbook"])
def test_every_way_does_the_job(tmp_path: Path, name: str):
    """Without faults each row has its line."""
    pytest.importorskip("tenacity")
    from benchmarks.bulk import ways

    way: Callable[..., None] = getattr(ways, name)
    source, output = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    write_input(source, 12)
    limits = {"per_minute": 6_000.0} if name == "by_cookbook" else {}
    with Emulator(seed=3) as server:
        key = next(iter(server.keys().values()))
        way(source, output, server.base_url(), key, **limits)
        requests = len(server.log())
    ids = {json.loads(line)["id"] for line in output.read_text(encoding="utf-8").splitlines()}

    assert ({f"row-{number}" for number in range(12)}, 12) == (ids, requests)
