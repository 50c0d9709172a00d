"""What `doctor` finds out about one API."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from time import monotonic
from typing import TYPE_CHECKING, Any

from adapters.cli._apis import client_class
from adapters.errors import AdapterError, AuthenticationError, ConnectionFailedError
from resilience import MissingKeyError, ResilienceError, SettingsError
from resilience._environment import find_keys, lookup

if TYPE_CHECKING:
    from adapters._provider import Provider

__all__ = ["Finding", "examine"]

# Operations that cost nothing, the one that says most first.
_HARMLESS = ("models", "buckets", "health")
# A limit, or a fault that passes, is no illness; a server that is not there is still told at once.
_RETRIES, _SOON = 2, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found out.

    Attributes:
        api: Its name.
        state: One of those that the command's help explains.
        keys: The variables that hold its keys.
        base_url: The address, or None where it is not known.
        address_from: The variable that gives it, or "usual address".
        says: What the server said, or what to do, in one line.
    """

    api: str
    state: str
    says: str
    keys: tuple[str, ...] = ()
    base_url: str | None = None
    address_from: str | None = None


def examine(api: str, *, timeout: float | None) -> Finding:
    """Look for the keys and the address of an API, and ask it; with no `timeout` do not ask."""
    try:
        provider: Provider = client_class(api).provider
        named = next(filter(lookup, provider.base_url_variables), None)
        keys = _keys_of(api, provider)
        patience = 5.0 if timeout is None else timeout
        limits = {"timeout": patience, "connect_timeout": patience, "read_timeout": patience}
        client = client_class(api)(
            name=f"doctor {api}",
            max_retries=_RETRIES,
            initial_retry_delay=_SOON,
            metrics_enabled=False,
            **limits,
        )
    except MissingKeyError as error:
        which = " or ".join(error.variables)
        says = f"set {which}, in the environment or in .env"
        return Finding(api=api, state="not set up", says=says)
    except (SettingsError, ModuleNotFoundError) as error:
        return Finding(api=api, state="not set up", says=str(error))
    found: dict[str, Any] = {
        "api": api,
        "keys": keys,
        "base_url": client.base_url,
        "address_from": named or "usual address",
    }
    with client:
        if timeout is None:
            return Finding(state="found", says="not asked", **found)
        state, says = _ask(client, provider, named)
        return Finding(state=state, says=says, **found)


def _keys_of(api: str, provider: Provider) -> tuple[str, ...]:
    """Return the variables that hold its keys; the first name that is set wins, as for clients."""
    if api == "s3":
        return tuple(import_module("adapters._s3_credentials").from_environment())
    for variable in provider.key_variables:
        with suppress(MissingKeyError):
            return tuple(find_keys((variable,)))
    return ()


def _ask(client: Any, provider: Provider, named: str | None) -> tuple[str, str]:
    operation = next(name for name in _HARMLESS if hasattr(client, name))
    begun = monotonic()
    try:
        answer = getattr(client, operation)()
    except ConnectionFailedError as error:
        if named is None and not provider.needs_key:
            where = " or ".join(provider.base_url_variables)
            return "not running", f"start it, or set {where}"
        return "unreachable", _one_line(error)
    except AuthenticationError as error:
        return "rejected", _one_line(error)
    except (AdapterError, ResilienceError, TimeoutError) as error:
        return "failed", _one_line(error)
    seconds = monotonic() - begun
    counted = f"{operation}: {len(answer)}" if hasattr(answer, "__len__") else "it is well"
    return "ok", f"{counted}, {seconds:.2f} s"


def _one_line(error: Exception) -> str:
    """Return what it says; a server's own words may have lines."""
    return " ".join(str(error).split())
