"""`resilient call`: answers, streams, listings, and bad input."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.emulator import Emulator
from tests.cli.conftest import Cli, refusal

MODEL = "gpt-4o-mini"


def test_prints_the_text(cli: Cli, settings: object, emulator: Emulator) -> None:
    """The answer's text is all that goes to standard output."""
    ended = cli("call", "openai", "chat", MODEL, "Say hello")

    assert (0, emulator.expected_answer("Say hello") + "\n", "") == (
        ended.code,
        ended.out,
        ended.err,
    )


def test_streams(cli: Cli, settings: object, emulator: Emulator) -> None:
    """A stream prints the same text, with one newline behind it."""
    ended = cli("call", "openai", "stream", MODEL, "Say hello")

    assert (0, emulator.expected_answer("Say hello") + "\n") == (ended.code, ended.out)


def test_streams_as_json(cli: Cli, settings: object) -> None:
    """With --json each part of a stream is a line of JSON, as the API sent it."""
    ended = cli("call", "openai", "stream", MODEL, "Say hello", "--json")
    parts = [json.loads(line) for line in ended.out.splitlines()]

    assert len(parts) > 1
    assert {"chat.completion.chunk"} == {part["object"] for part in parts}


def test_prints_the_whole_answer_as_json(cli: Cli, settings: object) -> None:
    """With --json one line holds the record, what the API sent included."""
    ended = cli("call", "openai", "chat", MODEL, "Say hello", "--json")
    answer = json.loads(ended.out)

    assert 1 == ended.out.count("\n")
    assert answer["text"] == answer["raw"]["choices"][0]["message"]["content"]
    assert answer["request_id"].startswith("req_")
    assert answer["usage"]["total_tokens"] == answer["raw"]["usage"]["total_tokens"]


