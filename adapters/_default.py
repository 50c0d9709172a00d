"""The default client of a module: made when a function of the module is first called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from adapters._client import Client
from resilience import MissingKeyError
from resilience._fork import renew_after

__all__ = ["DefaultClient"]

C = TypeVar("C", bound=Client)


class DefaultClient(Generic[C]):
    """Makes one client, keeps it, and makes another one after `configure`. Thread-safe."""

    def __init__(self, make: Callable[..., C]) -> None:
        self._make = make
        self._arguments: dict[str, Any] = {}
        self._client: C | None = None
        self._lock = threading.Lock()
        renew_after(self)

    def get(self) -> C:
        """Return the client.

        Raises:
            MissingKeyError: if no key is configured or found.
        """
        client = self._client
        if client is None:
            with self._lock:
                client = self._client
                if client is None:
                    client = self._client = self._make(**self._arguments)
        return client

    def configure(self, **arguments: Any) -> None:
        """Set arguments of the client, beside those that were set before; None unsets one.

        Calls that run end on the client that they began with. A mistake changes nothing; a key
        that is still missing is none, since a call may come later.
        """
        with self._lock:
            merged = {**self._arguments, **arguments}
            merged = {name: value for name, value in merged.items() if value is not None}
            try:
                self._client = self._make(**merged)
            except MissingKeyError:
                self._client = None
            self._arguments = merged

    def renew_after_fork(self) -> None:
        """Take a new lock: a thread of the parent may have held the old one."""
        self._lock = threading.Lock()
