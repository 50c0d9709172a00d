"""The two ways of sending that the demo compares: `requests` by itself, and the toolkit."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import requests

from adapters import openai
from adapters.cli.demo.jobs import DIMENSIONS, EMBED_MODEL, MODEL, Job
from adapters.cli.demo.race import Answer, Sender
from adapters.errors import AdapterError, StreamInterruptedError
from resilience import RefusedError

__all__ = ["open_client", "plain_reason", "plain_sender", "toolkit_reason", "toolkit_sender"]

_TIMEOUT = 10.0  # seconds that either way waits for a byte
_PATIENCE = 60.0  # seconds after which a job is lost, whatever comes
_PATHS = {"chat": "/chat/completions", "stream": "/chat/completions", "embed": "/embeddings"}


def plain_sender(base_url: str, keys: Mapping[str, str]) -> Sender:
    """Return the way it is done by hand: the keys in turn, and no second attempt."""
    turn, local = itertools.cycle(keys.values()), threading.local()

    def send(job: Job) -> Answer:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        response = local.session.post(
            base_url + _PATHS[job.operation],
            json=_body(job),
            headers={
                "Authorization": f"Bearer {next(turn)}",
                "X-Client-Request-Id": job.request_id,
            },
            timeout=_TIMEOUT,
            stream=job.operation == "stream",
        )
        with response:
            response.raise_for_status()
            if job.operation == "stream":
                return "".join(_deltas(response))
            answer = response.json()
        if job.operation == "embed":
            return tuple(answer["data"][0]["embedding"])
        return str(answer["choices"][0]["message"]["content"])

    return send


def plain_reason(error: Exception) -> str:
    """Name why the plain way lost a job."""
    if isinstance(error, requests.HTTPError):
        return f"HTTP {error.response.status_code}"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "cut off"
    if isinstance(error, requests.ConnectionError):
        return "connection reset"
    return type(error).__name__


def open_client(base_url: str, keys: Mapping[str, str], jobs: int) -> openai.Client:
    """Return a client with the whole toolkit, tuned for much work and short waits."""
    return openai.Client(
        keys=keys,
        base_url=base_url,
        max_retries=8,
        initial_retry_delay=0.25,
        max_retry_delay=10.0,
        max_concurrent_requests=32,
        queue_size=jobs,
        failure_threshold=8,
        reset_timeout=0.5,
        read_timeout=_TIMEOUT,
        enable_batching=False,  # the proof needs a request for each job
        name="demo",
    )


def toolkit_sender(client: openai.Client, came_back: Callable[[], object]) -> Sender:
    """Return the way of the toolkit: one call, and the patience that a job without a user has.

    A call fails fast, with `retry_after`, where waiting is the program's decision: an open
    circuit, or a wait beyond its limits. And a stream that breaks after its first words cannot be
    repeated behind the reader's back. A batch job may come back and ask again; it says so here.
    """

    def send(job: Job) -> Answer:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                return _call(client, job)
            except (AdapterError, RefusedError) as error:
                wait = 0.0 if isinstance(error, StreamInterruptedError) else error.retry_after
                if wait is None or time.monotonic() + wait > end:
                    raise
            came_back()
            time.sleep(wait)

    return send


def toolkit_reason(error: Exception) -> str:
    """Name why the toolkit lost a job."""
    status = getattr(error, "status_code", None)
    return type(error).__name__ if status is None else f"HTTP {status}"


def _call(client: openai.Client, job: Job) -> Answer:
    options: dict[str, Any] = {"priority": job.priority, "request_id": job.request_id}
    if job.operation == "chat":
        return client.chat(MODEL, job.prompt, **options).text
    if job.operation == "embed":
        answer = client.embed(EMBED_MODEL, job.prompt, dimensions=DIMENSIONS, **options)
        return tuple(answer.vectors[0])
    with client.stream(MODEL, job.prompt, **options) as stream:
        for _ in stream:
            pass
        return stream.text


def _body(job: Job) -> dict[str, Any]:
    if job.operation == "embed":
        return {"model": EMBED_MODEL, "input": job.prompt, "dimensions": DIMENSIONS}
    messages = [{"role": "user", "content": job.prompt}]
    return {"model": MODEL, "messages": messages, "stream": job.operation == "stream"}


def _deltas(response: requests.Response) -> Iterator[str]:
    """Read a stream as a quick script does: until the bytes end."""
    for line in response.iter_lines():
        if not line.startswith(b"data: ") or line == b"data: [DONE]":
            continue
        for choice in json.loads(line[6:])["choices"]:
            yield choice["delta"].get("content") or ""
