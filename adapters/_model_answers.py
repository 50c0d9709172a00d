"""What a model answered, as attributes of its span. Pure.

Everything a server says may echo a secret: it is masked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from adapters._exchange import Exchange
from adapters._json import is_list, is_object, word_or_none
from adapters._masking import mask
from adapters._messages import Usage
from adapters._modalities import UNKNOWN, counted_in
from adapters._results import Answer

__all__ = ["CUT", "answered_by_model", "kinds_of", "model_of", "usage_of"]

CUT = "error"  # the word of the conventions for a choice whose reason never came


def answered_by_model(exchange: Exchange, error: BaseException | None) -> dict[str, Any]:
    """Return the attributes for an answer, or for as much of a stream as has come."""
    found = {
        "gen_ai.response.id": _response_id(exchange),
        "gen_ai.response.model": model_of(exchange),
        "gen_ai.response.finish_reasons": _finish_reasons(exchange, error),
        "gen_ai.response.time_to_first_chunk": exchange.notes and exchange.notes.first_after,
        "gen_ai.embeddings.dimension.count": _dimensions(exchange),
        **_usage(exchange),
        **_usage_by_kind(exchange),
    }
    return {name: value for name, value in found.items() if value is not None}


def usage_of(exchange: Exchange) -> Usage:
    """Return the tokens that the provider counted, as far as it has said."""
    result = exchange.notes and exchange.notes.result
    return getattr(result, "usage", None) or exchange.collected.usage


def kinds_of(exchange: Exchange) -> dict[str, dict[str, int]]:
    """Return the tokens of each kind, as far as the provider tells them apart."""
    notes = exchange.notes
    if notes is None:
        return {}
    return counted_in(notes.counted if notes.result is None else getattr(notes.result, "raw", None))


def model_of(exchange: Exchange) -> str | None:
    """Return the model that answered, where the server says."""
    result = exchange.notes and exchange.notes.result
    model = getattr(result, "model", None) or exchange.collected.model
    return word_or_none(mask(model, exchange.forms))


def _usage(exchange: Exchange) -> dict[str, int | None]:
    usage = usage_of(exchange)
    if not usage:
        return {}
    counts: dict[str, int | None] = {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens or None,
        "gen_ai.usage.cache_write.input_tokens": usage.cache_write_tokens or None,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens or None,
    }
    result = exchange.notes and exchange.notes.result
    if result is None or isinstance(result, Answer):
        return counts
    # Whatever makes no text has no output, and may have no more than a total.
    return {name: count or None for name, count in counts.items()}


def _usage_by_kind(exchange: Exchange) -> dict[str, int]:
    return {
        f"gen_ai.usage.{kind}.{what}": count
        for what, kinds in kinds_of(exchange).items()
        for kind, count in kinds.items()
        if kind != UNKNOWN
    }


def _response_id(exchange: Exchange) -> str | None:
    notes = exchange.notes
    if notes is None:
        return None
    raw = notes.first.raw if notes.first is not None else getattr(notes.result, "raw", None)
    found = next((each for each in _ids(raw) if word_or_none(each)), None)
    return word_or_none(mask(found, exchange.forms))


def _ids(raw: Any) -> Iterator[Any]:
    """Give what may be the id of an answer, or of the one that the first event begins."""
    if is_object(raw):
        yield raw.get("id")
        yield raw.get("responseId")  # Gemini
        for name in ("message", "response"):  # Claude, Responses
            inner = raw.get(name)
            if is_object(inner):
                yield inner.get("id")


def _finish_reasons(exchange: Exchange, error: BaseException | None) -> list[str] | None:
    """Return why each choice ended; nothing where the server says it of none."""
    result = exchange.notes and exchange.notes.result
    reasons = getattr(result, "finish_reasons", None)
    reasons = exchange.collected.finish_reasons if reasons is None else reasons
    if not any(reasons) and error is None:
        return None
    return [mask(each, exchange.forms) or CUT for each in reasons] or None


def _dimensions(exchange: Exchange) -> int | None:
    result = exchange.notes and exchange.notes.result
    vectors = getattr(result, "vectors", None)
    return len(vectors[0]) if is_list(vectors) and vectors and is_list(vectors[0]) else None
