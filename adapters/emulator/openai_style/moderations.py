"""Moderations: a text is flagged for a category when it contains one of its words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from adapters.emulator.answers import digest
from adapters.emulator.checks import Check, array, check_body, either, mapping, string
from adapters.emulator.openai_style.models import Models, find_model
from adapters.emulator.protocol import Answer, Call, Operation

__all__ = ["moderations_operation"]

_DEFAULT_MODEL = "omni-moderation-latest"

# Category: the words that flag a text, and whether pictures are looked at as well.
_CATEGORIES: Mapping[str, tuple[str, bool]] = {
    "harassment": ("harass|insult", False),
    "harassment/threatening": ("threat", False),
    "hate": ("hate", False),
    "hate/threatening": ("hate.*threat", False),
    "illicit": ("illicit|smuggl", False),
    "illicit/violent": ("illicit.*weapon", False),
    "self-harm": ("self-harm", True),
    "self-harm/instructions": ("self-harm.*instruction", True),
    "self-harm/intent": ("self-harm.*intent", True),
    "sexual": ("sexual", True),
    "sexual/minors": ("sexual.*minor", False),
    "violence": ("violen|kill", True),
    "violence/graphic": ("violen.*graphic", True),
}

_PART = mapping(
    {"type": string("text", "image_url"), "text": string(), "image_url": mapping()},
    required=("type",),
)


def _items(param: str, value: object) -> None:
    first = value[0] if isinstance(value, list) and value else ""
    array(_PART if isinstance(first, dict) else string(), low=1)(param, value)


_BODY: Mapping[str, Check] = {
    "model": string(),
    "input": either(
        "a string, an array of strings or an array of objects", str=string(), list=_items
    ),
}


def moderations_operation(models: Models) -> Operation:
    """Give the operation for these models."""

    def moderations(call: Call) -> Answer:
        body = {"model": _DEFAULT_MODEL, **call.data}
        check_body(body, _BODY, ("input",))
        model = find_model(models, body["model"], "moderation")
        results = [_result(text, call.seed) for text in _texts(body["input"])]
        number = digest("moderation", call.seed, call.index, size=24)
        return Answer.of_json({"id": f"modr-{number}", "model": model.id, "results": results})

    return Operation("moderations", "POST", "/moderations", moderations)


def _texts(value: Any) -> list[str]:
    """Give the texts that get a result each; parts of text and pictures get one together."""
    if isinstance(value, str):
        return [value]
    if isinstance(value[0], str):
        return list(value)
    return ["\n".join(part.get("text") or "" for part in value)]


def _result(text: str, seed: int) -> dict[str, Any]:
    flags = {
        category: re.search(words, text, re.IGNORECASE | re.DOTALL) is not None
        for category, (words, _) in _CATEGORIES.items()
    }
    return {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": {
            category: _score(category, text, seed, flagged=flagged)
            for category, flagged in flags.items()
        },
        "category_applied_input_types": {
            category: ["text", "image"] if pictures else ["text"]
            for category, (_, pictures) in _CATEGORIES.items()
        },
    }


def _score(category: str, text: str, seed: int, *, flagged: bool) -> float:
    """Give a number above one half for what is flagged, and below one tenth for the rest."""
    noise = int(digest(category, seed, text), 16) / 16**16
    return 0.5 + noise / 2 if flagged else noise / 10
