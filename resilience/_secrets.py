"""The keys that this process holds, so that no text that leaves it shows one."""

from __future__ import annotations

import logging
import re
import traceback
from contextlib import suppress

__all__ = ["fingerprint", "log_failure", "mask", "remember", "shown"]

_SHORTEST = 6  # a shorter text would be masked in words that have nothing to do with it

_known: set[str] = set()


def remember(secret: str) -> None:
    """Mask this text from now on."""
    if len(secret) >= _SHORTEST:
        _known.add(secret)


def mask(text: str) -> str:
    """Return `text` with every known secret replaced by its fingerprint."""
    shown = [secret for secret in _known.copy() if secret in text]
    if not shown:
        return text
    # The longest first: where one begins with another, nothing of it is left over. All at once: a
    # fingerprint is not masked in its turn.
    pattern = "|".join(map(re.escape, sorted(shown, key=len, reverse=True)))
    return re.sub(pattern, lambda match: f"[key {fingerprint(match[0])}]", text)


def fingerprint(secret: str) -> str:
    """Return eight characters that tell secrets apart and give nothing away."""
    import hashlib  # noqa: PLC0415 - loads OpenSSL, and few programs show a secret

    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()[:8]


def shown(thing: object) -> str:
    """Return the `repr` of a user's object, or its type where even that fails."""
    try:
        return repr(thing)
    except Exception:  # noqa: BLE001 - a `__repr__` may do anything
        return f"<{type(thing).__qualname__}>"


def log_failure(logger: logging.Logger, message: str, error: BaseException) -> None:
    """Log an error of the user's own code with its traceback, in which a secret is masked.

    The traceback is text: a handler that got the exception itself would print it unmasked.
    """
    if logger.isEnabledFor(logging.ERROR):
        lines = "".join(traceback.format_exception(error)).rstrip()
        fields = {"resilience_error_type": type(error).__name__}
        with suppress(Exception):  # of a handler that lets its own errors out
            logger.error("%s", mask(f"{message}\n{lines}"), extra=fields)
