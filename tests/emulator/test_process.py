"""The emulator's process: it starts, says where it is, and never outlives its parent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters.emulator import Emulator, LogRecord
from adapters.emulator._launch import _listen, _Server
from adapters.emulator.registry import PROVIDERS
from adapters.emulator.state import EmulatorState
from resilience.errors import SettingsError

from .conftest import SEED, Wire

ROOT = Path(__file__).parents[2]
CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}


def connect(base_url: str) -> socket.socket:
    """Open a connection to an emulator."""
    return socket.create_connection(("127.0.0.1", urlsplit(base_url).port), timeout=20)


def ends(connection: socket.socket) -> bool:
    """Wait until the other side has closed a connection, or reset one that it had not accepted."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def run_module(*arguments: str) -> subprocess.Popen[bytes]:
    """Start `python -m adapters emulate` with pipes for input and output."""
    return subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "adapters", "emulate", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_everything_can_be_given_from_the_start(tmp_path: Path) -> None:
    """Faults come before the script, own keys replace the others, the log file fills."""
    log = tmp_path / "log.jsonl"
    script = tmp_path / "script.toml"
    script.write_text('[[rules]]\nfault = "503"\n')
    with Emulator(
        seed=1, faults=["500:nth=2"], script=script, keys={"mine": "my-secret"}, log=log
    ) as server:
        wire = Wire(server, "mine")
        statuses = [wire.send(CHAT).status for _ in range(3)]
        records = server.log()

        assert {"mine": "my-secret"} == server.keys("openai")

    assert [503, 500, 503] == statuses
    assert records == [LogRecord(**json.loads(line)) for line in log.read_text().splitlines()]


def test_seeds_make_keys(emulator: Emulator) -> None:
    """Two keys, the same in every run with this seed."""
    keys = emulator.keys()

    assert ["production", "backup"] == list(keys)
    assert all(key.startswith("sk-emulator-") for key in keys.values())
    assert SEED == emulator.seed


def test_an_emulator_has_an_end() -> None:
    """Closing ends the process and may be repeated; afterwards nothing answers, and it says so."""
    server = Emulator()
    with pytest.raises(RuntimeError, match="not running"):
        server.base_url()

    assert "<Emulator>" == repr(server)
    server.start()

    assert f"<Emulator at {server.base_url().split('/')[2]}>" == repr(server)
    assert server is server.start()
    with connect(server.base_url()) as connection:
        server.close()
        server.close()

        assert ends(connection)
    with pytest.raises(RuntimeError, match="not running"):
        server.log()


def test_an_emulator_may_start_again() -> None:
    """After closing, the same settings serve once more."""
    server = Emulator(faults=["500"])
    for _ in range(2):
        with server:
            assert 500 == Wire(server).send(CHAT).status


