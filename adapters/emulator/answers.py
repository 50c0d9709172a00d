"""What the emulated models answer: pure functions of the question and the seed.

A client that knows the question can therefore compute the answer, and find out whether an answer
belongs to its question.
Nothing here knows a protocol: every provider answers with the same texts and vectors.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache

__all__ = [
    "count_tokens",
    "digest",
    "expected_answer",
    "expected_score",
    "expected_thoughts",
    "expected_vector",
    "prompt_text",
    "split_tokens",
    "token_id",
]

# 64 words, so that six bits choose one.
_WORDS = (  # noqa: SIM905 - a list of quoted words is hard to read
    "amber anchor autumn basin beacon birch bridge canyon cedar circle cloud copper coral dawn "
    "delta desert echo ember fern field forest garden glacier granite harbor hollow island ivory "
    "jasmine juniper lagoon lantern maple marble meadow meridian mirror morning nectar north ocean "
    "olive orchard pebble prairie quartz quiet raven ridge river saffron shadow silver spruce "
    "summit thunder timber valley velvet violet willow winter yonder zephyr"
).split()

# At most eight characters a token, so that a text without blanks has a length as well.
_TOKEN = re.compile(r"\s*\S{1,8}|\s+\Z")

Prompt = str | Sequence[Mapping[str, object]]


def digest(*parts: object, size: int = 16) -> str:
    """Give `size` hexadecimal digits that depend on the parts and their order alone."""
    text = "\x1f".join(map(str, parts))
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()[:size]


def prompt_text(messages: Prompt) -> str:
    """Give the text of a conversation: the contents of its messages, one below the other.

    Roles do not count, so that a plain string and one user message are the same prompt.
    """
    if isinstance(messages, str):
        return messages
    return "\n".join(filter(None, (_content_text(message.get("content")) for message in messages)))


def _content_text(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    texts = (part.get("text", "") for part in content if isinstance(part, Mapping))
    return "\n".join(text for text in texts if isinstance(text, str) and text)


def expected_answer(prompt: Prompt, *, seed: int = 0, choice: int = 0) -> str:
    """Give the whole text with which every emulated model answers this prompt.

    It begins with twelve hexadecimal digits that no other prompt has, and goes on with 8 to 23
    words; an answer that a limit on tokens has cut is a beginning of it.

    Args:
        prompt: A text, or the messages of a conversation.
        seed: The seed of the emulator.
        choice: Which of several answers to one prompt (`n`), counted from 0.
    """
    text = f"{seed}\x1f{choice}\x1f{prompt_text(prompt)}"
    code = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=32).digest()
    words = (_WORDS[byte & 63] for byte in code[6 : 14 + code[31] % 16])
    return f"{code[:6].hex()} {' '.join(words)}."


def expected_thoughts(prompt: Prompt, *, seed: int = 0) -> str:
    """Give what an emulated model that thinks says to itself about a prompt: 32 words.

    Each word is one token.
    """
    text = f"{seed}\x1fthoughts\x1f{prompt_text(prompt)}"
    code = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=32).digest()
    return " ".join(_WORDS[byte & 63] for byte in code)


@lru_cache(maxsize=256)
def expected_vector(text: str, dimensions: int = 1536, *, seed: int = 0) -> tuple[float, ...]:
    """Give the embedding of a text: a vector of length 1, exact in 32 bits.

    A list of token numbers is embedded as its numbers with blanks between them.

    Args:
        text: The input.
        dimensions: How many numbers, at least 1.
        seed: The seed of the emulator.
    """
    material = f"{seed}\x1f{text}".encode(errors="surrogatepass")
    noise = hashlib.shake_256(material).digest(2 * dimensions)
    values = struct.unpack(f"<{dimensions}h", noise)
    # All zeros is possible with very few dimensions, and has no direction.
    length = math.hypot(*values) or 1.0
    packed = struct.pack(f"<{dimensions}f", *[value / length for value in values])
    return struct.unpack(f"<{dimensions}f", packed)


def expected_score(query: str, text: str, *, seed: int = 0) -> float:
    """Give how well a text answers a query: a number from 0 to 1 that depends on both alone."""
    return int(digest("score", seed, query, text), 16) / 16**16


def token_id(token: str) -> int:
    """Give the number of a token: from 5 on, since the first ones mark beginnings and ends."""
    return 5 + int(digest("token", token, size=4), 16) // 4


def split_tokens(text: str) -> list[str]:
    """Cut a text into its tokens; joined together they are the text again."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """Count the tokens of a text."""
    return len(_TOKEN.findall(text))
