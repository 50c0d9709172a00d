"""What the servers that people run themselves have in common, beside the dialect of OpenAI. Pure.

They hold one model or a few, ask for no key unless they are told to, and say how they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial, reduce
from operator import add
from typing import Any

from adapters._build import checked_headers, json_request
from adapters._failures import ErrorTable, load_json
from adapters._fields import texts_of
from adapters._flows import Ask, Flow
from adapters._json import word_or_none
from adapters._messages import Reply, Request, Usage, sent_as
from adapters._openai_answers import parse_usage
from adapters._openai_style import Messages, as_messages, refuse_stream
from adapters._results import Health, Info, Rankings
from adapters._setup import Setup
from adapters.errors import InvalidResponseError
from resilience.settings import reject_unknown

__all__ = [
    "build_own_chat",
    "build_own_chat_stream",
    "build_own_completions",
    "get_request",
    "health_at",
    "info_at",
    "joined_rankings",
    "parse_info",
    "parse_results",
    "rank",
    "read_health",
    "rerank_flow",
    "without_path",
]

# What servers answer that run, but are not ready to work.
_NOT_READY = frozenset({503})
_FIRST_ERROR = 400
_VERSION = re.compile(r"/v[0-9]+/*\Z")


def without_path(url: str) -> str:
    """Take the version off an address: it is part of each path here."""
    return _VERSION.sub("", url.rstrip("/"))


def get_request(operation: str, path: str, options: dict[str, Any], **more: Any) -> Request:
    """Build a GET that has no options but more headers."""
    reject_unknown(options, ("extra_headers",), operation)
    headers = checked_headers(options.get("extra_headers"))
    return Request(operation=operation, method="GET", path=path, headers=headers, **more)


def health_at(path: str, not_ready: frozenset[int] = _NOT_READY) -> Callable[..., Request]:
    """Return what builds the question for health at a path, and takes some statuses for a no."""

    def build(_: Setup, /, **options: Any) -> Request:
        """Say whether the server is ready to work; false where it says itself that it is not."""
        return get_request("health", path, options, accepts=not_ready)

    return build


def info_at(path: str) -> Callable[..., Request]:
    """Return what builds the question for a server's facts at a path."""

    def build(_: Setup, /, **options: Any) -> Request:
        """Tell what the server says about itself: version, models, limits."""
        return get_request("info", path, options)

    return build


def read_health(_: ErrorTable, reply: Reply, forms: tuple[str, ...]) -> Health:
    """Read whether a server is well; the status tells."""
    is_json = "json" in reply.headers.get("content-type", "") and reply.body
    raw = load_json(reply.headers, reply.body, forms) if is_json else None
    is_healthy = reply.status < _FIRST_ERROR
    return Health(is_healthy=is_healthy, raw=raw, **sent_as(reply))


def parse_info(payload: Any, reply: Reply) -> Info:
    """Read an object of facts."""
    return Info(raw=dict(payload), **sent_as(reply))


def build_own_chat(
    setup: Setup, /, messages: Messages, *, model: str | None = None, **options: Any
) -> Request:
    """Ask the server's model for the next message.

    Args:
        messages: A list of messages, or a text that is the user's only one.
        model: Sent along where it is given; the server holds one model.
        options: Those of every call; every other one goes to the API as it is.

    Raises:
        AdapterError: the last error of the API, once nothing more helps.
        RefusedError: if the call was not even sent.
    """
    refuse_stream(options, "stream()")
    fields = {**_named(model), "messages": as_messages(messages)}
    return json_request("chat", setup.provider.dialect.chat_path, fields, options)


