"""The second part of the demo: every API, each behind the same stack, each with some trouble."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.table import Table

from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.errors import AdapterError
from resilience import RefusedError

__all__ = ["STOPS", "TROUBLE", "Stop", "tour"]

_CALLS = 12  # of each operation
_TOLERANCE = 1e-6

# Gets a client, a text and the seed; says whether what came is right.
Check = Callable[[Any, str, int], bool]

# The n-th requests that fail, and how.
TROUBLE: list[dict[str, object]] = [
    {"fault": "503", "every": 5},
    {"fault": "429", "every": 7},
    {"fault": "reset", "every": 8},
    {"fault": "truncated", "stream": False, "every": 3},
    {"fault": "cut", "stream": True, "after": 0, "every": 3},
]


def _asks(ask: Callable[[Any, str], Any]) -> Check:
    """Return the check of a text."""
    return lambda client, text, seed: ask(client, text).text == expected_answer(text, seed=seed)


def _streams(open_stream: Callable[[Any, str], Any]) -> Check:
    """Return the check of a text that comes in pieces."""

    def check(client: Any, text: str, seed: int) -> bool:
        with open_stream(client, text) as stream:
            pieces = "".join(event.text for event in stream)
        return pieces == expected_answer(text, seed=seed)

    return check


def _embeds(model: str | None, size: int) -> tuple[str, Check]:
    """Return the check of a vector, of a model or of a server that has but one."""

    def check(client: Any, text: str, seed: int) -> bool:
        answer = client.embed(text) if model is None else client.embed(model, text)
        (vector,) = answer.vectors
        expected = expected_vector(text, size, seed=seed)
        pairs = zip(vector, expected, strict=True) if len(vector) == size else [(0.0, 1.0)]
        return all(math.isclose(a, b, abs_tol=_TOLERANCE) for a, b in pairs)

    return "embed", check


def _chats(model: str) -> tuple[tuple[str, Check], ...]:
    """Return the two operations that most APIs have."""
    return (
        ("chat", _asks(lambda client, text: client.chat(model, text))),
        ("stream", _streams(lambda client, text: client.stream(model, text))),
    )


def _infers(client: Any, text: str, _seed: int) -> bool:
    row = [float(len(text)), 1.0, 2.0, 3.0]
    found = client.infer("double", {"x": [row]}, binary=False)
    return [2.0 * number for number in row] == [float(y) for y in _flat(found.outputs["y"])]


def _flat(values: Any) -> list[Any]:
    nested = values.tolist() if hasattr(values, "tolist") else values
    return [each for row in nested for each in (row if isinstance(row, list) else [row])]


def _stores(client: Any, text: str, seed: int) -> bool:
    name, content = f"demo/{text}/ä b+c", f"{seed} {text}".encode()
    client.put("demo", name, content)
    found: bytes = client.get("demo", name).body
    return found == content


@dataclass(frozen=True, slots=True)
class Stop:
    """One API and what is asked of it."""

    name: str
    operations: tuple[tuple[str, Check], ...]


STOPS = [
    Stop("openai", (*_chats("gpt-4o-mini"), _embeds("text-embedding-3-small", 1536))),
    Stop("claude", _chats("claude-haiku-5-5")),
    Stop("groq", _chats("llama-3.1-8b-instant")),
    Stop("gemini", (*_chats("gemini-2.5-flash-lite"), _embeds("gemini-embedding-001", 3072))),
    Stop("ollama", (*_chats("llama3.2"), _embeds("all-minilm", 384))),
    Stop(
        "tgi",
        (
            ("generate", _asks(lambda client, text: client.generate(text))),
            ("stream", _streams(lambda client, text: client.stream_generate(text))),
        ),
    ),
    Stop("tei", (_embeds(None, 384),)),
    Stop("llvm", _chats("Qwen/Qwen3-8B")),
    Stop("ovms", (("infer", _infers), *_chats("OpenVINO/Qwen3-8B-int4-ov"))),
    Stop(
        "opea",
        (
            ("chatqna", _asks(lambda client, text: client.chatqna(text))),
            ("stream", _streams(lambda client, text: client.stream_chatqna(text))),
        ),
    ),
    Stop("s3", (("put, get", _stores),)),
]


def tour(console: Console, seed: int, stops: Sequence[Stop] = STOPS) -> bool:
    """Visit all APIs at once, show the table, and return whether every answer was right."""
    table = Table(title="Every API, one stack", caption="Counted from the server's own log.")
    table.add_column("API")
    table.add_column("operations")
    for name in ("right answers", "requests", "that failed on purpose"):
        table.add_column(name, justify="right")
    trouble = [{**rule, "provider": stop.name} for stop in stops for rule in TROUBLE]
    with Emulator(seed=seed, script=trouble) as server, ThreadPoolExecutor(len(stops)) as pool:
        visits = {stop: pool.submit(_visit, server, stop, seed) for stop in stops}
        counts = {stop: visit.result() for stop, visit in visits.items()}
        log = server.log()
    for stop, (right, asked) in counts.items():
        records = [record for record in log if record.provider == stop.name]
        failed = sum(record.fault is not None for record in records)
        row = (f"{right} of {asked}", str(len(records)), str(failed))
        table.add_row(stop.name, ", ".join(name for name, _ in stop.operations), *row)
    console.print(table)
    return all(right == asked for right, asked in counts.values())


def _visit(server: Emulator, stop: Stop, seed: int) -> tuple[int, int]:
    """Make all calls of one API; return how many were right, and how many there were."""
    client = import_module(f"adapters.{stop.name}").Client(
        keys=server.keys(stop.name),
        base_url=server.base_url(stop.name),
        initial_retry_delay=0.05,
        name=f"demo {stop.name}",
    )
    with client:
        checked = [
            _is_right(check, client, f"Say hello, {number}", seed)
            for _, check in stop.operations
            for number in range(_CALLS)
        ]
    return sum(checked), len(checked)


def _is_right(check: Check, client: Any, text: str, seed: int) -> bool:
    """Make one call; an error is no right answer."""
    try:
        return check(client, text, seed)
    except (AdapterError, RefusedError):
        return False
