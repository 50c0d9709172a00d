"""Of which kind the tokens of an answer were: text, picture, sound; where the provider says. Pure.

Nothing is made up: what a provider does not tell apart is "unknown".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapters._json import count_or_0, is_list, is_object

__all__ = ["UNKNOWN", "counted_in", "in_kinds"]

UNKNOWN = "unknown"
_INPUT, _OUTPUT, _CACHED = "input_tokens", "output_tokens", "cache_read.input_tokens"

# Gemini's lists, and the objects of OpenAI's dialect, each with what it counts.
_LISTS = (
    ("promptTokensDetails", _INPUT),
    ("toolUsePromptTokensDetails", _INPUT),
    ("candidatesTokensDetails", _OUTPUT),
    ("cacheTokensDetails", _CACHED),
)
_OBJECTS = (
    ("prompt_tokens_details", _INPUT),
    ("input_tokens_details", _INPUT),
    ("completion_tokens_details", _OUTPUT),
    ("output_tokens_details", _OUTPUT),
)
_KINDS = ("text", "image", "audio")


def counted_in(raw: Any) -> dict[str, dict[str, int]]:
    """Return the counts of each kind in an answer, or in the event that reports them.

    Returns:
        By "input_tokens", "output_tokens" and "cache_read.input_tokens", then by kind.
    """
    found: dict[str, dict[str, int]] = {}
    for usage in _usages(raw):
        for what, kind, count in (*_from_lists(usage), *_from_objects(usage)):
            if count:
                kinds = found.setdefault(what, {})
                kinds[kind] = kinds.get(kind, 0) + count
    return found


def in_kinds(total: int, kinds: Mapping[str, int]) -> dict[str, int]:
    """Share a count out: what no kind accounts for is unknown; together they are the count."""
    rest = total - sum(kinds.values())
    if rest < 0:  # a provider that contradicts itself
        return {UNKNOWN: total}
    return {**kinds, UNKNOWN: rest} if rest or not kinds else {**kinds}


def _usages(raw: Any) -> Iterator[Mapping[str, Any]]:
    """Give what counts: of an answer, or of the answer within an event of Responses."""
    if not is_object(raw):
        return
    response = raw.get("response")
    for each in (raw, response if is_object(response) else {}):
        usage = each.get("usageMetadata") or each.get("usage")
        if is_object(usage):
            yield usage


def _from_lists(usage: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    for name, what in _LISTS:
        details = usage.get(name)
        for each in details if is_list(details) else ():
            if is_object(each):
                kind = str(each.get("modality", UNKNOWN)).lower()
                known = kind if kind in _KINDS else UNKNOWN
                yield what, known, count_or_0(each.get("tokenCount"))


def _from_objects(usage: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    for name, what in _OBJECTS:
        details = usage.get(name)
        if is_object(details):
            for kind in _KINDS:
                yield what, kind, count_or_0(details.get(f"{kind}_tokens"))
