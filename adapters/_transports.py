"""The door to the HTTP libraries, which are loaded when the first client is made.

requests and what it brings take as long to import as all the rest of a client; a program that
imports an adapter and never calls it, or only asks for its types, does without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from adapters._setup import Setup

if TYPE_CHECKING:
    from adapters._http import Transport
    from adapters._http_async import AsyncTransport

__all__ = ["encode_form", "new_async_transport", "new_transport"]


def new_transport(setup: Setup) -> Transport:
    """Return what sends the requests of a client."""
    module: Any = import_module("adapters._http")
    transport: Transport = module.Transport(pool_size=setup.width, **_limits(setup))
    return transport


def new_async_transport(setup: Setup) -> AsyncTransport:
    """Return what sends the requests of a client whose calls are awaited.

    Raises:
        ModuleNotFoundError: if aiohttp is not installed; it says what to install.
    """
    try:
        module: Any = import_module("adapters._http_async")
    except ModuleNotFoundError as missing:
        if missing.name != "aiohttp":
            raise
        msg = "AsyncClient needs aiohttp: pip install 'resilience-adapters[async]'"
        raise ModuleNotFoundError(msg, name=missing.name) from None
    transport: AsyncTransport = module.AsyncTransport(**_limits(setup))
    return transport


def encode_form(data: Any, files: Any) -> tuple[bytes | None, str | None]:
    """Encode a form or an upload, as requests does: the body, and its content type."""
    encoded: tuple[bytes | None, str | None] = import_module("adapters._http").encode_form(
        data, files
    )
    return encoded


def _limits(setup: Setup) -> dict[str, Any]:
    return {
        "connect_timeout": setup.connect_timeout,
        "read_timeout": setup.read_timeout,
        "max_answer_size": setup.max_answer_size,
    }