def build_own_chat_stream(
    setup: Setup, /, messages: Messages, *, model: str | None = None, **options: Any
) -> Request:
    """Ask the server's model for the next message, piece by piece; as `chat`, but for the result.

    What fails before the first event is retried; later it is a `StreamInterruptedError`.
    Unless the caller sends `stream_options`, the usage is asked for where the server counts it.
    """
    dialect, options = setup.provider.dialect, {**options, "stream": True}
    if dialect.stream_options:
        options = {"stream_options": dict(dialect.stream_options), **options}
    fields = {**_named(model), "messages": as_messages(messages)}
    return json_request("chat", dialect.chat_path, fields, options)


def build_own_completions(
    setup: Setup, /, prompt: Any, *, model: str | None = None, **options: Any
) -> Request:
    """Continue a prompt, or each of a list of prompts; `.texts` holds a text for each."""
    refuse_stream(options, "request(..., stream=True)")
    fields = {**_named(model), "prompt": prompt}
    return json_request("completions", setup.provider.dialect.completions_path, fields, options)


def _named(model: str | None) -> dict[str, Any]:
    return {} if model is None else {"model": model}


def rerank_flow(
    setup: Setup, /, model: str, query: str, documents: Sequence[str], **options: Any
) -> Flow[Rankings]:
    """Judge how well each of some documents fits a query.

    Above the most that the server takes they are sent in parts; the result is one, and `top_n`
    counts for all of them.
    """

    def build(part: Sequence[str]) -> Request:
        fields = {"model": model, "query": query, "documents": part}
        return json_request("rerank", setup.provider.dialect.rerank_path, fields, options)

    size = setup.provider.dialect.max_documents
    return (yield from rank(build, documents, size, parse_results, options.get("top_n")))


def rank(
    build: Callable[[Sequence[str]], Request],
    documents: Sequence[str],
    size: int,
    parse: Callable[[Any, Reply], Rankings],
    top_n: int | None,
) -> Flow[Rankings]:
    """Be the flow of a ranking: in parts of a size, side by side, joined to one."""
    documents = texts_of("documents", documents)
    starts = range(0, max(len(documents), 1), size)
    parts = [documents[start : start + size] for start in starts]
    asks = [Ask(build(part), partial(_counted, parse, len(part))) for part in parts]
    if len(asks) == 1:
        only: Rankings = yield asks[0]
        return only
    found: list[Rankings] = yield asks
    return joined_rankings(found, list(starts), top_n)


def _counted(
    parse: Callable[[Any, Reply], Rankings], count: int, payload: Any, reply: Reply
) -> Rankings:
    """Read a ranking, and make sure that it is one of these documents."""
    found = parse(payload, reply)
    if len(set(found.order)) != len(found.order) or not set(found.order) <= set(range(count)):
        msg = f"the answer ranks other documents than the {count} that were sent"
        raise InvalidResponseError(msg, retryable=True)
    return found


def joined_rankings(
    parts: Sequence[Rankings], starts: Sequence[int], top_n: int | None
) -> Rankings:
    """Make one ranking of several parts, each of which begins at a place in the whole list."""
    places = [
        (score, start + place)
        for part, start in zip(parts, starts, strict=True)
        for place, score in zip(part.order, part.scores, strict=True)
    ]
    places.sort(key=lambda found: -found[0])
    kept = places[: top_n or None]
    return replace(
        parts[0],
        order=tuple(place for _, place in kept),
        scores=tuple(score for score, _ in kept),
        usage=reduce(add, (part.usage for part in parts), Usage()),
        raw=[part.raw for part in parts],
        attempts=sum(part.attempts for part in parts),
    )


def parse_results(payload: Any, reply: Reply) -> Rankings:
    """Read a ranking in the form that Cohere has given it: `results` with `relevance_score`."""
    results = sorted(payload["results"], key=lambda result: -float(result["relevance_score"]))
    return Rankings(
        order=tuple(int(result["index"]) for result in results),
        scores=tuple(float(result["relevance_score"]) for result in results),
        usage=parse_usage(payload.get("usage")),
        model=word_or_none(payload.get("model")),
        raw=payload,
        **sent_as(reply),
    )
