"""One request of a call: what it asks for, and what has become of it so far."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from adapters._build import checked_request_id, is_sendable
from adapters._failures import ErrorTable
from adapters._masking import mask, mask_causes, secret_forms
from adapters._messages import Headers, Reply, Request, StreamEvent
from adapters._notes import Notes
from adapters._provider import Provider
from adapters._request_ids import new_request_id, part_of
from adapters._resume import Arrived
from adapters._streaming import Collected
from adapters._streams import EventReader
from adapters.errors import (
    AdapterError,
    AuthenticationError,
    RateLimitError,
    RequestTimeoutError,
)
from resilience import Priority, _clock, deadline, priority
from resilience._lease import Lease
from resilience._marks import note
from resilience._request_id import request_id
from resilience._rules import check, fail
from resilience._streams import Scoped
from resilience.telemetry.statistics import CallStatistics

__all__ = ["CallOptions", "Exchange", "MakeReader", "Read"]

R = TypeVar("R")

# Reads a whole answer; the last argument is what it may echo and nobody should see.
Read = Callable[[ErrorTable, Reply, tuple[str, ...]], R]
# Makes the reader of a stream from the same, with the answer's headers; None: it is no stream.
MakeReader = Callable[[ErrorTable, Headers, tuple[str, ...]], EventReader[Any] | None]

_OPTIONS = ("priority", "key", "request_id", "timeout")
_SECRET_NAMES = ("auth", "cookie", "key", "secret", "token")


class CallOptions:
    """What every call takes beside the fields of the API.

    Args:
        options: `priority`, `key`, `request_id` and `timeout` are taken out of it; the rest goes
            to the API as it is.
        timeout: The client's own, in seconds, or None.
        named: Names that the operation has for a parameter of its own: these are not taken.
    """

    __slots__ = ("_parts", "key", "priority", "request_id", "timeout")

    def __init__(
        self, options: dict[str, Any], timeout: float | None, named: Collection[str] = ()
    ) -> None:
        taken = {name: options.pop(name, None) for name in _OPTIONS if name not in named}
        self.priority: Priority | int | None = taken.get("priority")
        self.key: str | None = taken.get("key")
        if not isinstance(self.key, str | None):
            fail("key", "must be the name of an entry", self.key)
        given: str | None = taken.get("request_id")
        self.request_id = new_request_id() if given is None else checked_request_id(given)
        own: float | None = taken.get("timeout")
        if own is not None:
            check("timeout", own, "deadline")
        self.timeout = timeout if own is None else own
        self._parts = 0

    def next_id(self) -> str:
        """Return the id of the next request of this call; the first has that of the call."""
        self._parts += 1
        return part_of(self.request_id, self._parts)

    @contextmanager
    def scope(self) -> Generator[None]:
        """Give what runs inside the priority and the time of the call."""
        with ExitStack() as stack:
            if self.priority is not None:
                stack.enter_context(priority(self.priority))
            if self.timeout is not None:
                stack.enter_context(deadline(self.timeout))
            yield

    def within(self, steps: Any) -> Any:
        """Give each step of a generator the id of the call; priority and time are for opening."""
        named = request_id(self.request_id)
        return Scoped(steps, lambda: named)


class Exchange:
    """The mutable record of one request: its attempts write it, results and errors read it.

    One thread at a time uses it.

    Args:
        provider: The API.
        request: What is sent.
        call: The options of the call that it belongs to.
    """

    __slots__ = (
        "_end",
        "_forms",
        "_secrets",
        "answered",
        "arrived",
        "attempts",
        "collected",
        "key",
        "key_name",
        "key_statistics",
        "notes",
        "provider",
        "request",
        "request_id",
        "server_request_id",
    )

    def __init__(
        self,
        provider: Provider,
        request: Request,
        call: CallOptions,
    ) -> None:
        self.provider = provider
        self.request = request
        self.key = call.key
        self.request_id = call.next_id()
        self.collected = Collected(self.request_id)
        self.attempts = 0
        self.key_name: str | None = None
        self.key_statistics: CallStatistics | None = None
        self.server_request_id: str | None = None
        self.answered: AdapterError | None = None
        self.notes: Notes | None = None
        self.arrived = Arrived(request.headers) if request.as_stored else None
        self._secrets: list[str] = []
        self._forms: tuple[str, ...] | None = None
        self._end: float | None = None

    def __repr__(self) -> str:
        return f"<Exchange {self.request_id}: {self.request.operation}, attempt {self.attempts}>"

    def bound(self) -> None:
        """Take note of when the call has to be over; before its first attempt."""
        remaining = deadline.remaining()
        self._end = None if remaining is None else _clock.now() + remaining

    def begin(self, lease: Lease) -> None:
        """Count an attempt and take note of its key.

        Raises:
            AuthenticationError: if no header can carry the key; another one may do.
        """
        self.attempts += 1
        self.key_name = lease.name
        self.key_statistics = lease.member.statistics
        self.server_request_id = None
        self._secrets, self._forms = [*_secrets_in(self.request.headers)], None
        if lease.key is None:
            return
        self._secrets += self.provider.secrets_of(lease.key)
        if not is_sendable(lease.key):
            msg = "the key holds a character that no header can carry, such as a space"
            raise AuthenticationError(msg)

    @property
    def forms(self) -> tuple[str, ...]:
        """What an answer may echo and nobody should see."""
        if self._forms is None:  # asked for several times in each attempt
            self._forms = secret_forms(self._secrets)
        return self._forms

    def answered_by(self, headers: Headers) -> None:
        """Take note of the server's id for the attempt; a server may echo anything there."""
        names = self.provider.server_request_id_headers
        found = next((headers[name] for name in names if name in headers), None)
        self.server_request_id = mask(found, self.forms)

    def reply(self, status: int, headers: Headers, body: bytes) -> Reply:
        """Return the answer together with how it was got."""
        return Reply(
            status=status,
            headers=headers,
            body=body,
            request_id=self.request_id,
            server_request_id=self.server_request_id,
            key_name=self.key_name,
            attempts=self.attempts,
        )

    def opened(self, headers: Headers) -> None:
        """Take note of how a stream was got."""
        collected = self.collected
        collected.headers = headers
        collected.server_request_id = self.server_request_id
        collected.key_name = self.key_name
        collected.attempts = self.attempts

    def add(self, event: StreamEvent) -> None:
        """Take in one event of a stream."""
        self.collected.add(event)
        if self.notes is not None:
            self.notes.arrived(event)

    def failure(self, error: AdapterError) -> AdapterError:
        """Return the error that an attempt ends with, labelled.

        Where the time of the call ran out, that is what the server said before, if it said
        anything: a time-out would hide the reason for which the call was still going on.
        """
        if isinstance(error, RequestTimeoutError) and self._is_over():
            mask_causes(error, self.forms)  # it is the context of what is raised instead
            return self.last_answer() or self.labelled(error)
        if error.status_code is not None:
            self.answered = error
        if self.arrived is not None:
            self.arrived.failed(error)
        if not self.request.repeatable and not isinstance(error, RateLimitError):
            error.retryable = False  # it may have been done all the same
        return self.labelled(error)

    def last_answer(self) -> AdapterError | None:
        """Return the last error that the server answered with, with a note that time ran out."""
        answered = self.answered
        if answered is not None:
            answered.attempts = self.attempts
            attempts = f"{self.attempts} attempt{'s' * (self.attempts != 1)}"
            note(answered, f"the time of the call was over after {attempts}", "adapters")
        return answered

    def labelled(self, error: AdapterError) -> AdapterError:
        """Write on the error to which call it belongs."""
        error.provider = self.provider.name
        error.operation = self.request.operation
        error.request_id = self.request_id
        error.server_request_id = self.server_request_id
        error.key_name = self.key_name
        error.attempts = self.attempts
        mask_causes(error, self.forms)
        return error

    def _is_over(self) -> bool:
        return self._end is not None and _clock.now() >= self._end


def _secrets_in(headers: Mapping[str, str]) -> list[str]:
    """Return the values of headers that a caller added to prove who he is, and their words."""
    values = [
        value
        for name, value in headers.items()
        if any(part in name.lower() for part in _SECRET_NAMES)
    ]
    return [*values, *(value.rpartition(" ")[2] for value in values)]