def test_reads_standard_input(
    cli: Cli, settings: object, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hyphen stands for what standard input holds."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"Say hello")))

    ended = cli("call", "openai", "chat", MODEL, "-")

    assert emulator.expected_answer("Say hello") + "\n" == ended.out


def test_reads_files_and_json(
    cli: Cli, settings: object, emulator: Emulator, tmp_path: Path
) -> None:
    """`@FILE` stands for its text, and what begins like JSON is some."""
    (tmp_path / "question.txt").write_text("Say hello")
    messages = json.dumps([{"role": "user", "content": "Say hello"}])

    from_file = cli("call", "openai", "chat", MODEL, "@question.txt")
    from_json = cli("call", "openai", "chat", MODEL, messages)

    assert from_file == from_json
    assert emulator.expected_answer("Say hello") + "\n" == from_file.out


def test_hands_on_further_arguments(cli: Cli, settings: object) -> None:
    """`--with` values are JSON where they are some, and text where they are none."""
    two = cli("call", "openai", "chat", MODEL, "hi", "-w", "n=2", "-w", "user=me", "--json")
    hot = cli("call", "openai", "chat", MODEL, "hi", "--with", "temperature=9")

    assert 2 == len(json.loads(two.out)["texts"])
    assert "expected a value <= 2, but got 9" in hot.err


def test_prints_listings_line_by_line(cli: Cli, settings: object) -> None:
    """What has several items is one line for each."""
    models = cli("call", "openai", "models")
    buckets = cli("call", "s3", "buckets")

    assert MODEL in models.out.splitlines()
    assert "demo\n" == buckets.out


def test_stores_and_fetches_bytes(cli: Cli, settings: object, tmp_path: Path) -> None:
    """An object of S3 comes out as it went in, and a listing gives its key."""
    (tmp_path / "notes.txt").write_text("some notes")

    cli("call", "s3", "put", "demo", "notes.txt", "@notes.txt")
    stored = subprocess.run(
        [sys.executable, "-m", "adapters", "call", "s3", "get", "demo", "notes.txt"],
        capture_output=True,
        check=True,
    )

    assert b"some notes" == stored.stdout
    assert "notes.txt\n" == cli("call", "s3", "list", "demo").out


def test_prints_other_records_as_json(cli: Cli, settings: object) -> None:
    """A record without a text is its own fields as JSON, without how it was sent."""
    ended = cli("call", "openai", "embed", "text-embedding-3-small", '["a", "b"]')
    record = json.loads(ended.out)

    assert {"vectors", "usage", "model"} == record.keys()
    assert 2 == len(record["vectors"])


def test_lists_operations(cli: Cli) -> None:
    """Without an operation it says what there is; no key is needed for that."""
    ended = cli("call", "claude")

    assert 0 == ended.code
    assert ["chat", "stream", "count_tokens", "models"] == [
        line.split()[0] for line in ended.out.splitlines()
    ]


def test_says_what_was_retried(cli: Cli, settings: object, emulator: Emulator) -> None:
    """With -v each retry is a line on stderr, and the call a summary; the answer is as before."""
    emulator.script(["503:nth=1"])

    ended = cli("call", "openai", "chat", MODEL, "hi", "-v", "-c", "initial_retry_delay=0")

    assert emulator.expected_answer("hi") + "\n" == ended.out
    assert "resilience.retry: " in ended.err
    assert "retries: 1, tokens: " in ended.err


def test_a_failure_is_one_line(cli: Cli, settings: object, emulator: Emulator) -> None:
    """It exits with 1, and the line names the kind of error."""
    emulator.script(["503"])

    ended = cli("call", "openai", "chat", MODEL, "hi", "-c", "max_retries=0")

    assert (1, "", 1) == (ended.code, ended.out, ended.err.count("\n"))
    assert ended.err.startswith("error: OverloadedError: openai chat (503")


def test_a_cut_stream_is_an_error(cli: Cli, settings: object, emulator: Emulator) -> None:
    """What had arrived is printed, and nobody takes it for the whole."""
    emulator.script(["cut:after=2"])

    ended = cli("call", "openai", "stream", MODEL, "Say hello")

    assert 1 == ended.code
    assert emulator.expected_answer("Say hello").startswith(ended.out.rstrip("\n"))
    assert "StreamInterruptedError" in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nobody",), "'nobody' is not one of 'openai'"),
        (("openai", "chta"), "openai has no 'chta'; did you mean chat?"),
        (("openai", "chat"), "chat: missing a required argument: 'model'"),
        (("openai", "chat", MODEL, "a", "b"), "chat: too many positional arguments"),
        (("openai", "chat", MODEL, '{"a": 1}'), "messages must be a text, or a list"),
        (("openai", "chat", MODEL, "@missing"), "cannot read 'missing' (No such file"),
        (("openai", "transcribe", "whisper-1", "missing"), "cannot use 'missing' (No such file"),
        (("s3", "upload", ".", "demo", "key"), "cannot use '.' (Is a directory)"),
        (("openai", "chat", MODEL, "a", "-w", "x"), "--with: must be NAME=VALUE, each name once"),
        (("openai", "chat", MODEL, "a", "-w", "messages=1"), "multiple values for argument"),
        (("openai", "chat", MODEL, "a", "-c", "max_retris=2"), "did you mean max_retries?"),
        (("openai", "chat", MODEL, "a", "-c", "max_retries=-1"), "max_retries must be"),
        (("openai", "chat", MODEL, "a", "-c", "api_key=sk-secret-1"), "api_key is not taken here"),
    ],
)
def test_bad_input(cli: Cli, settings: object, arguments: tuple[str, ...], message: str) -> None:
    """One line says what is wrong; nothing is sent, and no secret is repeated."""
    line = refusal(cli("call", *arguments))

    assert message in line
    assert "sk-secret-1" not in line


def test_a_missing_key_names_its_variable(cli: Cli) -> None:
    """It is bad input as well."""
    assert "OPENAI_API_KEY" in refusal(cli("call", "openai", "chat", MODEL, "hi"))


def test_a_closed_pipe_is_no_error(settings: object) -> None:
    """`resilient call … | head` ends in silence."""
    program = f"{sys.executable} -m adapters call openai models | head -n 1"

    ended = subprocess.run(  # noqa: S602 - a pipe, as in a shell
        program, shell=True, capture_output=True, check=True, text=True
    )

    assert (1, "") == (ended.stdout.count("\n"), ended.stderr)
