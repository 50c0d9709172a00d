"""The default client of a module: made when a function of the module is first called."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from adapters._client import BaseClient
from resilience import MissingKeyError
from resilience._fork import renew_after

if TYPE_CHECKING:
    from resilience.telemetry.report import Report

__all__ = ["DefaultClient"]

C = TypeVar("C", bound=BaseClient)
P = ParamSpec("P")
R = TypeVar("R")


class DefaultClient(Generic[C]):
    """Makes one client, keeps it, and makes another one after `configure`. Thread-safe."""

    def __init__(self, make: Callable[..., C], module: str) -> None:
        self._make = make
        self._module = module
        self._arguments: dict[str, Any] = {}
        self._client: C | None = None
        self._lock = threading.Lock()
        renew_after(self)

    def function(self, method: Callable[Concatenate[Any, P], R]) -> Callable[P, R]:
        """Return a function of the module that is this method of the default client."""

        @functools.wraps(method)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return method(self.get(), *args, **kwargs)

        signature = inspect.signature(method)
        _, *others = signature.parameters.values()
        labels: Any = call
        labels.__signature__ = signature.replace(parameters=others)
        labels.__module__, labels.__qualname__ = self._module, method.__name__
        return call

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

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request of any kind; see `Client.request`."""
        return self.get().request(method, path, **options)

    def get_stats(self, name: str | None = None) -> dict[str, Any]:
        """Return the counts of the default client's calls; see `Client.get_stats`."""
        return self.get().get_stats(name)

    def generate_report(self, name: str | None = None, *, include_details: bool = False) -> Report:
        """Return the main figures of the default client's calls; see `Client.generate_report`."""
        return self.get().generate_report(name, include_details=include_details)

    def reset_stats(self, name: str | None = None) -> None:
        """Forget what was counted for the default client; see `Client.reset_stats`."""
        self.get().reset_stats(name)

    def renew_after_fork(self) -> None:
        """Take a new lock: a thread of the parent may have held the old one."""
        self._lock = threading.Lock()
