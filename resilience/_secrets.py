"""The keys that this process holds, so that no text that leaves it shows one."""

from __future__ import annotations

import hashlib

__all__ = ["fingerprint", "mask", "remember"]

_SHORTEST = 6  # a shorter text would be masked in words that have nothing to do with it

_known: set[str] = set()


def remember(secret: str) -> None:
    """Mask this text from now on."""
    if len(secret) >= _SHORTEST:
        _known.add(secret)


def mask(text: str) -> str:
    """Return `text` with every known secret replaced by its fingerprint."""
    for secret in tuple(_known):
        if secret in text:
            text = text.replace(secret, f"[key {fingerprint(secret)}]")
    return text


def fingerprint(secret: str) -> str:
    """Return eight characters that tell secrets apart and give nothing away."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()[:8]
