"""What a client has to know of its API: data, one `Provider` each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from adapters._dialect import Dialect
from adapters._failures import ErrorTable
from resilience._record import record

if TYPE_CHECKING:
    from adapters._flows import Flow
    from adapters._messages import Request
    from adapters._results import RawAnswer
    from adapters._setup import Setup

__all__ = ["OwnSetting", "Provider", "Unsigned", "bearer", "one_of"]


def bearer(key: str) -> dict[str, str]:
    """Return the header of RFC 6750, which most APIs take."""
    return {"Authorization": f"Bearer {key}"}


def one_of(*values: str) -> Callable[[Any], str | None]:
    """Return a rule for `OwnSetting`: the value is one of these."""
    rule = f"must be {' or '.join(map(repr, values))}"
    return lambda value: None if value in values else rule


@record
class OwnSetting:
    """A setting that one API has and others have not: an argument of its clients.

    Attributes:
        default: Its value where neither argument nor environment gives one.
        header: Carries it in every request, or None.
        variables: The environment variables that may give it, the first that is set wins.
        rule: Returns what a value must be, as "must be …", if it is not; else None.
    """

    default: Any = None
    header: str | None = None
    variables: tuple[str, ...] = ()
    rule: Callable[[Any], str | None] | None = None


@record
class Unsigned:
    """A request as it will be sent, for APIs whose keys sign it as a whole.

    Attributes:
        method: The HTTP method.
        base_url: Where it goes, without a slash at its end.
        path: Relative to it, with its query, byte for byte as it is sent.
        headers: All but Host and Content-Length.
        body: The encoded body.
    """

    method: str
    base_url: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Return the whole address."""
        return f"{self.base_url}/{self.path}"


def _itself(key: str) -> tuple[str]:
    return (key,)


@record
class Provider:
    """One API.

    Attributes:
        name: In errors and statistics.
        otel_name: `gen_ai.provider.name` in spans; default: `name`.
        base_url: Where the API stands, without a slash at its end.
        base_url_variables: The environment variables that name another place, in their order.
        normalize_url: Mends an address that was given in a form of this API's own.
        key_variables: The environment variables of its keys, without their numbers; the first that
            is set wins.
        needs_key: Whether a client without a key is a mistake.
        authorize: Makes the headers that carry a key.
        sign: In its place, makes the headers of one attempt from setup, key and whole request.
        ask_raw: The flow of a request of any kind, where it is more than asking once.
        relocate: Returns the base URL of a request from setup, the usual one and the path, for APIs
            that have one for each region.
        secrets_of: What of a key must not be shown: all of it, or its parts.
        headers: Sent with every request.
        request_id_header: Carries our request id, or None where the API takes none.
        server_request_id_headers: May carry the server's, the first that is there wins.
        quota_headers: In answers: the limit of requests, how many are left, and when it is reset.
        batch_models: Patterns of the models whose single calls are combined by default.
        batch_operations: The operations that combine them by default; None: all that can.
        own_settings: The settings that only this API has, by name.
        read_timeout: Seconds for a single wait for the answer.
        errors: Where its errors differ from the table of statuses.
        dialect: Its way to speak OpenAI's dialect, where it does.
        span_operations: Names of operations in spans (`gen_ai.operation.name`), where they differ
            from those that most APIs have.
        describe_span: For an API without models, name and attributes of the span of a request, in
            place of the conventions for models.
    """

    name: str
    otel_name: str | None = None
    base_url: str
    base_url_variables: tuple[str, ...] = ()
    normalize_url: Callable[[str], str] | None = None
    key_variables: tuple[str, ...] = ()
    needs_key: bool = True
    authorize: Callable[[str], Mapping[str, str]] = bearer
    sign: Callable[[Setup, str, Unsigned], Mapping[str, str]] | None = None
    ask_raw: Callable[[Setup, Request], Flow[RawAnswer]] | None = None
    relocate: Callable[[Setup, str, str], str] | None = None
    secrets_of: Callable[[str], Iterable[str]] = _itself
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    request_id_header: str | None = None
    server_request_id_headers: tuple[str, ...] = ("x-request-id",)
    quota_headers: tuple[str, str, str] | None = None
    batch_models: tuple[str, ...] = ()
    batch_operations: tuple[str, ...] | None = None
    own_settings: Mapping[str, OwnSetting] = field(default_factory=dict[str, OwnSetting])
    read_timeout: float = 60.0
    errors: ErrorTable = field(default_factory=ErrorTable)
    dialect: Dialect = field(default_factory=Dialect)
    span_operations: Mapping[str, str] = field(default_factory=dict[str, str])
    describe_span: Callable[[Request], tuple[str, Mapping[str, Any]]] | None = None
