"""Every error of the adapters, and which of them may be tried again.

```
AdapterError
├── RateLimitError            429                    rests the key, then tries again
├── QuotaExceededError        402 and quota codes    never again with this key
├── AuthenticationError       401                    never again with this key
│   └── PermissionDeniedError 403                    never again with this key
│       └── AccessDeniedError 403 for one object     the key stays in use
├── BadRequestError           400, 422
│   └── ContextLengthError    the prompt is longer than the model takes
├── NotFoundError             404
├── ConflictError             409                    tried again where the API says so
├── PayloadTooLargeError      413
├── OverloadedError           503, 529               tried again
├── ServerError               other 5xx              tried again, but for 501, 505, 506
├── ConnectionFailedError     no answer, or half     tried again
├── RequestTimeoutError       also a TimeoutError    tried again; .phase
├── StreamInterruptedError    .partial               never after the first event
└── InvalidResponseError      not what the API promises
```

`MissingKeyError` and `SettingsError` are the toolkit's own and handed on here.
All pickle with all their fields, and none of them holds a secret.
"""

from __future__ import annotations

from typing import Any, ClassVar

from resilience.errors import MissingKeyError, SettingsError

__all__ = [
    "AccessDeniedError",
    "AdapterError",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "ConnectionFailedError",
    "ContextLengthError",
    "InvalidResponseError",
    "MissingKeyError",
    "NotFoundError",
    "OverloadedError",
    "PayloadTooLargeError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitError",
    "RequestTimeoutError",
    "ServerError",
    "SettingsError",
    "StreamInterruptedError",
]

_MAY_HELP = frozenset({"transient", "rate_limit"})  # kinds after which another attempt makes sense


class AdapterError(Exception):
    """A call of an API that failed.

    Attributes:
        provider: The API: "openai", …
        operation: What was asked of it: "chat", "embed", …
        status_code: The HTTP status; None where no answer came or the error came inside one.
        code: The API's own word for the error, as it sent it.
        message: What went wrong: the server's sentence where it sent one.
        body: The parsed body of the answer, or its text (cut to 8,192 characters), or None.
        request_id: The id that was sent with the call.
        server_request_id: The id that the server gave.
        retry_after: Seconds that the server asked to wait, or None.
        retryable: Whether the same request may succeed later with the same key.
        key_name: The name of the key's entry, never the key.
        attempts: How many requests the call had sent when it failed.
    """

    _kind: ClassVar[str] = "permanent"
    _advice: ClassVar[str] = ""

    def __init__(
        self,
        message: str = "the call failed",
        *,
        provider: str | None = None,
        operation: str | None = None,
        status_code: int | None = None,
        code: str | None = None,
        body: Any = None,
        request_id: str | None = None,
        server_request_id: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        key_name: str | None = None,
        attempts: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.operation = operation
        self.status_code = status_code
        self.code = code
        self.body = body
        self.request_id = request_id
        self.server_request_id = server_request_id
        self.retry_after = retry_after
        self.retryable = self._default_kind() in _MAY_HELP if retryable is None else retryable
        self.key_name = key_name
        self.attempts = attempts

    def _default_kind(self) -> str:
        """Say what the toolkit should make of it where the server does not say otherwise."""
        return self._kind

    @property
    def resilience_kind(self) -> str:
        """What the toolkit makes of it: "transient", "rate_limit", "permanent" or "key".

        Where `retryable` contradicts the class (a server said so), `retryable` wins.
        """
        kind = self._default_kind()
        if (kind in _MAY_HELP) == self.retryable:
            return kind
        return "transient" if self.retryable else "permanent"

    def __str__(self) -> str:
        return " ".join(part for part in (self._what(), self._next_step()) if part)

    def _what(self) -> str:
        call = " ".join(part for part in (self.provider, self.operation) if part)
        facts = [str(fact) for fact in (self.status_code, self.code) if fact is not None]
        where = f"{call} ({', '.join(facts)})" if facts else call
        sentence = self.message.rstrip()
        end = "" if sentence.endswith((".", "!", "?")) else "."
        return f"{where.strip()}: {sentence}{end}" if where else f"{sentence}{end}"

    def _next_step(self) -> str:
        """Say what to do about it, where there is something to do."""
        return self._advice.format(key=f"the key {self.key_name!r}" if self.key_name else "the key")


class RateLimitError(AdapterError):
    """Too much for the moment: the key rests, and the circuit breaker does not count it."""

    _kind = "rate_limit"

    def _next_step(self) -> str:
        wait = "later" if self.retry_after is None else f"in {self.retry_after:g} s"
        return f"Try again {wait}, add a key, or lower max_concurrent_requests."


class QuotaExceededError(AdapterError):
    """The account is out of credit: waiting does not help, another account's key does."""

    _kind = "key"
    _advice = "Add credit to the account of {key}, or use a key of another account."


class AuthenticationError(AdapterError):
    """The key is wrong, revoked or not allowed from here."""

    _kind = "key"
    _advice = "Check {key}: is it complete, active, and meant for this base_url?"


class PermissionDeniedError(AuthenticationError):
    """The key is good and may not do this.

    A kind of `AuthenticationError`, since what follows is the same: the key is set aside.
    """

    _advice = "Give {key} access to this model and operation, or use another one."


class AccessDeniedError(PermissionDeniedError):
    """The key is good and may not do this to this object; for others it stays in use."""

    _kind = "permanent"
    _advice = "Give {key} access to this object, or use another one."


class BadRequestError(AdapterError):
    """The API refuses the arguments."""


class ContextLengthError(BadRequestError):
    """The prompt, with the answer asked for, is longer than the model takes."""

    _advice = "Shorten the messages, ask for fewer tokens, or use a model with a longer context."


class NotFoundError(AdapterError):
    """There is no such model, object or path."""

    _advice = "Check its name and the base_url."


class ConflictError(AdapterError):
    """The object is in a state that does not allow this."""


class PayloadTooLargeError(AdapterError):
    """The request is larger than the server takes."""

    _advice = "Send less in one request."


class OverloadedError(AdapterError):
    """The service has more work than it can do."""

    _kind = "transient"

    def _default_kind(self) -> str:
        # 529 asks every client to slow down: it says nothing about the health of the service.
        return "rate_limit" if self.status_code == _SLOW_DOWN else "transient"


class ServerError(AdapterError):
    """The server failed."""

    _kind = "transient"

    def _default_kind(self) -> str:
        return "permanent" if self.status_code in _NEVER_ABLE else "transient"


class ConnectionFailedError(AdapterError):
    """No connection, or it broke before the answer was complete."""

    _kind = "transient"


class RequestTimeoutError(AdapterError, TimeoutError):
    """The server took too long.

    Attributes:
        phase: "connect", "write", "read" (waiting for the answer or its next part), or "server"
            (the server gave up waiting for the request: 408).
    """

    _kind = "transient"

    def __init__(self, message: str = "timed out", *, phase: str = "read", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.phase = phase


class StreamInterruptedError(AdapterError):
    """A stream ended before its end marker, after it had begun.

    Attributes:
        partial: The text that had arrived.
    """

    _kind = "transient"
    _advice = "What had arrived is in .partial."

    def __init__(self, message: str = "interrupted", *, partial: str = "", **fields: Any) -> None:
        super().__init__(message, **fields)
        self.partial = partial


class InvalidResponseError(AdapterError):
    """The answer is not what the API promises: broken JSON, a web page, a missing field."""


_SLOW_DOWN = 529
_NEVER_ABLE = frozenset({501, 505, 506})  # the server cannot do this today or tomorrow
