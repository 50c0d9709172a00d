"""Bad input of the command line: one line that names option, rule and value, and exit code 2."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from adapters.cli import run


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run a command that has to be refused and give its one line."""
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    out, err = capsys.readouterr()

    assert 2 == ended.value.code
    assert ("", 1) == (out, err.count("\n"))
    return err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fault", "nonsense"), "--fault: fault must be a status .*, not 'nonsense'"),
        (("--fault", "429:rate=2"), "--fault: rate must be a number from 0 to 1, not '2'"),
        (("--fault", "429:key=typo"), "--fault: key must be one of backup, .*, not 'typo'"),
        (("--script", "missing.json"), "--script: script must be a file .*, not 'missing.json'"),
        (("--port", "99999"), "'--port': 99999 is not in the range 0<=x<=65535."),
        (("--seed", "x"), "'--seed': 'x' is not a valid integer."),
        (("--key", "a"), "--key: must be NAME=SECRET, each name once; wrong at 'a'"),
        (("--key", "a="), "--key: must be NAME=SECRET, each name once; wrong at 'a'"),
        (("--log", "/proc/no/log"), "--log: log must be a file .*, not '/proc/no/log'"),
    ],
)
def test_bad_options(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    """Nothing is started, and nobody has to read a traceback."""
    assert re.fullmatch(
        f"error: Invalid value for {message}\n", refused(capsys, "emulate", *arguments)
    )


def test_keys_have_one_name_each(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is given twice is refused, and no secret is repeated."""
    line = refused(capsys, "emulate", "--key", "a=first-secret", "--key", "a=second-secret")

    assert "wrong at 'a'" in line
    assert "secret" not in line.lower().replace("name=secret", "")


def test_a_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    """The port is named, and the reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        line = refused(capsys, "emulate", "--port", str(port))

    assert (
        f"--port: port must be a free port on 127.0.0.1 (Address already in use), not {port}"
        in line
    )


def test_a_log_is_left_alone_when_the_port_is_in_use(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nothing is half started: an old log is not emptied for a server that cannot serve."""
    log = tmp_path / "log.jsonl"
    log.write_text("old")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused(capsys, "emulate", "--port", str(taken.getsockname()[1]), "--log", str(log))

    assert "old" == log.read_text()


def test_a_missing_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the server's libraries the command says what to install."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        run(["emulate"])

    assert 1 == ended.value.code
    assert "pip install 'resilience-adapters[emulator]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nonsense",), "No such command 'nonsense'."),
        (("emulate", "--nonsense"), "No such option"),
        (("emulate", "extra"), "Got unexpected extra argument"),
        (("emulate", "--port"), "Option '--port' requires an argument."),
    ],
)
def test_unknown_words(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    """Commands, options and arguments that are not known are refused in the same way."""
    assert re.match(f"error: {message}", refused(capsys, *arguments))


@pytest.mark.parametrize("arguments", [("--help",), ("emulate", "--help"), ()])
def test_help(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """Help is no error, and without a command help is what one gets."""
    with pytest.raises(SystemExit) as ended:
        run(arguments)

    assert 0 == ended.value.code
    assert "Usage: python -m adapters" in capsys.readouterr().out


def test_help_explains_every_fault_and_condition(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a rule may hold stands in the help."""
    from adapters.emulator._values import CONVERTERS
    from adapters.emulator.faults import FAULTS

    with pytest.raises(SystemExit):
        run(("emulate", "--help"))
    text = capsys.readouterr().out

    assert [] == [name for name in FAULTS if not re.search(rf"^\s+{name} ", text, re.MULTILINE)]
    assert [] == [name for name in CONVERTERS if f"{name}=" not in text]
