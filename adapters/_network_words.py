"""Errors of the network in our words, the same whichever library is below. Pure."""

from __future__ import annotations

from adapters._patience import Patience
from adapters.errors import (
    AdapterError,
    ConnectionFailedError,
    InvalidResponseError,
    RequestTimeoutError,
)

__all__ = [
    "broken_compression",
    "cut_off",
    "no_answer",
    "no_connection",
    "not_set_up",
    "not_trusted",
    "timed_out",
    "too_large",
]


def no_connection(host: str, cause: BaseException) -> AdapterError:
    """Return the error for a server that cannot be reached."""
    return ConnectionFailedError(f"no connection to {host}: {_reason(cause)}")


def no_answer(host: str, cause: BaseException) -> AdapterError:
    """Return the error for a server that was reached, and gave nothing that could be read."""
    return ConnectionFailedError(f"no answer from {host}: {_reason(cause)}")


def cut_off(host: str) -> AdapterError:
    """Return the error for half an answer."""
    return ConnectionFailedError(f"{host} cut the answer off before its end")


def not_trusted(host: str, reason: str) -> AdapterError:
    """Return the error for a bad certificate, which will be as bad in a minute."""
    msg = f"the certificate of {host} is not trusted: {reason}"
    return ConnectionFailedError(msg, retryable=False)


def not_set_up(base_url: str, reason: object) -> AdapterError:
    """Return the error for an address that is none, or an environment that cannot be used."""
    msg = f"requests to {base_url} cannot be set up: {reason}"
    return ConnectionFailedError(msg, retryable=False)


def broken_compression() -> AdapterError:
    """Return the error for an answer that cannot be unpacked."""
    return InvalidResponseError("the compression of the answer is broken", retryable=True)


def too_large(size: int) -> AdapterError:
    """Return the error for an answer of more than `size` bytes."""
    return InvalidResponseError(f"the answer is larger than {size:,} bytes")


def timed_out(phase: str, host: str, limit: Patience) -> AdapterError:
    """Return the error for a wait that was too long, and whose fault it was."""
    what = {"connect": "no connection to", "write": "sending to", "read": "no answer from"}[phase]
    when = "when the time of the call was over" if limit.is_over else "in time"
    return RequestTimeoutError(f"{what} {host} {when}", phase=phase)


def _reason(cause: BaseException) -> str:
    return getattr(cause, "strerror", None) or type(cause).__name__
