"""Each example does what its first lines say, as its user would run it."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from adapters.cli._variables import variables_of
from adapters.emulator import Emulator, expected_vector
from adapters.results import ToolCall
from tests.support.sources import ROOT

EXAMPLES = ROOT / "examples"
LONGEST = 60  # lines


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator of its own: what it was asked is counted."""
    with Emulator(seed=7) as server:
        yield server


def environment_of(server: Emulator, *apis: str) -> dict[str, str]:
    """Return the variables that lead a program to the emulator."""
    return variables_of(
        [
            {"provider": api, "base_url": server.base_url(api), "keys": server.keys(api)}
            for api in apis
        ]
    )


def run(name: str, *arguments: str, env: Mapping[str, str], text: str = "") -> list[str]:
    """Run an example as a program and give the lines that it prints."""
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **env},
        input=text,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert 0 == ended.returncode, ended.stderr
    return ended.stdout.splitlines()


def test_each_is_listed_and_short() -> None:
    """An example fits a screen or two, and the list leads to it."""
    listed = (EXAMPLES / "README.md").read_text("utf-8")

    for path in EXAMPLES.glob("*.py"):
        assert f"[{path.name}]({path.name})" in listed
        assert len(path.read_text("utf-8").splitlines()) < LONGEST


@pytest.mark.parametrize("name", ["crawl.py", "embed_files.py", "replicas.py", "sync.py"])
def test_without_arguments_it_says_what_it_does(name: str) -> None:
    """Its first lines are its help."""
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, str(EXAMPLES / name)],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "CRAWL_KEY": "made-up-1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )

    assert (1, True) == (ended.returncode, f"python examples/{name}" in ended.stderr)


def test_embed_files(emulator: Emulator, tmp_path: Path) -> None:
    """Each paragraph has its own vector, and they share requests."""
    (tmp_path / "one.txt").write_text("first\n\nsecond\n\n\n\nthird")
    (tmp_path / "two.txt").write_text("\n\n".join(f"text {number}" for number in range(100)))
    emulator.script(["503:nth=1"])

    lines = run("embed_files.py", str(tmp_path), env=environment_of(emulator, "openai"))
    found = {(each["file"], each["paragraph"]): each["vector"] for each in map(json.loads, lines)}

    assert 103 == len(found)
    assert expected_vector("second", len(found["one.txt", 1]), seed=7) == pytest.approx(
        found["one.txt", 1], abs=1e-6
    )
    assert len(emulator.log()) <= 4


def test_sync(emulator: Emulator, tmp_path: Path) -> None:
    """What is there is not sent again, and what has changed is."""
    folder, env = tmp_path / "photos", environment_of(emulator, "s3")
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "deep" / "b.txt").write_text("b")

    first = run("sync.py", str(folder), "demo", env=env)
    (folder / "a.txt").write_text("changed")
    emulator.script(["503:nth=1"])
    second = run("sync.py", str(folder), "demo", env=env)

    assert ["sent a.txt", "sent deep/b.txt"] == first
    assert ["sent a.txt", "same deep/b.txt"] == second


def test_replicas(emulator: Emulator) -> None:
    """A replica that is down loses no prompt."""
    prompts = [f"prompt {number}" for number in range(20)]
    with Emulator(seed=7) as down:
        down.script(["503"])
        lines = run(
            "replicas.py",
            emulator.base_url("llvm"),
            down.base_url("llvm"),
            env={},
            text="\n".join(prompts),
        )

    assert [emulator.expected_answer(prompt) for prompt in prompts] == lines


def test_agent_changes_the_provider(emulator: Emulator) -> None:
    """The second provider answers where the first is down."""
    emulator.script(["503:provider=openai"])

    lines = run("agent.py", "Say hello", env=environment_of(emulator, "openai", "groq"))

    assert [emulator.expected_answer("Say hello")] == lines
    assert {"openai", "groq"} == {record.provider for record in emulator.log()}


def test_agent_calls_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool is called with what the model wrote; a mistake of the model's is told to it."""
    agent = SimpleNamespace(**runpy.run_path(str(EXAMPLES / "agent.py")))

    right = agent.result_of(ToolCall("1", "time_in", '{"city": "Tokyo"}'))
    wrong = agent.result_of(ToolCall("2", "time_in", '{"town": "Tokyo"}'))

    assert {"role": "tool", "tool_call_id": "1"} == {k: right[k] for k in ("role", "tool_call_id")}
    assert 5 == len(right["content"])
    assert wrong["content"].startswith("error: ")


def test_service(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers, and says when to come back where it cannot."""
    from fastapi.testclient import TestClient

    for name, value in environment_of(emulator, "openai").items():
        monkeypatch.setenv(name, value)
    service = runpy.run_path(str(EXAMPLES / "service.py"))

    with TestClient(service["app"]) as client:
        answered = client.post("/ask", params={"question": "Say hello"})
        summaries = client.post("/summaries", json=["one", "two"])
        emulator.script(["429:retry_after=120"])
        refused = client.post("/ask", params={"question": "Say hello"})

    assert {"answer": emulator.expected_answer("Say hello")} == answered.json()
    assert 2 == len(summaries.json())
    assert (503, True) == (refused.status_code, 100 < int(refused.headers["retry-after"]) <= 120)


class Throttled(BaseHTTPRequestHandler):
    """An API of three pages that takes each key for one page a second."""

    used: dict[str, int]

    def do_GET(self) -> None:
        """Give a page, or say when to come back."""
        key = self.headers["authorization"]
        number = int(self.path.rpartition("/")[2])
        self.used[key] = self.used.get(key, 0) + 1
        throttled = self.used[key] == 2
        address = f"http://127.0.0.1:{self.server.server_port}/items/{number + 1}"
        page = {"items": [{"id": number}], "next": address if number < 3 else None}
        body = b"" if throttled else json.dumps(page).encode()
        self.send_response(429 if throttled else 200)
        if throttled:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_crawl() -> None:
    """Every page comes once, whichever key it took."""
    Throttled.used = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Throttled) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        lines = run(
            "crawl.py",
            f"http://127.0.0.1:{server.server_port}/items/1",
            env={"CRAWL_KEY": "made-up-1", "CRAWL_KEY_1": "made-up-2", "CRAWL_KEY_2": "made-up-3"},
        )
        server.shutdown()

    assert [{"id": number} for number in (1, 2, 3)] == [json.loads(line) for line in lines]
    assert 2 <= len(Throttled.used)
