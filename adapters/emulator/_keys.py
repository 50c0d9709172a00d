"""The keys that are good unless others are given: two for each API, made of the seed."""

from __future__ import annotations

from collections.abc import Callable

from adapters.emulator.answers import digest

__all__ = ["NAMES", "keys_like"]

NAMES = ("production", "backup")


def keys_like(prefix: str, provider: str, size: int) -> Callable[[int], dict[str, str]]:
    """Return what makes a provider's keys of the seed: the prefix, then so many digits."""

    def make(seed: int) -> dict[str, str]:
        return {name: f"{prefix}{digest(provider, name, seed, size=size)}" for name in NAMES}

    return make
