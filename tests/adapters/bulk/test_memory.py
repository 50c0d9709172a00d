"""Memory: it depends on how many rows are under way, and not on how many there are."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from pathlib import Path

from adapters import openai
from adapters._results import Embeddings
from adapters.bulk._concurrency import Concurrency
from adapters.bulk._engine import Engine
from adapters.bulk._journal import Journal
from adapters.bulk._requests import Requests, operation_of
from adapters.bulk._rows import Row

FEW, MANY = 1_500, 4_500  # some hundreds until the collector of garbage comes round
BYTES = 50  # a row that is kept has several times as many


class Client(openai.AsyncClient):
    """A client whose answers come from nowhere."""

    async def embed(self, model, inputs, **options):
        await asyncio.sleep(0)
        return Embeddings(vectors=[[0.25] * 8], raw=None)


def peak_of(path: Path, rows: int) -> int:
    """Run so many rows and return the most bytes that they held at a time."""
    requests = Requests(
        "embed",
        operation_of("openai", "embed"),
        model="m",
        column="text",
        template=None,
        options={},
        id_column=None,
    )

    async def main() -> None:
        async with Client(api_key="sk-0123456789") as client:
            journal = Journal(path)
            control = Concurrency.fixed(8)
            engine = Engine(client, requests, journal, control, total=rows, patience=60)
            await engine.run(Row(number, {"text": "some text"}) for number in range(1, rows + 1))

            assert rows == journal.totals.succeeded

            journal.copy(path.with_name("out"), sort=True)
            journal.close()

    gc.collect()
    tracemalloc.start()
    try:
        asyncio.run(main())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_input(tmp_path: Path):
    """Three times as many rows take no more memory: nothing is kept of any of them."""
    peak_of(tmp_path / "warm", FEW // 10)
    few = peak_of(tmp_path / "few", FEW)
    many = peak_of(tmp_path / "many", MANY)

    assert many - few < BYTES * (MANY - FEW)
