"""The same job by hand: with tenacity and threads, and as OpenAI's cookbook does it.

Both are written here, after the habits of the field: tenacity's exponential back-off around the
vendor's client in a `ThreadPoolExecutor`; and one loop of asyncio that starts requests as fast as a
token bucket of requests and of tokens allows, puts what fails into a line to be tried again, and
rests for a while after a rate limit (`api_request_parallel_processor.py` of the cookbook).
"""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import aiohttp
import openai
import tenacity

from adapters import bulk

__all__ = ["by_cookbook", "by_tenacity", "by_us"]

MODEL = "text-embedding-3-small"
DIMENSIONS = 16
WORKERS = 32
ATTEMPTS = 6

_COOLDOWN = 15.0  # seconds of rest after a rate limit, in the cookbook
_COOKBOOK_ATTEMPTS = 5
_NAP = 0.001
_TOKENS_PER_MINUTE = 1_000_000.0


def by_us(source: Path, output: Path, base_url: str, key: str) -> None:
    """With `adapters.bulk`, nothing set."""
    bulk.run(
        source,
        output,
        provider="openai",
        operation="embed",
        model=MODEL,
        column="text",
        options={"dimensions": DIMENSIONS},
        api_key=key,
        base_url=base_url,
    )


def by_tenacity(
    source: Path, output: Path, base_url: str, key: str, workers: int = WORKERS
) -> None:
    """With the vendor's client, tenacity and threads."""
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    with (
        openai.OpenAI(api_key=key, base_url=base_url, max_retries=0) as client,
        output.open("w", encoding="utf-8") as file,
        ThreadPoolExecutor(workers) as executor,
    ):

        @tenacity.retry(
            wait=tenacity.wait_random_exponential(min=1, max=60),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            retry=tenacity.retry_if_exception_type(
                (openai.APIConnectionError, openai.APIStatusError)
            ),
        )
        def embed(row: dict[str, Any]) -> dict[str, Any]:
            answer = client.embeddings.create(model=MODEL, input=row["text"], dimensions=DIMENSIONS)
            return {"id": row["id"], "vector": answer.data[0].embedding}

        for future in as_completed([executor.submit(embed, row) for row in rows]):
            if future.exception() is None:
                file.write(json.dumps(future.result()) + "\n")


class _Cookbook:
    """The loop, its bucket and its line of what has to be tried again."""

    def __init__(self, output: Path, url: str, key: str, per_minute: float) -> None:
        self._output = output
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        self._per_minute = per_minute
        self._again: asyncio.Queue[tuple[dict[str, Any], int]] = asyncio.Queue()
        self._running = 0
        self._limited_at = -_COOLDOWN

    async def run(self, source: Path) -> None:
        requests, tokens, updated = self._per_minute, _TOKENS_PER_MINUTE, time.monotonic()
        waiting: tuple[dict[str, Any], int] | None = None
        tasks: set[asyncio.Task[None]] = set()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            with source.open(encoding="utf-8") as file:
                while True:
                    if waiting is None:
                        if not self._again.empty():
                            waiting = self._again.get_nowait()
                        elif line := file.readline():
                            waiting = json.loads(line), _COOKBOOK_ATTEMPTS
                            self._running += 1
                    now = time.monotonic()
                    requests = min(
                        self._per_minute, requests + self._per_minute * (now - updated) / 60
                    )
                    tokens = min(
                        _TOKENS_PER_MINUTE, tokens + _TOKENS_PER_MINUTE * (now - updated) / 60
                    )
                    updated = now
                    if waiting is not None:
                        cost = len(waiting[0]["text"]) / 4
                        if requests >= 1 and tokens >= cost:
                            requests, tokens = requests - 1, tokens - cost
                            task = asyncio.create_task(self._call(session, *waiting))
                            tasks.add(task)
                            task.add_done_callback(tasks.discard)
                            waiting = None
                    if self._running == 0:
                        return
                    await asyncio.sleep(_NAP)
                    rest = self._limited_at + _COOLDOWN - time.monotonic()
                    if rest > 0:
                        await asyncio.sleep(rest)

    async def _call(
        self, session: aiohttp.ClientSession, row: dict[str, Any], attempts: int
    ) -> None:
        body = {"model": MODEL, "input": row["text"], "dimensions": DIMENSIONS}
        try:
            async with session.post(self._url, headers=self._headers, json=body) as response:
                answer = await response.json()
        except Exception as error:
            answer = {"error": {"message": str(error)}}
        if "error" not in answer:
            line = {"id": row["id"], "vector": answer["data"][0]["embedding"]}
            with self._output.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            self._running -= 1
            return
        if "rate limit" in str(answer["error"].get("message", "")).lower():
            self._limited_at = time.monotonic()
        if attempts > 1:
            self._again.put_nowait((row, attempts - 1))
        else:
            self._running -= 1


def by_cookbook(source: Path, output: Path, base_url: str, key: str, per_minute: float) -> None:
    """As the cookbook does it, told the limit of requests per minute."""
    asyncio.run(_Cookbook(output, f"{base_url}/embeddings", key, per_minute).run(source))
