"""What a model says, as the parts of a candidate: whole, or piece by piece."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from adapters.emulator.answers import digest, expected_thoughts, split_tokens
from adapters.emulator.gemini_style.models import GeminiModel
from adapters.emulator.openai_style.choices import Choice
from adapters.emulator.protocol import Call

__all__ = ["Body", "Turn", "deltas", "make_turn", "picture", "whole"]

Body = Mapping[str, Any]
Part = dict[str, Any]

# What a drawn picture costs in tokens.
_PICTURE = 1290


@dataclass(frozen=True, slots=True)
class Turn:
    """One candidate.

    Attributes:
        choice: Its text or its call of a function.
        pieces: The parts in the order in which a stream gives them.
        cost: The tokens of what was said, without thoughts.
        reason: Why it ended.
    """

    choice: Choice
    pieces: tuple[Part, ...]
    cost: int
    reason: str


def make_turn(call: Call, model: GeminiModel, prompt: str, config: Body, choice: Choice) -> Turn:
    """Make a candidate: thoughts where they are to be shown, the answer, a picture."""
    reason = "STOP" if choice.complete else "MAX_TOKENS"
    pieces = [*_thoughts(call, prompt, config, choice), *_said(choice)]
    cost = len(choice.tokens)
    if model.draws and "IMAGE" in (config.get("responseModalities") or ["TEXT", "IMAGE"]):
        data = base64.b64encode(picture(prompt, seed=call.seed)).decode()
        pieces.append({"inlineData": {"mimeType": "image/png", "data": data}})
        cost += _PICTURE
    return Turn(choice, tuple(pieces), cost, reason)


def _thoughts(call: Call, prompt: str, config: Body, choice: Choice) -> list[Part]:
    if not choice.thoughts or not (config.get("thinkingConfig") or {}).get("includeThoughts"):
        return []
    words = split_tokens(expected_thoughts(prompt, seed=call.seed))[: choice.thoughts]
    return [{"text": word, "thought": True} for word in words]


def _said(choice: Choice) -> list[Part]:
    if choice.tool is None:
        return [{"text": token} for token in choice.tokens]
    args = json.loads(choice.text) if choice.complete else {}
    return [{"functionCall": {"id": choice.tool_id, "name": choice.tool, "args": args}}]


def whole(turn: Turn, number: int) -> dict[str, Any]:
    """Give a candidate with neighbouring pieces of one kind put together."""
    parts: list[Part] = []
    for piece in turn.pieces:
        last = parts[-1] if parts else {}
        if "text" in piece and "text" in last and piece.get("thought") == last.get("thought"):
            last["text"] += piece["text"]
        else:
            parts.append(dict(piece))
    return _candidate(parts, number, turn.reason)


def deltas(turns: Sequence[Turn]) -> Iterator[dict[str, Any]]:
    """Give the pieces of all candidates, which take turns; the last of each says why it ended."""
    rows = zip_longest(*(turn.pieces or ({"text": ""},) for turn in turns))
    for place, row in enumerate(rows):
        for number, piece in enumerate(row):
            if piece is not None:
                last = place + 1 >= len(turns[number].pieces)
                yield _candidate([piece], number, turns[number].reason if last else None)


def _candidate(parts: list[Part], number: int, reason: str | None) -> dict[str, Any]:
    content = {"parts": parts, "role": "model"} if parts else {"role": "model"}
    found: dict[str, Any] = {"content": content, "index": number}
    return found | ({"finishReason": reason} if reason else {})


def picture(prompt: str, *, seed: int = 0) -> bytes:
    """Draw a picture of one pixel, whose colour depends on prompt and seed, as PNG."""
    colour = bytes.fromhex(digest("picture", seed, prompt, size=6))
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + colour)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check
