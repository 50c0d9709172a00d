"""A call of the OpenAI adapter to a local server: what the client's side costs."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.server import TEXT, AnswerServer

__all__ = ["CLIENTS", "CONTESTS", "THREADS", "running"]

THREADS = 16  # that may use a client at once

_BASELINE = "requests.Session.post"
_KEY = "sk-benchmark"
_MODEL = "gpt-4o-mini"
_MESSAGES = [{"role": "user", "content": "Say hello"}]
_BODY = {"model": _MODEL, "messages": _MESSAGES}
_HEADERS = {"Authorization": f"Bearer {_KEY}"}

_server = AnswerServer()
_clients = ExitStack()  # closed at the end of the contest


@contextmanager
def running() -> Iterator[None]:
    """Run the server, and close the clients before it."""
    with _server.running(), _clients:
        yield


def _echo(ask: Callable[[], Any]) -> Callable[[int], int]:
    """Return the value that it is given, after a right answer."""

    def call(value: int) -> int:
        assert TEXT == ask()
        return value

    return call


def _text(answer: Any) -> Any:
    return answer["choices"][0]["message"]["content"]


def _adapter(*, metrics_enabled: bool) -> Callable[[int], int]:
    from adapters import openai

    client = _clients.enter_context(
        openai.Client(
            _KEY,
            base_url=_server.url,
            max_concurrent_requests=THREADS,
            metrics_enabled=metrics_enabled,
        )
    )
    return _echo(lambda: client.chat(_MODEL, _MESSAGES).text)


def _requests() -> Callable[[int], int]:
    from requests import Session
    from requests.adapters import HTTPAdapter

    session = _clients.enter_context(Session())
    session.mount("http://", HTTPAdapter(pool_maxsize=THREADS))
    post, url = session.post, f"{_server.url}/chat/completions"
    return _echo(lambda: _text(post(url, json=_BODY, headers=_HEADERS, timeout=60).json()))


def _http_client() -> Callable[[int], int]:
    address = urlsplit(_server.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    _clients.enter_context(closing(connection))
    headers = {**_HEADERS, "Content-Type": "application/json"}

    def ask() -> Any:
        connection.request("POST", "/v1/chat/completions", json.dumps(_BODY), headers)
        return _text(json.loads(connection.getresponse().read()))

    return _echo(ask)


def _sdk() -> Callable[[int], int]:
    from openai import OpenAI

    client = _clients.enter_context(OpenAI(api_key=_KEY, base_url=_server.url))
    create: Any = client.chat.completions.create
    return _echo(lambda: create(model=_MODEL, messages=_MESSAGES).choices[0].message.content)


CLIENTS: dict[str, Callable[[], Callable[[int], int]]] = {
    _BASELINE: _requests,
    PLAIN: partial(_adapter, metrics_enabled=False),
    DEFAULT: partial(_adapter, metrics_enabled=True),
    "openai SDK": _sdk,
}

CONTESTS = (
    Contest(
        name="adapter-cpu",
        title="adapter call on a local server, CPU",
        contestants={**CLIENTS, "http.client": _http_client},  # for one thread only
        baseline=_BASELINE,
        unit="×",
        goals={PLAIN: 0.65, DEFAULT: 0.65},
        number=20,
        shown="ms",
        weight=10,
        around=running,
    ),
)
