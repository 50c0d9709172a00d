"""The wire oracle: a vendor's own client and ours ask the same, and send the same.

A test module gives a table of `Question`s; what may differ is listed with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.parser import BytesParser
from typing import Any

from tests.adapters.recorder import Recorded, Recorder

__all__ = ["LIBRARIES", "Question", "comparable", "form_of", "sent_by"]


@dataclass(frozen=True)
class Question:
    """One question in two languages.

    Attributes:
        script: What the recorder answers.
        theirs: Asks the vendor's client.
        ours: Asks ours.
    """

    script: Any
    theirs: Callable[[Any], Any]
    ours: Callable[[Any], Any]


# Headers that say what a client is made of, and why they may differ.
LIBRARIES = {
    "accept-encoding": "each offers what its own HTTP library can unpack",
    "connection": "their library says what HTTP/1.1 assumes anyway",
    "content-length": "it tells how JSON is spaced, which means nothing",
    "user-agent": "each names itself",
}


def comparable(request: Recorded, differences: Iterable[str]) -> dict[str, Any]:
    """What has to be the same in two requests: all but headers that are known to differ.

    A difference that ends with a hyphen stands for all headers that begin with it.
    """
    left_out = {*LIBRARIES, *differences}
    families = tuple(name for name in left_out if name.endswith("-"))
    headers = {
        name: value
        for name, value in request.headers.items()
        if name not in left_out and not (families and name.startswith(families))
    }
    is_form = headers.get("content-type", "").startswith("multipart/form-data")
    if is_form:
        headers["content-type"] = "multipart/form-data"  # each makes up its own boundary
    return {
        "method": request.method,
        "path": request.path,
        "query": sorted(request.query),
        "json": None if is_form else request.json,
        "form": form_of(request) if is_form else None,
        "headers": headers,
    }


def form_of(request: Recorded) -> list[tuple[Any, Any, Any]]:
    """The fields of a form in the order of their names: name, file name, content."""
    head = b"Content-Type: " + request.headers["content-type"].encode() + b"\r\n\r\n"
    parts = [
        part
        for part in BytesParser().parsebytes(head + request.body).walk()
        if not part.is_multipart()
    ]
    return sorted(
        (
            part.get_param("name", header="content-disposition"),
            part.get_filename(),
            part.get_payload(decode=True),
        )
        for part in parts
    )


def sent_by(
    server: Recorder, question: Question, theirs: Any, ours: Any, differences: Iterable[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ask both, and give what each has sent; every request but the first goes unseen."""
    sent = []
    for ask, client in ((question.theirs, theirs), (question.ours, ours)):
        server.requests.clear()
        server.play(question.script)
        ask(client)
        sent.append(comparable(server.requests[0], differences))
    return sent[0], sent[1]
