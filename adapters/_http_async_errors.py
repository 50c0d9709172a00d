"""Errors of the network, as aiohttp and the sockets below it raise them, turned into ours."""

from __future__ import annotations

import os
import socket
import ssl
from urllib.parse import urlsplit

from adapters import _network_words as words
from adapters._aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientPayloadError,
    ClientResponseError,
    ContentEncodingError,
)
from adapters._patience import Patience
from adapters.errors import AdapterError

__all__ = ["FAILURES", "network_error"]

FAILURES = (ClientError, OSError)


def network_error(error: Exception, base_url: str, phase: str, limit: Patience) -> AdapterError:
    """Turn an error of the libraries below into one of ours, with that as its cause.

    To be raised outside of the handler: those of aiohttp hold the headers that were sent.
    """
    found = _our_own(error, base_url, phase, limit)
    found.__cause__ = _bare(error)
    return found


def _bare(error: Exception) -> Exception:
    """Return what an error says, without the request and its secrets."""
    if isinstance(error, ClientResponseError):
        return ValueError(f"{type(error).__name__}: {error.message}")
    return error


def _our_own(error: Exception, base_url: str, phase: str, limit: Patience) -> AdapterError:
    host = urlsplit(base_url).netloc or base_url
    if isinstance(error, TimeoutError):
        return words.timed_out(phase, host, limit)
    if isinstance(error, ClientConnectorCertificateError):
        cause = error.certificate_error
        reason = cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else cause
        return words.not_trusted(host, str(reason))
    if isinstance(error, ClientConnectorError):
        return words.no_connection(host, _plain(error.os_error))
    if isinstance(error, ClientPayloadError):
        is_packed = isinstance(error.__cause__, ContentEncodingError)
        return words.broken_compression() if is_packed else words.cut_off(host)
    return words.no_answer(host, error)


def _plain(error: OSError) -> OSError:
    """Say what the system says; asyncio writes a sentence with the address into its place."""
    number = error.errno
    if isinstance(error, socket.gaierror | ssl.SSLError) or number is None or number <= 0:
        return error
    return OSError(number, os.strerror(number))
