"""A job in an empty folder, beside an emulator."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters import bulk
from adapters.emulator import Emulator
from resilience.testing import FakeClock


@dataclass
class Job:
    """Texts to be embedded, and what became of them."""

    emulator: Emulator
    source: Path
    output: Path

    def write(self, count: int) -> list[str]:
        """Write an input of so many rows and return their ids."""
        names = [f"row-{number}" for number in range(count)]
        rows = [{"id": name, "text": f"the text of {name}"} for name in names]
        self.source.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
        return names

    @property
    def client(self) -> dict[str, Any]:
        """The arguments of a client of the emulator."""
        return {"keys": self.emulator.keys(), "base_url": self.emulator.base_url()}

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """The arguments of a run, but for its input and its output."""
        return {
            "provider": "openai",
            "operation": "embed",
            "model": "text-embedding-3-small",
            "column": "text",
            "options": {"dimensions": 4},
            **self.client,
            **changes,
        }

    def run(self, **changes: Any) -> bulk.BulkResult:
        """Run it."""
        source = changes.pop("source", self.source)
        return bulk.run(source, self.output, **self.arguments(**changes))

    def lines(self) -> list[dict[str, Any]]:
        """The results."""
        return [json.loads(line) for line in self.output.read_text("utf-8").splitlines()]

    def answered(self) -> Counter[str]:
        """How often the emulator has answered each request."""
        return Counter(record.digest for record in self.emulator.log() if record.status == 200)

    def left(self) -> set[str]:
        """The names of the files that lie beside the input."""
        return {path.name for path in self.source.parent.iterdir()} - {self.source.name}


@pytest.fixture
def job(emulator: Emulator, tmp_path: Path) -> Job:
    """A job without an input yet."""
    folder = tmp_path / "job"
    folder.mkdir()
    return Job(emulator, folder / "in.jsonl", folder / "out.jsonl")


@pytest.fixture
def clock():
    """Time that does not have to be waited for."""
    with FakeClock() as clock:
        yield clock


def by_id(lines: list[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Results by the ids of their rows, of which each may be there once."""
    assert len(lines) == len({line["id"] for line in lines})
    return {line["id"]: line for line in lines}
