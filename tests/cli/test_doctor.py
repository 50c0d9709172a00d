"""`resilient doctor`: what it finds, what it asks, what it says."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from adapters import tei
from adapters.emulator import Emulator
from tests.cli.conftest import PROVIDERS, Cli, refusal


def states(out: str) -> dict[str, str]:
    """Return the state of each API of lines of JSON."""
    return {each["api"]: each["state"] for each in map(json.loads, out.splitlines())}


def test_all_is_well(cli: Cli, settings: dict[str, str], emulator: Emulator) -> None:
    """Each API that is set up and answers is ok, and no key is shown."""
    ended = cli("doctor", "--json")

    assert (0, dict.fromkeys(PROVIDERS, "ok")) == (ended.code, states(ended.out))
    assert not [
        key for each in PROVIDERS for key in emulator.keys(each).values() if key in ended.out
    ]


def test_names_the_variables(cli: Cli, settings: dict[str, str], emulator: Emulator) -> None:
    """It says where keys and address come from."""
    ended = cli("doctor", "openai")

    assert (
        "openai  ok            2 keys (OPENAI_API_KEY, OPENAI_API_KEY_1); "
        f"{emulator.base_url('openai')} (OPENAI_BASE_URL): models: "
    ) in ended.out


def test_nothing_is_set_up(cli: Cli) -> None:
    """That is no failure unless somebody asks for an API by name; it says what to set."""
    unasked, asked = cli("doctor", "--offline"), cli("doctor", "groq", "--offline")

    assert (0, 1) == (unasked.code, asked.code)
    assert "set GROQ_API_KEY, in the environment or in .env" in asked.out
    assert asked.out in unasked.out


def test_offline_asks_nobody(cli: Cli, settings: dict[str, str], emulator: Emulator) -> None:
    """With --offline what a client needs is found, and no request is sent."""
    ended = cli("doctor", "--offline", "--json")

    assert dict.fromkeys(PROVIDERS, "found") == states(ended.out)
    assert not emulator.log()


def test_what_is_ill(
    cli: Cli, settings: dict[str, str], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rejected key, a failing server, one that is not there: each is told apart."""
    emulator.script(["500:provider=gemini", "401:provider=groq"])
    monkeypatch.setenv("TGI_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("OLLAMA_HOST", "not an address")

    ended = cli("doctor", "gemini", "groq", "tgi", "ollama", "openai", "--json")

    assert 1 == ended.code
    assert {
        "gemini": "failed",
        "groq": "rejected",
        "tgi": "unreachable",
        "ollama": "not set up",
        "openai": "ok",
    } == states(ended.out)


def test_a_server_at_its_usual_address_may_be_absent(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody said that it is there: what to do is said, and it is no failure."""
    moved = replace(tei.Client.provider, base_url="http://127.0.0.1:1")
    monkeypatch.setattr(tei.Client, "provider", moved)

    ended = cli("doctor", "tei")

    assert 0 == ended.code
    assert "not running" in ended.out
    assert "start it, or set TEI_BASE_URL" in ended.out


def test_a_server_that_is_busy_is_well(
    cli: Cli, settings: dict[str, str], emulator: Emulator
) -> None:
    """A limit or a fault that passes is no illness."""
    emulator.script(["429:nth=1,retry_after=0", "503:nth=1"])
    ended = cli("doctor", "openai")

    assert (0, 3) == (ended.code, len(emulator.log()))


@pytest.mark.parametrize(
    "arguments", [("nobody",), ("--timeout", "0"), ("--timeout", "x"), ("--timeout", "nan")]
)
def test_bad_input(cli: Cli, arguments: tuple[str, ...]) -> None:
    """One line names it."""
    assert arguments[0].lstrip("-") in refusal(cli("doctor", *arguments))


def test_what_a_server_says_is_one_line(
    cli: Cli, settings: dict[str, str], emulator: Emulator
) -> None:
    """Also where its message has several."""
    emulator.script([{"fault": "500", "message": "one\ntwo"}])
    ended = cli("doctor", "openai")

    assert ("one two" in ended.out, 1) == (True, ended.out.count("\n"))
