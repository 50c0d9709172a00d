"""Starts programs that others wrote, each in a process of its own, on loopback, and ends them.

They and their interpreter lie in an environment of their own, which `make test-real` fills and
names in the variable `SERVERS`. A server that is not there fails the tests that ask for it.
"""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

__all__ = ["FOLDER", "Server", "answers", "environment", "free_port", "script", "started"]

FOLDER = Path(__file__).parent
PATIENCE = 45.0  # seconds until a server that does not answer has failed to start
INTERVAL = 0.05  # seconds between two questions whether it answers


@dataclass(frozen=True)
class Server:
    """One that answers: its port on 127.0.0.1, and the file that its output goes to."""

    port: int
    log: Path

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def started(
    command: Sequence[str | Path],
    *,
    port: int,
    log: Path,
    ready: Callable[[], bool],
    variables: Mapping[str, str] | None = None,
    grace: float = 5.0,
) -> Iterator[Server]:
    """Run a server from the moment when `ready` says yes until the block ends.

    It then has `grace` seconds to end by itself, before it and all that it has started are killed.

    Raises:
        RuntimeError: It ended, or did not answer in time; the message has the end of its output.
    """
    guard = [sys.executable, FOLDER / "programs" / "guard.py", str(grace), *command]
    with log.open("wb") as output:
        process = subprocess.Popen(
            guard,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(variables or {})},
            start_new_session=True,  # an interrupt is for the tests, which then end it
        )
    try:
        _wait(process, ready, log)
        yield Server(port, log)
    finally:
        process.communicate()


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not ready():
        state = process.poll()
        if state is not None or time.monotonic() > end:
            reason = "does not answer" if state is None else f"ended with {state}"
            text = log.read_text(errors="replace")[-4000:]
            raise RuntimeError(f"A server {reason}; {log} ends so:\n{text}")
        time.sleep(INTERVAL)


def answers(port: int, path: str, headers: Mapping[str, str] | None = None) -> Callable[[], bool]:
    """A function that says whether a GET of this path is answered with 200."""

    def ask() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path, headers=headers or {})
            return HTTPStatus.OK == connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return ask


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def environment() -> Path:
    """The folder of the environment in which the servers are installed.

    Raises:
        RuntimeError: It is not there.
    """
    found = (FOLDER.parent / os.environ.get("SERVERS", ".venv-servers")).absolute()
    if not (found / "bin" / "python").exists():
        raise RuntimeError(f"No servers are installed in {found}: run them with `make test-real`.")
    return found


def script(name: str, *arguments: str | Path) -> list[str | Path]:
    """The command that runs a file of `programs` in the servers' environment."""
    return [environment() / "bin" / "python", FOLDER / "programs" / f"{name}.py", *arguments]
