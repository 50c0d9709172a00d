"""Credentials: a key of S3 is two or three parts, joined by colons."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote

from adapters.emulator._keys import NAMES
from adapters.emulator.answers import digest

__all__ = ["Credentials", "make_keys"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """The parts of one key."""

    name: str
    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, name: str, key: str) -> Credentials:
        """Take a key apart: `access:secret` or `access:secret:token`.

        A secret alone, as a user may give it for all providers, has its name for the access key.
        """
        parts = [unquote(part) for part in key.split(":", 2)]
        return cls(name, name, *parts) if len(parts) == 1 else cls(name, *parts)

    @staticmethod
    def describe(name: str, key: str) -> dict[str, str]:
        """Give the parts under the names that clients have for them."""
        found = Credentials.of(name, key)
        parts = {"access_key": found.access_key, "secret_key": found.secret_key}
        return parts | ({"session_token": found.session_token} if found.session_token else {})


def make_keys(seed: int) -> dict[str, str]:
    """Make the keys that are good unless others are given."""
    return {
        name: f"AKIA{digest('s3', name, seed).upper()}:{digest('s3 secret', name, seed, size=40)}"
        for name in NAMES
    }
