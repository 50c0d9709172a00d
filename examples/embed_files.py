"""Embed the text files of a folder, paragraph by paragraph, and write one line of JSON for each.

    python examples/embed_files.py notes > vectors.jsonl

Each paragraph is asked for alone, wherever it turns up. The client puts those that are asked for at
the same time into one request, and sends so many at once as the service bears.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from adapters import openai

MODEL = "text-embedding-3-small"
AT_ONCE = 256  # paragraphs in memory


def paragraphs(folder: Path) -> Iterator[tuple[str, int, str]]:
    for file in sorted(folder.rglob("*.txt")):
        for number, text in enumerate(file.read_text("utf-8").split("\n\n")):
            if text.strip():
                yield str(file.relative_to(folder)), number, text.strip()


async def embed(client: openai.AsyncClient, file: str, number: int, text: str) -> None:
    vector = (await client.embed(MODEL, text)).vectors[0]
    print(json.dumps({"file": file, "paragraph": number, "vector": vector}))


async def main(folder: Path) -> None:
    room = asyncio.Semaphore(AT_ONCE)
    async with (
        openai.AsyncClient(max_batch_size=64, batch_timeout=0.01, queue_size=AT_ONCE) as client,
        asyncio.TaskGroup() as tasks,
    ):
        for paragraph in paragraphs(folder):
            await room.acquire()
            task = tasks.create_task(embed(client, *paragraph))
            task.add_done_callback(lambda _: room.release())
    print(client.generate_report(), file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    asyncio.run(main(Path(sys.argv[1])))
