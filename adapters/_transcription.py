"""Transcription in the dialect of OpenAI: sound goes up as a form, and text comes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from adapters._build import checked_headers
from adapters._failures import ErrorTable, read_answer
from adapters._fields import extra_fields
from adapters._json import count_or_0, is_object, word_or_none
from adapters._messages import Reply, Request, Usage, sent_as
from adapters._openai_style import refuse_stream
from adapters._results import Transcription
from adapters._setup import Setup
from adapters._transports import encode_form
from resilience._rules import fail

__all__ = ["build_transcription", "read_transcription"]


def build_transcription(setup: Setup, /, model: str, file: Any = None, **options: Any) -> Request:
    """Write down what is said in a recording.

    Args:
        model: The name of the model.
        file: A path, an open file, bytes, or a pair of a name and one of these; it is read into
            memory. None where the recording is named by an option such as `url`.
        options: Those of every call; every other one goes to the API as it is.
    """
    refuse_stream(options, "request(..., stream=True)")
    headers = checked_headers(options.pop("extra_headers", None))
    more = extra_fields(options.pop("extra_body", None))
    fields = {"model": model, **options, **more}
    # Fields travel as parts without a file's name, so that a form without a file is one as well.
    parts: list[Any] = [(name, (None, text)) for name, text in _form(fields)]
    if file is not None:
        parts.append(("file", _upload(file)))
    body, kind = encode_form(None, parts)
    return Request(
        operation="transcribe",
        method="POST",
        path=setup.provider.dialect.transcriptions_path,
        body=body,
        content_type=kind or "",
        headers=headers,
        model=model,
    )


def read_transcription(errors: ErrorTable, reply: Reply, forms: tuple[str, ...]) -> Transcription:
    """Read the text; `raw` is the JSON, or the text where that was asked for."""
    if "json" in reply.headers.get("content-type", ""):
        return read_answer(_parse, errors, reply, forms)
    text = reply.body.decode("utf-8", "replace")
    return Transcription(text=text.strip(), raw=text, **sent_as(reply))


def _parse(payload: Any, reply: Reply) -> Transcription:
    x_groq: Any = payload.get("x_groq") or {}
    usage: Any = payload.get("usage")
    sent = sent_as(reply)
    sent["server_request_id"] = word_or_none(x_groq.get("id")) or reply.server_request_id
    return Transcription(text=str(payload["text"]), usage=_usage(usage), raw=payload, **sent)


def _usage(usage: Any) -> Usage:
    """Read tokens; the oldest models count seconds and report none."""
    if not is_object(usage):
        return Usage()
    counts = count_or_0(usage.get("input_tokens")), count_or_0(usage.get("output_tokens"))
    total = count_or_0(usage.get("total_tokens")) or sum(counts)
    return Usage(input_tokens=counts[0], output_tokens=counts[1], total_tokens=total)


def _form(fields: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    for name, value in fields.items():
        try:
            yield from [(field, text.encode()) for field, text in _pairs(name, value)]
        except (RecursionError, UnicodeEncodeError, ValueError):
            fail(name, "must be what a form can hold", type(value))


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Write a field as text: a list repeats it, an object names its members in brackets."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _pairs(f"{name}[]", item)
    elif isinstance(value, Mapping):
        for member, item in value.items():
            yield from _pairs(f"{name}[{member}]", item)
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif value is not None:
        yield name, str(value)


def _upload(file: Any) -> tuple[str, bytes]:
    """Give name and content: the name tells the server of what kind the sound is."""
    if isinstance(file, tuple):
        name, content = file[0], file[1]
        return str(name), _upload(content)[1]
    if isinstance(file, bytes | bytearray):
        return "upload", bytes(file)
    if isinstance(file, str | PathLike):
        path = Path(file)
        return path.name, path.read_bytes()
    if not hasattr(file, "read"):
        fail("file", "must be a path, an open file, bytes, or a pair of a name and one", type(file))
    return Path(str(getattr(file, "name", "upload"))).name, file.read()
