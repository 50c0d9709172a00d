"""The log: every request that arrived, in order, and never a secret."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from adapters.emulator import Emulator, LogRecord
from adapters.emulator.records import RequestLog
from adapters.emulator.registry import PROVIDERS
from resilience.errors import SettingsError

CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}


def test_a_record_of_a_plain_request(server: Emulator, wire: Any) -> None:
    """Who asked for what with which key, and what was answered."""
    reply = wire.send(CHAT, headers={"x-client-request-id": "mine"})

    (record,) = server.log()
    assert record.duration is not None
    assert 0 <= record.time < 60
    assert (
        LogRecord(
            index=0,
            time=record.time,
            provider="openai",
            method="POST",
            path="/openai/v1/chat/completions",
            operation="chat",
            key="production",
            client_request_id="mine",
            request_id=reply.headers["x-request-id"],
            model="gpt-4o-mini",
            stream=False,
            digest=record.digest,
            status=200,
            fault=None,
            completed=True,
            duration=record.duration,
        )
        == record
    )


def test_a_record_of_a_stream(server: Emulator, wire: Any) -> None:
    """Events are counted, the end marker among them."""
    body = wire.send({**CHAT, "stream": True}).body

    (record,) = server.log()
    assert (True, body.count(b"\n\n"), True) == (record.stream, record.events, record.completed)


def test_records_of_what_was_refused(server: Emulator, wire: Any) -> None:
    """Strangers, unknown routes and bad bodies are logged like everything else."""
    wire.send(CHAT, headers={"authorization": "Bearer nobody"})
    wire.send(CHAT, "/nonsense?token=secret")
    wire.send(b"{")

    assert [(None, "chat", 401), ("production", None, 404), ("production", "chat", 400)] == [
        (record.key, record.operation, record.status) for record in server.log()
    ]
    assert "/openai/v1/nonsense" == server.log()[1].path


def test_equal_bodies_have_equal_digests(server: Emulator, wire: Any) -> None:
    """What is sent twice can be recognised."""
    for body in (CHAT, CHAT, {**CHAT, "n": 1}):
        wire.send(body)

    first, second, third = (record.digest for record in server.log())
    assert first == second != third


def test_no_secret_is_logged(server: Emulator, wire: Any) -> None:
    """Neither a good key nor a bad one stands anywhere in the log."""
    wire.send(CHAT)
    wire.send(CHAT, headers={"authorization": "Bearer sk-emulator-somebody-elses"})

    text = repr(server.log())

    assert server.keys()["production"] not in text
    assert "somebody-elses" not in text


def test_a_part_of_the_log(server: Emulator, wire: Any) -> None:
    """`since` leaves out what is known already; reset begins from 0 again."""
    for _ in range(3):
        wire.send(CHAT)

    assert [1, 2] == [record.index for record in server.log(since=1)]
    server.reset()
    assert [] == server.log()
    wire.send(CHAT)
    assert [0] == [record.index for record in server.log()]


def test_equal_runs_have_equal_ids(server: Emulator, wire: Any) -> None:
    """After a reset the same requests get the same answers, ids included."""
    first = wire.send(CHAT)
    server.reset()
    second = wire.send(CHAT)

    assert first.json["id"] == second.json["id"]
    assert first.headers["x-request-id"] == second.headers["x-request-id"]


def test_rates_repeat_whatever_the_threads_do(server: Emulator, wire: Any) -> None:
    """Eight threads send as they like; the number of faults depends on the seed alone."""
    counts = []
    for _ in range(2):
        server.script(["500:rate=0.3"])
        server.reset()
        threads = [
            threading.Thread(target=lambda: [wire.send(CHAT) for _ in range(10)]) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        records = server.log()
        assert list(range(80)) == [record.index for record in records]
        counts.append(sum(record.status == 500 for record in records))

    assert counts[0] == counts[1]
    assert 0 < counts[0] < 80


def test_a_script_begins_its_own_clock(server: Emulator, wire: Any) -> None:
    """A new script counts time and requests from its start; the log goes on."""
    server.script(["500:first=1"])
    statuses = [wire.send(CHAT).status for _ in range(2)]
    server.script(["500:first=1"])
    statuses += [wire.send(CHAT).status for _ in range(2)]

    assert [500, 200, 500, 200] == statuses
    assert [0, 1, 2, 3] == [record.index for record in server.log()]


def test_a_reset_begins_the_script_anew(server: Emulator, wire: Any) -> None:
    """Counters start again, the rules stay."""
    server.script(["500:first=1"])
    statuses = [wire.send(CHAT).status for _ in range(2)]
    server.reset()
    statuses.append(wire.send(CHAT).status)

    assert [500, 200, 500] == statuses


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("500:key=prodction", "key must be one of backup, production, not 'prodction'"),
        ("500:operation=chatting", "operation must be one of .*, chat, .*, not 'chatting'"),
        ("500:provider=closedai", "provider must be one of .*openai.*, not 'closedai'"),
    ],
)
def test_a_name_that_is_unknown_is_a_slip(server: Emulator, rule: str, message: str) -> None:
    """A rule that could never strike is refused, and the script before it goes on."""
    with pytest.raises(SettingsError, match=f"^{message}"):
        server.script([rule])


def test_the_controls_tell_the_way(server: Emulator, wire: Any) -> None:
    """Any program can ask for base URLs and keys, and for the parts of keys that have several."""
    described = wire.send(None, "/providers", "GET", root="/_emulator").json

    parts = {
        name: each.pop("credentials", None) for name, each in zip(PROVIDERS, described, strict=True)
    }
    assert ["s3"] == [name for name, found in parts.items() if found]
    assert server.credentials("s3") == parts["s3"]
    assert [
        {"provider": name, "base_url": server.base_url(name), "keys": server.keys(name)}
        for name in PROVIDERS
    ] == described


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/script", b"{"),
        ("PUT", "/script", b'{"fault": 500}'),
        ("PUT", "/script", b'["nonsense"]'),
        ("GET", "/log?since=x", b""),
    ],
)
def test_bad_controls_are_explained(wire: Any, method: str, path: str, body: bytes) -> None:
    """The controls are HTTP as well: 400 with what is wrong."""
    reply = wire.send(body, path, method, root="/_emulator")

    assert 400 == reply.status
    assert {"message", "setting", "rule", "value"} == set(reply.json)


def test_records_are_bounded_in_memory() -> None:
    """The oldest records go when there are too many; numbers go on."""
    log = RequestLog(kept=3)
    for _ in range(5):
        log.open(0.0, "openai", "GET", "/")

    assert [2, 3, 4] == [record["index"] for record in log.as_json()]
    assert [4] == [record["index"] for record in log.as_json(since=4)]


def test_the_log_file_has_a_line_for_each_request_that_ended(tmp_path: Path) -> None:
    """Lines of JSON with the members of a record, written as soon as a request has ended."""
    path = tmp_path / "requests.jsonl"
    log = RequestLog()
    with path.open("w") as file:
        log.write_to(file)
        first = log.open(0.5, "openai", "GET", "/models")
        log.open(0.6, "openai", "GET", "/models")
        log.close(first, 0.25)
        lines = path.read_text().splitlines()

    assert [first] == [LogRecord(**json.loads(line)) for line in lines]
