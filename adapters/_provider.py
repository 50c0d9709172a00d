"""What a client has to know of its API: data, one `Provider` each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from adapters._failures import ErrorTable

__all__ = ["Provider", "bearer"]


def bearer(key: str) -> dict[str, str]:
    """Return the header of RFC 6750, which most APIs take."""
    return {"Authorization": f"Bearer {key}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One API.

    Attributes:
        name: In errors, spans and statistics; also `gen_ai.provider.name`.
        base_url: Where the API stands, without a slash at its end.
        base_url_variable: The environment variable that names another place.
        key_variables: The environment variables of its keys, without their numbers.
        errors: Where its errors differ from the table of statuses.
        needs_key: Whether a client without a key is a mistake.
        authorize: Makes the headers that carry a key.
        request_id_header: Carries our request id, or None where the API takes none.
        server_request_id_header: Carries the server's.
        setting_headers: For a setting of its own, the header that carries it.
        setting_variables: For a setting of its own, the environment variable that gives it.
        read_timeout: Seconds for a single wait for the answer.
    """

    name: str
    base_url: str
    errors: ErrorTable
    base_url_variable: str | None = None
    key_variables: tuple[str, ...] = ()
    needs_key: bool = True
    authorize: Callable[[str], Mapping[str, str]] = bearer
    request_id_header: str | None = None
    server_request_id_header: str = "x-request-id"
    setting_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    setting_variables: Mapping[str, str] = field(default_factory=dict[str, str])
    read_timeout: float = 60.0
