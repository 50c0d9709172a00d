"""Servers start, answer, and are gone afterwards; one that cannot start says why."""

from __future__ import annotations

import http.client
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests_real.servers import Server, answers, environment, free_port, started


def test_each_of_them_answers(llama_server: Server, triton_server: Server):
    """They are who they say."""
    assert (200, "llama.cpp") == get(llama_server.port, "/health")[:2]
    assert b'"triton"' in get(triton_server.port, "/v2")[2]


def test_a_server_ends_with_its_block(tmp_path: Path):
    """Nobody listens at the port then."""
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    with started(command, port=port, log=tmp_path / "log", ready=answers(port, "/")) as server:
        assert 200 == get(server.port, "/")[0]
    with pytest.raises(ConnectionRefusedError):
        get(port, "/")


@pytest.mark.parametrize("ending", ["time.sleep(600)", "sys.stdin.read()"])
def test_what_a_server_has_started_ends_with_it(tmp_path: Path, ending: str):
    """Whether the server itself goes on until it is stopped, or has ended before."""
    log = tmp_path / "log"
    code = f"""
import subprocess, sys, time
print(subprocess.Popen(["sleep", "600"]).pid, flush=True)
{ending}
"""
    command = [sys.executable, "-c", code]
    with started(command, port=1, log=log, ready=lambda: "\n" in log.read_text()):
        child = Path("/proc") / log.read_text().strip()

    assert any(has_ended(child) or time.sleep(0.01) for _ in range(500))


def test_a_server_that_does_not_start(tmp_path: Path):
    """The error says how it ended, and what it had to say."""
    command = [sys.executable, "-c", "raise SystemExit('no such weights')"]
    with (
        pytest.raises(RuntimeError, match=r"ended with 1(.|\n)*no such weights"),
        started(command, port=1, log=tmp_path / "log", ready=lambda: False),
    ):
        pass


def test_servers_that_are_not_installed(monkeypatch):
    """Their tests fail, with what has to be done."""
    monkeypatch.setenv("SERVERS", "nowhere")
    with pytest.raises(RuntimeError, match="nowhere: run them with `make test-real`"):
        environment()


def has_ended(process: Path) -> bool:
    """Whether a process of `/proc` is gone, or waits for no more than to be forgotten."""
    try:
        return ") Z " in (process / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def get(port: int, path: str) -> tuple[int, str, bytes]:
    """Ask 127.0.0.1; status, name of the server, and body."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Server", ""), answer.read()
