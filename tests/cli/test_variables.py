"""`resilient emulate --env FILE`: what the emulator serves, as the adapters read it."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PROVIDERS, Cli, refusal
from tests.cli.test_doctor import states


def test_a_file_of_variables(cli: Cli, tmp_path: Path) -> None:
    """While it serves, `.env` leads every adapter to it; then the file is gone."""
    command = [sys.executable, "-m", "adapters", "emulate", "--env", ".env", "--exit-with-parent"]
    with subprocess.Popen(  # noqa: S603 - this project's own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        mode = stat.S_IMODE(Path(".env").stat().st_mode)
        ended = cli("doctor", "--json")
        process.stdin.close()
        process.stdout.read()

    assert dict.fromkeys(PROVIDERS, "ok") == states(ended.out)
    assert (0o600, 0, False) == (mode, process.returncode, (tmp_path / ".env").exists())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_file_goes_with_the_server(tmp_path: Path, number: signal.Signals) -> None:
    """Whatever ends the server, a closed terminal included, leaves no keys behind."""
    command = [sys.executable, "-m", "adapters", "emulate", "--env", ".env"]
    with subprocess.Popen(  # noqa: S603 - this project's own command
        command, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        process.stdout.read()

    assert (0, False) == (process.returncode, (tmp_path / ".env").exists())


def test_an_existing_file_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    """It may hold the only copy of somebody's keys."""
    (tmp_path / ".env").write_text("OPENAI_API_KEY=mine")

    line = refusal(cli("emulate", "--env", ".env"))

    assert "--env: must be a file that can be made, not '.env' (File exists)" in line
    assert "OPENAI_API_KEY=mine" == (tmp_path / ".env").read_text()
