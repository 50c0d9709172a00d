"""What the asynchronous transport takes from aiohttp: the one place that imports it."""

from __future__ import annotations

from aiohttp import (
    BaseConnector,
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    Payload,
    TCPConnector,
    ThreadedResolver,
    TraceConfig,
)
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import ContentEncodingError

__all__ = [
    "AbstractStreamWriter",
    "BaseConnector",
    "ClientConnectorCertificateError",
    "ClientConnectorError",
    "ClientError",
    "ClientPayloadError",
    "ClientResponse",
    "ClientResponseError",
    "ClientSession",
    "ClientTimeout",
    "ContentEncodingError",
    "DummyCookieJar",
    "Payload",
    "TCPConnector",
    "ThreadedResolver",
    "TraceConfig",
]