def test_many_threads_start_one_process() -> None:
    """`start` from eight threads at once makes one process."""
    server = Emulator()
    threads = [threading.Thread(target=server.start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        assert [] == server.log()
    finally:
        server.close()


def test_a_fork_does_not_close_its_parents_emulator(emulator: Emulator) -> None:
    """A child that inherits the object leaves the process alone."""
    pid = os.fork()
    if pid == 0:
        emulator.close()
        os._exit(0)
    os.waitpid(pid, 0)

    assert isinstance(emulator.log(), list)


def test_a_fork_does_not_keep_an_emulator_alive() -> None:
    """Closing ends the process also while a fork holds the other end of its input."""
    reader, writer = os.pipe()
    with Emulator() as server:
        pid = os.fork()
        if pid == 0:
            os.close(writer)
            os.read(reader, 1)  # until the parent has finished
            os._exit(0)
        with connect(server.base_url()) as connection:
            server.close()

            assert ends(connection)
    os.close(writer)
    os.waitpid(pid, 0)
    os.close(reader)


def test_connections_are_quick_and_last() -> None:
    """Nagle's algorithm is off, and a pooled connection is not closed behind the client's back."""
    with _listen(0) as listener:
        assert socket.IPPROTO_TCP == listener.proto
    assert _Server(EmulatorState(), print).config.timeout_keep_alive >= 600


def test_what_is_wrong_with_the_start_is_raised_in_the_parent(tmp_path: Path) -> None:
    """A port in use, a log that cannot be written, a slip in a name: an error and no process."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        cases = {
            "port": Emulator(port=port),
            "log": Emulator(log=tmp_path / "no" / "log"),
            "key": Emulator(faults=["401:key=typo"]),
        }
        for setting, server in cases.items():
            with pytest.raises(SettingsError, match=f"^{setting} must be") as caught:
                server.start()

            assert setting == caught.value.setting
            with pytest.raises(RuntimeError, match="not running"):
                server.keys()
    with pytest.raises(SettingsError, match=r"^fault must be"):
        Emulator(faults=["nonsense"])
    with pytest.raises(SettingsError, match=r"^script must be a list of rules, .* not '503'"):
        Emulator(faults="503")


def test_a_process_that_dies_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last line that it wrote is in the error."""
    broken = "import sys; sys.stdin.readline(); sys.exit('no more')"
    monkeypatch.setattr("adapters.emulator.process._CHILD", broken)

    with pytest.raises(RuntimeError, match=r"^the emulator did not start: no more$"):
        Emulator().start()


def test_a_process_that_says_something_else_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that makes no sense leaves no process behind."""
    monkeypatch.setattr("adapters.emulator.process._CHILD", "input(); print('hello'); input()")
    server = Emulator()

    with pytest.raises(ValueError, match="Expecting value"):
        server.start()

    assert server._process is None


def test_a_process_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting has a time-out."""
    monkeypatch.setattr("adapters.emulator.process._CHILD", "input(); input()")

    with pytest.raises(RuntimeError, match=r"^the emulator did not start: it said nothing$"):
        Emulator(start_timeout=0.05).start()


def test_a_process_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing waits for some seconds, and no longer."""
    stubborn = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); input()\n"
        'print(\'[{"provider": "openai"}]\', flush=True)\n'
        "while True: signal.pause()\n"
    )
    monkeypatch.setattr("adapters.emulator.process._CHILD", stubborn)
    monkeypatch.setattr("adapters.emulator.process._STOP_TIMEOUT", 0.05)
    server = Emulator().start()
    process = server._process
    assert process is not None

    server.close()

    assert -signal.SIGKILL == process.returncode


def test_a_process_that_was_killed_is_reported() -> None:
    """Who asks an emulator that is gone hears that it is gone."""
    with Emulator() as server:
        process = server._process
        assert process is not None
        process.kill()
        process.wait()

        with pytest.raises(RuntimeError, match=r"^the emulator does not answer: it said nothing$"):
            server.reset()


def test_a_child_that_ends_before_it_is_told_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that nobody reads any more are no error of their own."""
    monkeypatch.setattr("adapters.emulator.process._CHILD", "import os; os.close(0); 1/0")
    # More than a pipe holds, so that writing fails whenever the child ends.
    rules = ["500:message=" + "x" * 100_000]

    with pytest.raises(RuntimeError, match=r"^the emulator did not start: ZeroDivisionError"):
        Emulator(faults=rules).start()


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without uvicorn there is a sentence in place of a traceback from a child."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(ModuleNotFoundError, match=r"pip install 'resilience-adapters\[emulator\]'"):
        Emulator().start()


def test_importing_is_cheap() -> None:
    """A program that only starts an emulator loads neither the server nor the whole toolkit."""
    program = (
        "import sys, adapters.emulator\n"
        "print({'starlette', 'uvicorn', 'wrapt', 'requests'} & sys.modules.keys())"
    )

    loaded = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT)  # noqa: S603

    assert b"set()\n" == loaded


def test_an_unknown_provider_is_named(emulator: Emulator) -> None:
    """Asking for a provider that is not there tells which are."""
    with pytest.raises(SettingsError, match=r"^provider must be one of .*openai"):
        emulator.base_url("closedai")


def test_the_emulator_dies_with_a_parent_that_is_killed() -> None:
    """SIGKILL leaves the parent no time to clean up; the emulator goes all the same."""
    program = (
        "from adapters.emulator import Emulator\n"
        "server = Emulator().start()\n"
        "print(server.base_url(), flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(  # noqa: S603 - our own text
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        base_url = parent.stdout.readline().decode().strip()
        with connect(base_url) as connection:
            parent.kill()

            assert ends(connection)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_ends_cleanly_on_a_signal(number: int) -> None:
    """It prints a line a provider when it is ready, serves, and exits with 0, hangs or not."""
    _, *others = PROVIDERS
    with run_module("--seed", "3", "--fault", "hang", "--key", "a=s3") as process:
        assert process.stdout is not None
        described = json.loads(process.stdout.readline())
        for _ in others:
            process.stdout.readline()
        with connect(described["base_url"]) as connection:
            connection.sendall(b"GET /openai/v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
            process.send_signal(number)

            assert (b"", b"") == process.communicate()
    assert 0 == process.returncode
    assert ("openai", {"a": "s3"}) == (described["provider"], described["keys"])
    assert described["base_url"].endswith("/openai/v1")


def test_the_command_ends_without_input() -> None:
    """`--exit-with-parent` with an input that was closed from the start: there is no parent."""
    command = 'exec "$0" -m adapters emulate --exit-with-parent <&-'
    process = subprocess.run(  # noqa: S603 - our own module
        ["/bin/sh", "-c", command, sys.executable], cwd=ROOT, capture_output=True, check=False
    )

    assert (0, b"") == (process.returncode, process.stderr)


def test_the_command_ends_with_its_input() -> None:
    """`--exit-with-parent` makes the end of the input the end of the process."""
    with run_module("--exit-with-parent") as process:
        assert process.stdout is not None
        for _ in PROVIDERS:
            process.stdout.readline()

        assert (b"", b"") == process.communicate()
    assert 0 == process.returncode
