"""Frozen records: what is sent, what comes back, and what a caller gets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, fields
from itertools import accumulate, pairwise
from typing import Any

from resilience._record import record

__all__ = [
    "Headers",
    "Reply",
    "Request",
    "Result",
    "StreamEvent",
    "ToolCall",
    "Usage",
    "sent_as",
]


_TARGET = re.compile(r"[\x21-\x22\x24-\x7e]*")  # no fragment either: it is never sent


class Headers(Mapping[str, str]):
    """The headers of an answer: read-only, and found whatever the case of their letters.

    A header that came several times is one value, joined by commas (RFC 9110, section 5.3).
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: dict[str, tuple[str, str]] = {}
        for name, value in fields:
            lower = name.lower()
            known = self._fields.get(lower)
            self._fields[lower] = (name, f"{known[1]}, {value}" if known else value)

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()][1]

    def __contains__(self, name: object) -> bool:
        # That of `Mapping` raises and catches an error for each header that is not there.
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Headers({list(self._fields.values())!r})"


@record
class Request:
    """What one operation sends: all but the address, the key and the request id.

    Attributes:
        operation: The name of the operation, as errors and spans give it.
        method: The HTTP method.
        path: Relative to the base URL, with its query; sent byte for byte.
        body: The encoded body, or None; bytes, so that each attempt can send it again.
        content_type: Of the body.
        headers: More headers; they win over those of the client.
        model: The model, where the operation has one.
        base_url: Where this operation has an address of its own; it wins over the client's.
        accepts: Statuses from 300 on that are an answer to this operation and no error.
        repeatable: Whether it does no harm to send it again after an answer that may be lost.
        as_stored: Whether the body of the answer is wanted byte for byte: it is not decompressed,
            and where it is cut the next attempt asks for the rest of it.
    """

    operation: str
    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    model: str | None = None
    base_url: str | None = None
    accepts: frozenset[int] = frozenset()
    repeatable: bool = True
    as_stored: bool = False

    def __post_init__(self) -> None:
        if not _TARGET.fullmatch(self.path):
            msg = "the path of a request must be visible ASCII; whoever builds it has to quote it"
            raise ValueError(msg)


@record
class Reply:
    """An answer as it came, and how it was got."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)
    request_id: str = ""
    server_request_id: str | None = None
    key_name: str | None = None
    attempts: int = 1


@record
class Usage:
    """Tokens as the provider counted them; 0 where it said nothing, and false if all are 0.

    Attributes:
        input_tokens: All of the input, with what a cache served.
        output_tokens: All of the output, with the reasoning.
        total_tokens: As the provider says, else the sum of the two.
        cached_tokens: The part of the input that a cache served.
        cache_write_tokens: The part of the input that was written to a cache.
        reasoning_tokens: The part of the output that is reasoning.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def __bool__(self) -> bool:
        return bool(self.input_tokens or self.output_tokens or self.total_tokens)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )

    def shares(self, weights: Sequence[int]) -> list[Usage]:
        """Share it out by these weights, in whole tokens; the sum of the shares is all of it."""
        ends = list(accumulate(weights))
        names = [each.name for each in fields(self)]

        def share(name: str, begin: int, end: int) -> int:
            count: int = getattr(self, name)
            return count * end // ends[-1] - count * begin // ends[-1]

        return [
            Usage(**{name: share(name, begin, end) for name in names})
            for begin, end in pairwise([0, *ends])
        ]


@record(kw_only=False)
class ToolCall:
    """A call that the model asks for.

    Attributes:
        id: What the tool's result has to refer to.
        name: Of the function.
        arguments: JSON text, as the model wrote it; it may be invalid.
        index: The place of the call among those of one answer.
    """

    id: str
    name: str
    arguments: str
    index: int = 0


@record
class Result:
    """What every result has.

    Attributes:
        raw: The answer as it came, parsed; a list of them where a call was split.
        request_id: The id that was sent with the call.
        server_request_id: The id that the server gave, or None.
        key_name: The name of the key's entry that served, or None.
        attempts: How many requests the call sent.
        headers: Of the answer.
    """

    raw: Any = field(repr=False)
    request_id: str = ""
    server_request_id: str | None = None
    key_name: str | None = None
    attempts: int = 1
    headers: Headers = field(default_factory=Headers, repr=False)


def sent_as(reply: Reply) -> dict[str, Any]:
    """Return the fields of a result that tell how its reply was got."""
    return {
        "request_id": reply.request_id,
        "server_request_id": reply.server_request_id,
        "key_name": reply.key_name,
        "attempts": reply.attempts,
        "headers": reply.headers,
    }


@record
class StreamEvent:
    """One part of a streamed answer.

    Attributes:
        text: What it adds to the text; often empty.
        reasoning: What it adds to the text of the model's thoughts, where the API streams them.
        index: The choice that it belongs to.
        finish_reason: Set in the last part of a choice.
        tool_calls: Parts of tool calls: the arguments of one index have to be joined.
        usage: Tokens, in the part that reports them.
        model: The model that answers.
        event: The name of the server-sent event, where it has one.
        server_request_id: The server's id, where it comes in the body.
        raw: The part as it came, parsed.
    """

    text: str = ""
    reasoning: str = ""
    index: int = 0
    finish_reason: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    model: str | None = None
    event: str | None = None
    server_request_id: str | None = None
    raw: Any = field(default=None, repr=False)
