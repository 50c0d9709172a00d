"""What one file of a provider has to give: its operations, its keys, its way to write an error.

A provider is data and pure functions.
It sees a `Call` and gives an `Answer`; faults, the log and the network come around it and are the
same for all providers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.routing import compile_path

if TYPE_CHECKING:
    import re

__all__ = [
    "Answer",
    "Call",
    "Headers",
    "Operation",
    "Problem",
    "Provider",
    "Quota",
    "Refusal",
    "describe_body",
    "server_sent_event",
    "to_json",
]

Headers = list[tuple[bytes, bytes]]

# One encoder for all: `json.dumps` with arguments makes one at each call.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def to_json(value: object) -> bytes:
    """Write a value as JSON without blanks."""
    return _ENCODER.encode(value).encode(errors="replace")


@dataclass(frozen=True, slots=True)
class Problem:
    """An error before a provider has put it into its own words.

    Attributes:
        status: The HTTP status.
        message: What is wrong, or None for what the provider usually says with this status.
        code: The error's code as OpenAI names it; None for the usual one of this status, empty
            for none at all.
        param: The parameter of the request that is at fault.
        retry_after: Seconds that the client is told to wait, or None; for providers that say so in
            the body.
    """

    status: int
    message: str | None = None
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None


class Refusal(Exception):  # noqa: N818 - it is no fault of the program
    """The request breaks the protocol; carries the `Problem` to answer with."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message or str(problem.status))
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Quota:
    """How much of a rate limit a key has left: requests in all, requests left, seconds to reset."""

    limit: int
    remaining: int
    reset: float


@dataclass(slots=True)
class Call:
    """One request, as an operation sees it.

    Attributes:
        provider: Whom the request is for.
        method: The HTTP method.
        path: The path below the provider's `base_path`.
        headers: The request's headers, names in lower case.
        body: The body as it came.
        query: The query string as it came.
        seed: The emulator's seed.
        index: The request's number, counted from 0 since the start or the last reset.
        request_id: The server's id of this request; the same in every run with this seed.
        data: The body as a JSON object; empty where it is none.
        operation: The operation's name, or None where there is no such route.
        params: The parts of the path that the route leaves open.
        key: The name of the key that was used, or None.
        model: The model that was asked for, or None.
        stream: Whether a stream was asked for.
        target: The whole path, encoded as it came, for providers whose names may hold a slash.
        memory: What the provider remembers, or None.
    """

    provider: Provider
    method: str
    path: str
    headers: Mapping[bytes, bytes]
    body: bytes = b""
    query: bytes = b""
    seed: int = 0
    index: int = 0
    request_id: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    operation: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    model: str | None = None
    stream: bool = False
    target: bytes = b""
    memory: Any = None

    def header(self, name: str) -> str:
        """Give a header's value, or an empty string."""
        return self.headers.get(name.encode(), b"").decode("latin-1")


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a body, or events one after the other.

    Attributes:
        status: The HTTP status.
        body: The whole body of a plain answer.
        events: The framed events of a stream, end marker included, or None for a plain answer.
        content_type: The media type.
        headers: More headers, beside those that each answer of the provider has.
    """

    status: int = 200
    body: bytes = b""
    events: tuple[bytes, ...] | None = None
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @staticmethod
    def of_json(value: object, status: int = 200) -> Answer:
        """Make a plain answer of a JSON value."""
        return Answer(status, to_json(value))


def server_sent_event(data: bytes) -> bytes:
    """Make a server-sent event of one line of data."""
    return b"data: " + data + b"\n\n"


def describe_body(call: Call) -> None:
    """Read model and stream from the members `model` and `stream` of the body."""
    model = call.data.get("model")
    call.model = model if isinstance(model, str) else None
    call.stream = call.data.get("stream") is True


@dataclass(frozen=True, slots=True)
class Operation:
    """A route: method, path below the provider's `base_path`, and what answers it.

    The path may leave parts open, as Starlette writes them: `/models/{model:path}`.
    With `takes_json`, a body that is no JSON object is refused before `answer` is asked.
    """

    name: str
    method: str
    path: str
    answer: Callable[[Call], Answer]
    takes_json: bool = True


@dataclass(frozen=True, eq=False)
class Provider:
    """One API.

    Attributes:
        name: Its name, which is also the first segment of its paths here.
        base_path: What a client's `base_url` has after the name: `/v1`, or nothing.
        operations: Every route.
        keys: From the seed, the keys that are good unless others are given: name to secret.
        authenticate: The name of the key that a request carries; raises `Refusal`.
        problem: An error as this provider writes it.
        stream_problem: An error as an event in the stream of the call's operation, after so many
            events.
        soft_problem: An error in an answer with status 200.
        headers: The headers of an answer, but for length and type.
        describe: Sets the model and whether a stream was asked for, from path and body.
        frame: Makes an event of its data.
        stream_type: The media type of a stream.
        waits_in_body: Whether the time to wait stands in the body of an error (`retry_after` of the
            `Problem`) in place of a header.
        milliseconds_header: Carries the time to wait in milliseconds.
        remember: Makes what it remembers from request to request, until a reset; None: nothing.
        credentials: The parts of a key, where it has several: from its name and secret.
    """

    name: str
    base_path: str
    operations: tuple[Operation, ...]
    keys: Callable[[int], dict[str, str]]
    authenticate: Callable[[Call, Mapping[str, str]], str | None]
    problem: Callable[[Problem, Call], Answer]
    stream_problem: Callable[[Problem, Call, int], bytes]
    soft_problem: Callable[[Problem, Call], Answer]
    headers: Callable[[Call, Quota | None], Headers]
    describe: Callable[[Call], None]
    frame: Callable[[bytes], bytes] = server_sent_event
    stream_type: bytes = b"text/event-stream; charset=utf-8"
    waits_in_body: bool = False
    milliseconds_header: bytes = b"retry-after-ms"
    remember: Callable[[], object] | None = None
    credentials: Callable[[str, str], Mapping[str, str]] | None = None
    _fixed: dict[str, dict[str, Operation]] = field(default_factory=dict, init=False, repr=False)
    _open: list[tuple[re.Pattern[str], Operation]] = field(
        default_factory=list, init=False, repr=False
    )

    def __post_init__(self) -> None:
        for operation in self.operations:
            pattern, _, converters = compile_path(operation.path)
            if converters:
                self._open.append((pattern, operation))
            else:
                self._fixed.setdefault(operation.path, {})[operation.method] = operation

    def route(self, call: Call) -> Operation:
        """Find the operation, and set its name and open parts on the call.

        Raises:
            Refusal: 404 for a path that is not known, 405 for a method that it does not have.
        """
        found = self._fixed.get(call.path, {})
        operation = found.get(call.method) or self._match(call)
        if operation is None:
            raise self._unrouted(call, found)
        call.operation = operation.name
        return operation

    def _match(self, call: Call) -> Operation | None:
        for pattern, operation in self._open:
            if operation.method == call.method and (match := pattern.match(call.path)):
                call.params = match.groupdict()
                return operation
        return None

    def _unrouted(self, call: Call, methods: Iterable[str]) -> Refusal:
        path = self.base_path + call.path
        others = {o.method for pattern, o in self._open if pattern.match(call.path)}
        if allowed := ", ".join(sorted({*methods, *others})):
            message = f"Not allowed to {call.method} on {path}; allowed: {allowed}"
            return Refusal(Problem(405, message, code="method_not_supported"))
        return Refusal(Problem(404, f"Invalid URL ({call.method} {path})"))
