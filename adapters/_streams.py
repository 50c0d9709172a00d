"""Streams: bytes to server-sent events or JSON lines, and those to events of an operation.

Pure: nothing here reads a socket or a clock; a sync and an async driver feed the same parsers.
Source of the event format: the HTML standard, section 9.2, "Server-sent events".
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from adapters._messages import StreamEvent
from adapters.errors import ConnectionFailedError, InvalidResponseError
from resilience._record import record

__all__ = [
    "Decoder",
    "EventReader",
    "JsonLines",
    "LastEvents",
    "ServerSentEvent",
    "ServerSentEvents",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# One event or line. Providers stay under 1 MiB; without a bound a server that never ends its line
# could fill the memory.
MAX_EVENT_SIZE = 16 * 1024 * 1024

_OTHER_FIELDS = ("", "id", "retry")  # and comments, whose name is empty


@record(kw_only=False)
class ServerSentEvent:
    """One event.

    Attributes:
        data: Its data lines, joined by line feeds.
        event: Its name; empty where the server gave none.
    """

    data: str
    event: str = ""


class _Lines:
    """Cut bytes into lines at CRLF, LF and CR, wherever the borders of the chunks fall.

    Invalid UTF-8 becomes U+FFFD and a byte order mark at the beginning is dropped, as the standard
    wants it.
    """

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._parts: list[str] = []
        self._size = 0
        self._skip_line_feed = False

    def feed(self, chunk: bytes, *, final: bool = False) -> list[str]:
        text = self._decode(chunk, final)
        if not text:
            return []
        # A CR ends its line at once: waiting to see whether an LF follows would hold the event
        # back until the next one comes.
        if self._skip_line_feed and text[0] == "\n":
            text = text[1:]
        self._skip_line_feed = text.endswith("\r") if text else False
        first, *others = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._keep(first)
        if not others:
            return []
        lines = [self.rest(), *others[:-1]]
        self._keep(others[-1])
        return lines

    def rest(self) -> str:
        """Give the line that has begun, and forget it."""
        line = "".join(self._parts)
        self._parts.clear()
        self._size = 0
        return line

    def _keep(self, part: str) -> None:
        self._size += len(part)
        if self._size > MAX_EVENT_SIZE:
            msg = f"a line of the stream is longer than {MAX_EVENT_SIZE:,} characters"
            raise InvalidResponseError(msg)
        if part:
            self._parts.append(part)


class ServerSentEvents:
    """Parse server-sent events as their bytes arrive; one parser serves one stream.

    Args:
        keep_loose_lines: Whether a line that is no field is data: some servers drop the frame when
            they fail, and write the error alone.
    """

    def __init__(self, *, keep_loose_lines: bool = False) -> None:
        self._lines = _Lines()
        self._data: list[str] = []
        self._size = 0
        self._event = ""
        self._keep_loose_lines = keep_loose_lines

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that `chunk` completes.

        Raises:
            InvalidResponseError: if one event exceeds 16 MiB.
        """
        events = (self._take(line) for line in self._lines.feed(chunk))
        return [event for event in events if event is not None]

    def finish(self) -> list[ServerSentEvent]:
        """Return what is left at the end of the bytes.

        The standard drops an event without its blank line; some servers end with one, and it may
        be the end marker. If it was cut, its data does not parse.
        """
        events = [self._take(line) for line in self._lines.feed(b"", final=True)]
        if line := self._lines.rest():
            events.append(self._take(line))
        events.append(self._dispatch())
        return [event for event in events if event is not None]

    def _take(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._add(value)
        elif name == "event":
            self._event = value
        elif self._keep_loose_lines and name not in _OTHER_FIELDS:
            self._add(line)
        return None  # comments, ids and the time to reconnect mean nothing here

    def _add(self, value: str) -> None:
        self._size += len(value) + 1  # with its line feed: empty lines fill the memory too
        if self._size > MAX_EVENT_SIZE:
            msg = f"an event of the stream is longer than {MAX_EVENT_SIZE:,} characters"
            raise InvalidResponseError(msg)
        self._data.append(value)

    def _dispatch(self) -> ServerSentEvent | None:
        data, event = self._data, self._event
        self._data, self._size, self._event = [], 0, ""
        return ServerSentEvent("\n".join(data), event) if data else None


class JsonLines:
    """Cut a stream of JSON lines into its lines as the bytes arrive; blank ones are dropped."""

    def __init__(self) -> None:
        self._lines = _Lines()

    def feed(self, chunk: bytes) -> list[str]:
        """Return the lines that `chunk` completes.

        Raises:
            InvalidResponseError: if one line exceeds 16 MiB.
        """
        return [line for line in self._lines.feed(chunk) if line.strip()]

    def finish(self) -> list[str]:
        """Return what is left at the end: servers may leave out the last line feed."""
        lines = [*self._lines.feed(b"", final=True), self._lines.rest()]
        return [line for line in lines if line.strip()]


class Decoder(Protocol[T_co]):
    """What cuts the bytes of a stream into its parts."""

    def feed(self, chunk: bytes) -> Sequence[T_co]:
        """Return the parts that `chunk` completes."""
        ...

    def finish(self) -> Sequence[T_co]:
        """Return what is left at the end of the bytes."""
        ...


class LastEvents(tuple[StreamEvent, ...]):
    """Events of a part after which the stream is complete: for streams whose end says something."""

    __slots__ = ()


class EventReader(Generic[T]):
    """Read the events of one operation from the bytes of its stream; one reader, one stream.

    Args:
        decoder: Cuts the bytes.
        parse: Turns a part into events; None says that it is the end marker, `LastEvents` that
            none is to come.
        needs_end: Whether a stream without its end marker has been cut, or a function that says so
            when the bytes are over.
        may_be_empty: Whether a stream without any event is a good answer.
    """

    def __init__(
        self,
        decoder: Decoder[T],
        parse: Callable[[T], Sequence[StreamEvent] | None],
        *,
        needs_end: bool | Callable[[], bool] = True,
        may_be_empty: bool = False,
    ) -> None:
        self._decoder = decoder
        self._parse = parse
        self._needs_end = needs_end
        self._is_empty = not may_be_empty
        self.has_ended = False

    def feed(self, chunk: bytes) -> Iterator[StreamEvent]:
        """Give the events that `chunk` completes, one at a time: one may be an error.

        Raises:
            AdapterError: what an event says that went wrong, or that it is no event.
        """
        return self._read(self._decoder.feed(chunk))

    def finish(self) -> Iterator[StreamEvent]:
        """Give what is left at the end of the bytes.

        Raises:
            ConnectionFailedError: if the stream was cut.
            InvalidResponseError: if it held no event.
        """
        try:
            yield from self._read(self._decoder.finish())
        except InvalidResponseError as error:
            msg = "the stream was cut in the middle of an event"
            raise ConnectionFailedError(msg) from error
        if self._is_empty:
            msg = "the stream ended without an event"
            raise InvalidResponseError(msg, retryable=True)
        needs_end = self._needs_end if isinstance(self._needs_end, bool) else self._needs_end()
        if needs_end and not self.has_ended:
            msg = "the stream was cut: it ended without its end marker"
            raise ConnectionFailedError(msg)

    def _read(self, parts: Sequence[T]) -> Iterator[StreamEvent]:
        for part in parts:
            events = None if self.has_ended else self._parse(part)
            if events is None:
                self.has_ended = True
                return
            for event in events:
                self._is_empty = False
                yield event
            self.has_ended = isinstance(events, LastEvents)
