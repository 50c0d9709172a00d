"""OPEA's other services: embeddings, ranks, retrieval, guardrails and documents. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from adapters._build import checked_headers
from adapters._failures import ErrorTable, load_json
from adapters._fields import encode_value, extra_fields, texts_of
from adapters._flows import Ask, Flow, one
from adapters._json import is_list, is_object
from adapters._messages import Reply, Request, sent_as
from adapters._opea_gateways import address_of, post
from adapters._openai_answers import parse_embeddings
from adapters._openai_style import build_embeddings, joined_embeddings
from adapters._results import Documents, Embeddings, Info, Moderations, Rankings
from adapters._setup import Setup
from adapters._transports import encode_form
from adapters.errors import InvalidResponseError
from resilience._rules import fail

__all__ = [
    "build_guardrails",
    "build_ingest",
    "build_retrieve",
    "opea_embed_flow",
    "opea_rerank_flow",
    "parse_documents",
    "parse_ingest",
    "read_guardrails",
]

# What a guard with scanners answers where it blocks.
_BLOCKED = 466


def opea_embed_flow(
    setup: Setup, /, inputs: Any, *, model: str | None = None, **options: Any
) -> Flow[Embeddings]:
    """Turn a text, or each of a list of texts, into a vector.

    Above what the server behind the service takes a list is sent in parts; the result is one.
    """
    found: list[Embeddings] = []
    for request, count in build_embeddings(setup.provider.dialect, model, inputs, options):
        ask = Ask(
            replace(request, base_url=address_of(setup, "embed")),
            partial(parse_embeddings, count=count),
        )
        found.append((yield from one(ask)))
    return joined_embeddings(found)


def opea_rerank_flow(
    setup: Setup, /, query: str, documents: Sequence[str], **options: Any
) -> Flow[Rankings]:
    """Judge how well each of some documents fits a query; all of them, unless `top_n` is given."""
    fields: dict[str, Any] = {
        "input": query,
        "retrieved_docs": [{"text": text} for text in texts_of("documents", documents)],
        "top_n": len(documents),  # the service gives one where nobody says how many
    }
    request = post(setup, "rerank", "v1/reranking", fields, options)
    return (yield from one(Ask(request, partial(_parse_ranks, list(documents)))))


def _parse_ranks(documents: list[str], payload: Any, reply: Reply) -> Rankings:
    """Read scores; the service sends back texts, whose places are looked up in the list."""
    places: dict[str, list[int]] = {}
    for place, text in enumerate(documents):
        places.setdefault(text, []).append(place)
    ranked = sorted(payload["reranked_docs"], key=lambda item: -float(item["score"]))
    order: list[int] = []
    for item in ranked:
        if not places.get(item["text"]):
            msg = "the answer ranks other documents than those that were sent"
            raise InvalidResponseError(msg, retryable=True)
        order.append(places[item["text"]].pop(0))
    return Rankings(
        order=tuple(order),
        scores=tuple(float(item["score"]) for item in ranked),
        raw=payload,
        **sent_as(reply),
    )


def build_retrieve(
    setup: Setup, /, text: str, embedding: Sequence[float], **options: Any
) -> Request:
    """Find documents that are near a text, whose vector has to be given along.

    Args:
        text: The text.
        embedding: Its vector.
        options: Those of every call; every other one goes to the API as it is: `k`,
            `search_type`, `index_name`, …
    """
    return post(setup, "retrieve", "v1/retrieval", {"text": text, "embedding": embedding}, options)


def parse_documents(payload: Any, reply: Reply) -> Documents:
    """Read what was found; one form has the metadata beside each text, another one in a list."""
    found = payload["retrieved_docs"]
    beside: Any = payload.get("metadata") or ()
    metadata = [item.get("metadata") for item in found]
    if is_list(beside) and len(beside) == len(found):
        metadata = [own or other for own, other in zip(metadata, beside, strict=True)]
    return Documents(
        texts=tuple(str(item["text"]) for item in found),
        ids=tuple(str(item.get("id") or "") for item in found),
        metadata=tuple(dict(each) if is_object(each) else {} for each in metadata),
        raw=payload,
        **sent_as(reply),
    )


def build_guardrails(setup: Setup, /, text: str, **options: Any) -> Request:
    """Say whether a text breaks a policy."""
    request = post(setup, "guardrails", "v1/guardrails", {"text": text}, options)
    return replace(request, accepts=frozenset({_BLOCKED}))


def read_guardrails(_: ErrorTable, reply: Reply, forms: tuple[str, ...]) -> Moderations:
    """Read a verdict: a text that is blocked is answered with 200 as well, by most guards."""
    payload = load_json(reply.headers, reply.body, forms)
    if not is_object(payload):
        msg = "the answer is not what the API promises (no object)"
        raise InvalidResponseError(msg, retryable=True)
    flagged = reply.status == _BLOCKED or bool(payload.get("downstream_black_list"))
    return Moderations(flagged=(flagged,), scores=({},), raw=payload, **sent_as(reply))


def build_ingest(
    setup: Setup, /, files: Any = None, *, links: Sequence[str] | None = None, **options: Any
) -> Request:
    """Hand documents in, so that they can be found; sent once, since twice would double them.

    Args:
        files: Files, or pairs of a name and bytes; one of them, or a list.
        links: Addresses of pages, in the place of files.
        options: Those of every call; every other one is a field of the form: `chunk_size`, …
    """
    if (files is None) == (links is None):
        fail("files", "must be given, or links, and not both", "both" if files else "neither")
    headers = checked_headers(options.pop("extra_headers", None))
    extra = extra_fields(options.pop("extra_body", None))
    fields = {**options, **extra}
    if links is not None:
        given = [links] if isinstance(links, str) else links
        fields["link_list"] = encode_value("links", given).decode()
    # A part without the name of a file is a field: the service wants parts in any case.
    parts = [("files", part) for part in _as_list(files)]
    parts += [(name, (None, str(value))) for name, value in fields.items()]
    body, kind = encode_form(None, parts)
    return Request(
        operation="ingest",
        method="POST",
        path="v1/dataprep/ingest",
        body=body,
        content_type=kind or "multipart/form-data",
        headers=headers,
        base_url=address_of(setup, "ingest"),
        repeatable=False,
    )


def _as_list(files: Any) -> list[Any]:
    if files is None:
        return []
    parts: list[Any] = list(files) if is_list(files) else [files]
    for part in parts:
        if not isinstance(part, str | bytes | bytearray | tuple) and not hasattr(part, "read"):
            rule = "must be files, or pairs of a name and bytes; one of them, or a list"
            fail("files", rule, type(part))
    return parts


def parse_ingest(payload: Any, reply: Reply) -> Info:
    """Read what became of documents; the status stands in the body as well."""
    return Info(raw=dict(payload), **sent_as(reply))
