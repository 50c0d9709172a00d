"""The streams that a caller holds, and what they have collected so far."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from types import TracebackType
from typing import Self

from adapters._messages import Headers, StreamEvent, ToolCall, Usage

__all__ = ["AsyncStream", "Collected", "Stream"]


class Collected:
    """What the events of one stream add up to, and how the stream was got.

    The attempt that reads the stream writes it; the caller reads it through the stream.
    """

    def __init__(self, request_id: str = "") -> None:
        self.request_id = request_id
        self.server_request_id: str | None = None
        self.key_name: str | None = None
        self.attempts = 0
        self.headers = Headers()
        self.usage = Usage()
        self.model: str | None = None
        self._texts: dict[int, list[str]] = {}
        self._thoughts: list[str] = []
        self._reasons: dict[int, str] = {}
        self._tools: dict[tuple[int, int], ToolCall] = {}

    def add(self, event: StreamEvent) -> None:
        """Take in one event."""
        if event.text:
            self._texts.setdefault(event.index, []).append(event.text)
        if event.reasoning and event.index == 0:
            self._thoughts.append(event.reasoning)
        if event.finish_reason:
            self._reasons[event.index] = event.finish_reason
        for part in event.tool_calls:
            place = (event.index, part.index)
            known = self._tools.get(place, ToolCall("", "", "", part.index))
            self._tools[place] = ToolCall(
                id=known.id or part.id,
                name=known.name or part.name,
                arguments=known.arguments + part.arguments,
                index=part.index,
            )
        self.usage = event.usage or self.usage
        self.model = event.model or self.model
        self.server_request_id = event.server_request_id or self.server_request_id

    @property
    def texts(self) -> tuple[str, ...]:
        """The text of every choice so far, by index; a choice that said nothing is empty."""
        choices = sorted(self._texts.keys() | self._reasons.keys())
        return tuple("".join(self._texts.get(index, ())) for index in choices)

    @property
    def text(self) -> str:
        """The first choice's text so far."""
        return "".join(self._texts.get(0, ()))

    @property
    def reasoning(self) -> str:
        """The first choice's thoughts so far."""
        return "".join(self._thoughts)

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended; None before its end."""
        return self._reasons.get(0)

    @property
    def finish_reasons(self) -> tuple[str | None, ...]:
        """Why each choice ended, by index; None for one that has not."""
        calling = {index for index, _ in self._tools}
        choices = sorted(self._texts.keys() | self._reasons.keys() | calling)
        return tuple(self._reasons.get(index) for index in choices)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The first choice's tool calls so far, in their order."""
        return tuple(self._tools[place] for place in sorted(self._tools) if place[0] == 0)

    @property
    def partial(self) -> str:
        """All the text that has arrived: of several choices, each on lines of its own."""
        return "\n".join(self.texts)


class _Progress:
    """What a stream tells while it is read."""

    _collected: Collected

    @property
    def text(self) -> str:
        """The first choice's text so far."""
        return self._collected.text

    @property
    def texts(self) -> tuple[str, ...]:
        """The text of every choice so far, by index."""
        return self._collected.texts

    @property
    def reasoning(self) -> str:
        """The first choice's thoughts so far, where the API shows them."""
        return self._collected.reasoning

    @property
    def usage(self) -> Usage:
        """Tokens; known at the end of the stream."""
        return self._collected.usage

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended; None before its end."""
        return self._collected.finish_reason

    @property
    def finish_reasons(self) -> tuple[str | None, ...]:
        """Why each choice ended, by index; None for one that has not."""
        return self._collected.finish_reasons

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The first choice's tool calls; complete at the end of the stream."""
        return self._collected.tool_calls

    @property
    def model(self) -> str | None:
        """The model that answers; known from the first event on."""
        return self._collected.model

    @property
    def request_id(self) -> str:
        """The id that is sent with the call."""
        return self._collected.request_id

    @property
    def server_request_id(self) -> str | None:
        """The id that the server gave; known from the first event on."""
        return self._collected.server_request_id

    @property
    def key_name(self) -> str | None:
        """The name of the key's entry that serves; known from the first event on."""
        return self._collected.key_name

    @property
    def attempts(self) -> int:
        """How many requests were sent."""
        return self._collected.attempts

    @property
    def headers(self) -> Headers:
        """The headers of the answer; known from the first event on."""
        return self._collected.headers

    def __str__(self) -> str:
        return self.text


class Stream(_Progress):
    """A streamed answer: iterate over it, or leave it early; nothing is sent before the first step.

    It holds a permit, a key and a connection from the first event to its end.
    All are given back when it ends, when `with` is left, by `close()`, and when it is forgotten.
    It can be read once, by one thread at a time.

    Raises:
        AdapterError: while it is read; `StreamInterruptedError` once events have arrived.
    """

    def __init__(self, events: Generator[StreamEvent, None, None], collected: Collected) -> None:
        self._events = events
        self._collected = collected

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> StreamEvent:
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the stream: what has arrived stays readable here."""
        self._events.close()


class AsyncStream(_Progress):
    """A streamed answer: `async with`, `async for`; as `Stream`, but for `await`.

    Where it is forgotten, its loop gives back what it holds.
    """

    def __init__(self, events: AsyncGenerator[StreamEvent, None], collected: Collected) -> None:
        self._events = events
        self._collected = collected

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamEvent:
        return await anext(self._events)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Leave the stream: what has arrived stays readable here."""
        await self._events.aclose()
