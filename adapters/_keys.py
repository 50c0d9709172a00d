"""The pool of a client's keys: from its arguments, else from the environment."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from adapters._setup import Setup
from resilience import KeyPool, MissingKeyError
from resilience._rules import fail
from resilience.errors import SettingsError

__all__ = ["key_pool"]


def key_pool(setup: Setup, api_key: Any, keys: Any) -> KeyPool:
    """Return the pool of a client's keys: the argument or `keys`, else the environment's.

    Raises:
        MissingKeyError: if there is none and the API wants one; it names the variables.
        SettingsError: if both are given, or what is given is no key.
    """
    if api_key is not None and keys is not None:
        msg = "api_key and keys cannot both be given: which of them should be used?"
        raise SettingsError(msg, setting="api_key", rule="cannot be given beside keys")
    if not isinstance(api_key, str | None):
        fail("api_key", "must be text", type(api_key))
    given = keys if api_key is None else api_key
    if isinstance(given, KeyPool):
        return given
    limits: dict[str, Any] = {
        "name": setup.name,
        "initial_retry_delay": setup.settings.initial_retry_delay,
        "max_retry_delay": setup.settings.max_retry_delay,
    }
    if given is not None:
        return KeyPool(given, **limits)
    provider = setup.provider
    for variable in provider.key_variables:
        # The first name that is set wins: the others are other names for keys of the same kind.
        with suppress(MissingKeyError):
            return KeyPool.from_env(variable, **limits)
    if provider.needs_key:
        return KeyPool.from_env(*provider.key_variables, **limits)  # its error names them all
    pool = KeyPool(**limits)
    pool.add("default", None, base_url=setup.base_url)
    return pool
