"""What the commands see: an empty folder, a clean environment, and model APIs that answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.cli import run
from adapters.cli._variables import variables_of
from adapters.emulator import Emulator
from resilience import reset_stats
from tests.adapters.conftest import emulator, emulator_process, no_environment

__all__ = ["emulator", "emulator_process", "no_environment"]

PROVIDERS = (
    *("openai", "claude", "gemini", "groq", "ollama"),
    *("tgi", "tei", "llvm", "ovms", "opea", "s3"),
)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Cli = Callable[..., Ended]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Run a command in this process and say how it ended."""

    def invoke(*arguments: str) -> Ended:
        with pytest.raises(SystemExit) as ended:
            run(arguments)
        out, err = capsys.readouterr()
        return Ended(ended.value.code or 0, out, err)

    reset_stats()  # clients of one name are counted together, those of other tests too
    loggers = [logging.getLogger(name) for name in ("adapters", "resilience")]
    before = [(each.level, each.handlers[:]) for each in loggers]
    yield invoke
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture
def settings(emulator: Emulator, tmp_path: Path) -> dict[str, str]:
    """Write the addresses and keys of the emulator to `.env` in the working directory."""
    variables = variables_of(
        [
            {"provider": each, "base_url": emulator.base_url(each), "keys": emulator.keys(each)}
            for each in PROVIDERS
        ]
    )
    lines = (f"{name}={value}\n" for name, value in variables.items())
    (tmp_path / ".env").write_text("".join(lines), "utf-8")
    return variables


def refusal(ended: Ended) -> str:
    """Check that a command was refused as bad input is, and give its one line."""
    assert (2, "", 1) == (ended.code, ended.out, ended.err.count("\n"))
    assert ended.err.startswith("error: ")
    return ended.err.removeprefix("error: ").rstrip()
