"""Errors of the network, as urllib3 and the sockets below it raise them, turned into ours."""

from __future__ import annotations

import http.client
import ssl
import traceback

from urllib3 import exceptions as http_errors
from urllib3.util import parse_url

from adapters import _network_words as words
from adapters._patience import Patience
from adapters.errors import AdapterError

__all__ = ["FAILURES", "network_error"]

FAILURES = (http_errors.HTTPError, http.client.HTTPException, OSError)


def network_error(error: Exception, base_url: str, limit: Patience) -> AdapterError:
    """Turn an error of the libraries below into one of ours; the cause is kept by the caller."""
    cause = _innermost(error)
    _clear_frames(error)
    host = parse_url(base_url).netloc or base_url
    if isinstance(error, http_errors.DecodeError):
        return words.broken_compression()
    if isinstance(cause, http_errors.NewConnectionError):  # by its class a time-out, oddly
        return words.no_connection(host, cause.__cause__ or cause)
    if isinstance(cause, http_errors.TimeoutError | TimeoutError):
        return words.timed_out(_phase(error, cause), host, limit)
    if isinstance(cause, http.client.IncompleteRead):
        return words.cut_off(host)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return words.not_trusted(host, cause.verify_message)
    return words.no_answer(host, cause)


def _phase(error: Exception, cause: Exception) -> str:
    if isinstance(cause, http_errors.ConnectTimeoutError):
        return "connect"
    # urllib3 gives a time-out of its own only to connecting and reading.
    return "write" if isinstance(error, http_errors.ProtocolError) else "read"


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
