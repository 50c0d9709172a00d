"""A local server in a process of its own, that gives every request the same answer.

It does as little as a server can: what is measured is the client's side.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["ANSWER", "TEXT", "AnswerServer"]

TEXT = "Hello! How can I help you today?"
_ROOT = Path(__file__).parents[1]
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "gpt-4o-mini",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
    }
).encode()
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(ANSWER),
    ANSWER,
)
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class AnswerServer:
    """The server as its clients see it; `url` is there within `running`."""

    url: str

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start the process, and end it."""
        command = [sys.executable, "-m", "benchmarks.server"]
        with subprocess.Popen(  # noqa: S603
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            self.url = f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
            try:
                yield
            finally:
                process.stdin.close()  # it serves until its input ends, however we end


class _Connection(asyncio.Protocol):
    """Counts bytes: a head, and the body that it announces, is a request."""

    _transport: asyncio.WriteTransport

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, _, body = self._received.partition(b"\r\n\r\n")
        announced = _LENGTH.search(head)
        if announced and len(body) >= int(announced[1]):  # nobody sends two before an answer
            self._received = b""
            self._transport.write(_REPLY)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=1_024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
