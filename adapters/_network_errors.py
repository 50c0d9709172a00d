"""Errors of the network, as urllib3 and the sockets below it raise them, turned into ours."""

from __future__ import annotations

import http.client
import ssl
import traceback

from urllib3 import exceptions as http_errors
from urllib3.util import parse_url

from adapters._sockets import Patience
from adapters.errors import (
    AdapterError,
    ConnectionFailedError,
    InvalidResponseError,
    RequestTimeoutError,
)

__all__ = ["FAILURES", "network_error"]

FAILURES = (http_errors.HTTPError, http.client.HTTPException, OSError)


def network_error(error: Exception, base_url: str, limit: Patience) -> AdapterError:
    """Turn an error of the libraries below into one of ours; the cause is kept by the caller."""
    cause = _innermost(error)
    _clear_frames(error)
    host = parse_url(base_url).netloc or base_url
    if isinstance(error, http_errors.DecodeError):
        return InvalidResponseError("the compression of the answer is broken", retryable=True)
    if isinstance(cause, http_errors.NewConnectionError):  # by its class a time-out, oddly
        return ConnectionFailedError(
            f"no connection to {host}: {_reason(cause.__cause__ or cause)}"
        )
    if isinstance(cause, http_errors.TimeoutError | TimeoutError):
        return _timeout(error, cause, host, limit)
    if isinstance(cause, http.client.IncompleteRead):
        return ConnectionFailedError(f"{host} cut the answer off before its end")
    if isinstance(cause, ssl.SSLCertVerificationError):
        msg = f"the certificate of {host} is not trusted: {cause.verify_message}"
        return ConnectionFailedError(msg, retryable=False)
    return ConnectionFailedError(f"no answer from {host}: {_reason(cause)}")


def _timeout(error: Exception, cause: Exception, host: str, limit: Patience) -> AdapterError:
    if isinstance(cause, http_errors.ConnectTimeoutError):
        phase = "connect"
    elif isinstance(error, http_errors.ProtocolError):
        phase = "write"  # urllib3 gives a time-out of its own only to connecting and reading
    else:
        phase = "read"
    what = {"connect": "no connection to", "write": "sending to", "read": "no answer from"}[phase]
    when = "when the time of the call was over" if limit.is_over else "in time"
    return RequestTimeoutError(f"{what} {host} {when}", phase=phase)


def _innermost(error: Exception) -> Exception:
    """Return what is at the bottom of urllib3's wrappings."""
    inner = next((arg for arg in reversed(error.args) if isinstance(arg, Exception)), None)
    return error if inner is None else _innermost(inner)


def _clear_frames(error: BaseException) -> None:
    """Empty the finished frames below: urllib3's hold the error that leads to them, a cycle."""
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__


def _reason(cause: BaseException) -> str:
    return getattr(cause, "strerror", None) or type(cause).__name__
