"""One call of each of the eleven adapters, beside its vendor's client: what our side costs.

The server is the emulator, which speaks all their protocols; its own time does not count. The
baseline sends with `requests` what the adapter has sent, body and answer as JSON where they are,
and without a stack around it.
"""

from __future__ import annotations

import atexit
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from importlib import import_module
from typing import Any
from unittest.mock import patch

from requests import Session
from urllib3 import HTTPConnectionPool

from adapters.emulator import Emulator, expected_vector
from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.vendors import BUCKET, CONTENT, MODELS, OBJECT, PROMPT, ROWS, VENDORS, Ask

__all__ = ["CONTESTS"]

_BASELINE = "requests.Session"

_clients = ExitStack()  # closed at the end of the contest
_server = Emulator()


def _chat(name: str, client: Any) -> Any:
    return client.chat(MODELS[name], PROMPT).text


def _infer(client: Any) -> Any:
    return client.infer(MODELS["ovms"], {"x": ROWS}, binary=True).outputs["y"]


# By adapter, what asks; an API without a chat is asked for what it is there for.
_ASKS: dict[str, Callable[[Any], Any]] = {
    **{name: partial(_chat, name) for name in MODELS if name != "ovms"},
    "tgi": lambda client: client.generate(PROMPT).text,
    "tei": lambda client: list(client.embed(PROMPT).vectors[0]),
    "ovms": _infer,
    "opea": lambda client: client.chatqna(PROMPT).text,
    "s3": lambda client: client.get(BUCKET, OBJECT).body,
}


@contextmanager
def _running() -> Iterator[None]:
    _start()
    with _clients:
        yield


@cache
def _start() -> None:
    """Start the server once for all of these contests."""
    _server.start()
    atexit.register(_server.close)
    with _open("s3") as client:
        client.put(BUCKET, OBJECT, CONTENT)


def _open(name: str, **settings: Any) -> Any:
    address, keys = _server.base_url(name), {"production": _server.keys(name)["production"]}
    return import_module(f"adapters.{name}").Client(keys=keys, base_url=address, **settings)


def _ours(name: str, *, metrics_enabled: bool) -> Ask:
    # One call after another has no company that it could wait for.
    settings = {"metrics_enabled": metrics_enabled, "enable_batching": False}
    client = _clients.enter_context(_open(name, **settings))
    return partial(_ASKS[name], client)


def _theirs(name: str) -> Ask:
    return VENDORS[name][1](_server, _clients)


def _by_hand(name: str) -> Ask:
    """Return what sends the adapter's request once more, as a program does without an adapter."""
    method, url, headers, body = _request_of(name)
    session = _clients.enter_context(Session())
    is_json = "json" in headers.get("Content-Type", "")
    data = json.loads(body) if is_json else body

    def ask() -> Any:
        given: dict[str, Any] = {"json" if is_json else "data": data}
        response = session.request(method, url, headers=headers, **given)
        response.raise_for_status()
        return response.json() if is_json else response.content

    return ask


def _request_of(name: str) -> tuple[str, str, dict[str, str], bytes]:
    """Return the request that the adapter sends: method, address, headers and body."""
    urlopen = HTTPConnectionPool.urlopen
    with (
        patch.object(HTTPConnectionPool, "urlopen", autospec=True, side_effect=urlopen) as sent,
        _open(name) as client,
    ):
        _ASKS[name](client)
    (pool, method, target), given = sent.call_args
    return method, f"http://{pool.host}:{pool.port}{target}", given["headers"], given["body"]


def _right(name: str) -> Any:
    if name == "tei":
        return list(expected_vector(PROMPT, 384, seed=_server.seed))
    if name == "ovms":
        return [[2 * number for number in row] for row in ROWS]
    return CONTENT if name == "s3" else _server.expected_answer(PROMPT)


def _contestant(name: str, open_: Callable[[str], Ask]) -> Callable[[], Callable[[int], int]]:
    """Return what makes a call that returns its value after an answer; the first must be right."""

    def make() -> Callable[[int], int]:
        ask = open_(name)
        assert open_ is _by_hand or _right(name) == ask(), name

        def call(value: int) -> int:
            assert ask()
            return value

        return call

    return make


def _contest(name: str) -> Contest:
    openers: dict[str, Callable[[str], Ask]] = {
        _BASELINE: _by_hand,
        PLAIN: partial(_ours, metrics_enabled=False),
        DEFAULT: partial(_ours, metrics_enabled=True),
    }
    if name in VENDORS:
        openers[VENDORS[name][0]] = _theirs
    return Contest(
        name=f"adapter-{name}",
        title=f"`adapters.{name}`, one call, CPU",
        contestants={label: _contestant(name, open_) for label, open_ in openers.items()},
        baseline=_BASELINE,
        unit="×",
        goals={PLAIN: 1, DEFAULT: 1},
        number=20,
        shown="ms",
        weight=20,
        around=_running,
    )


CONTESTS = tuple(_contest(name) for name in _ASKS)
