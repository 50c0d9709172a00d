"""What every client has: its keys, the stack around each attempt, its statistics."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import resilience  # its reports are loaded when somebody asks for one
from adapters._combined_calls import CombinedCalls
from adapters._exchange import CallOptions, Exchange
from adapters._keys import key_pool
from adapters._messages import Request
from adapters._provider import Provider
from adapters._setup import Setup
from adapters._telemetry import describe_call
from adapters.errors import AdapterError
from resilience import (
    CircuitBreaker,
    DeadlineExceededError,
    KeyPool,
    PriorityQueue,
    Settings,
    deadline,
)
from resilience._context import act_for, current_priority
from resilience._pool_entries import reject_unknown_entry
from resilience._pool_layer import PoolLayer
from resilience._stack import Switches, layers_of
from resilience._switches import Switch, is_off
from resilience._wrapper import decorate
from resilience.telemetry.statistics import CallStatistics, statistics_of

if TYPE_CHECKING:
    from resilience.telemetry.report import Report

__all__ = ["CommonClient", "last_answer_first", "time_to_clean_up"]

_TIME_TO_CLEAN_UP = 10.0  # seconds


class CommonClient(CombinedCalls):
    """A client of one API; each call goes through retry, keys, queue and circuit breaker.

    Plain calls and streams share one limit, one line, one circuit and one set of connections.
    Made lazily: nothing is connected before the first call. Thread-safe and fork-safe.

    On every call, by keyword: `priority` (a `Priority`), `key` (the name of an entry),
    `request_id`, `timeout` (seconds for the whole call, retries included), `extra_headers`,
    `extra_body`. Every other keyword goes to the API as it is.

    Args:
        api_key: The key, where there is one.
        keys: In its place, names and keys, a list of keys, or a `KeyPool`.
        base_url: Where the API stands; default: the environment, then the API's own address.
        settings: A `Settings` of the stack.
        timeout: Seconds for a whole call, retries included (None: no limit).
        more: Any field of `Settings`, in place of that one's; `name` (in statistics, spans and
            logs: the API's; clients of one name are counted together), `connect_timeout` (5 s),
            `read_timeout` (a single wait for the answer: 60 s), `max_answer_size` (64 MiB), and
            settings of the API.

    Raises:
        MissingKeyError: if no key is given or found; it names the variables.
        SettingsError: for an unknown setting, with the nearest known one, for a value that breaks
            its rule, and for `api_key` beside `keys`.
    """

    provider: ClassVar[Provider]
    _send: Callable[..., Any]
    is_async: ClassVar[bool] = False

    def __init__(
        self,
        api_key: str | None = None,
        *,
        keys: KeyPool | Mapping[str, str | None] | list[str] | None = None,
        base_url: str | None = None,
        settings: Settings | None = None,
        timeout: float | None = None,
        **more: Any,
    ) -> None:
        setup = Setup.of(
            self.provider, base_url=base_url, settings=settings, timeout=timeout, more=more
        )
        super().__init__(setup)
        self.settings = setup.settings
        self.keys = key_pool(setup, api_key, keys)
        self.queue = _queue(setup)
        self.circuit_breaker = _breaker(setup)
        self.retry, self.attempt_timeout = Switch("retry"), Switch("attempt_timeout")
        self._connect(setup)

    @property
    def base_url(self) -> str:
        """Where requests go whose key has no address of its own; without a slash at its end."""
        return self._setup.base_url

    def explain(self) -> str:
        """Return what stands around each request, its worst case, notes and warnings."""
        timeout = self._setup.timeout
        with nullcontext() if timeout is None else deadline(timeout):
            return resilience.explain(self._send) + self._explain_batching()

    def _explain_batching(self) -> str:
        setup = self._setup
        if not setup.batch_models or not self.batching.enabled or is_off("batched"):
            return ""
        return (
            f"\nnote: a call with one input, to models named {' or '.join(setup.batch_models)}, "
            f"waits up to batch_timeout={setup.settings.batch_timeout:g} s for others to share its "
            "request"
        )

    def get_stats(self, name: str | None = None) -> dict[str, Any]:
        """Return the counts of this client's calls, with those of each key under `endpoints`.

        Clients of one name are counted together; keys are those of the one that was made last.
        With the `name` of a key, the counts of the requests that were made with it.

        Raises:
            KeyError: if the client's metrics are off.
            SettingsError: for an unknown key.
        """
        return resilience.get_stats(self._setup.name) if name is None else self.keys.get_stats(name)

    def generate_report(self, name: str | None = None, *, include_details: bool = False) -> Report:
        """Return the main figures with rates, of one key's requests or of all calls.

        Raises:
            KeyError: if the client's metrics are off.
            SettingsError: for an unknown key.
        """
        if name is not None:
            return self.keys.generate_report(name, include_details=include_details)
        return resilience.generate_report(self._setup.name, include_details=include_details)

    def reset_stats(self, name: str | None = None) -> None:
        """Forget what was counted: for one key, or for all of them and the client.

        Raises:
            KeyError: if the client's metrics are off.
            SettingsError: for an unknown key.
        """
        self.keys.reset_stats(name)
        if name is None:
            resilience.reset_stats(self._setup.name)

    def __repr__(self) -> str:
        names = ", ".join(self.keys.names())
        kind = f"{self.provider.name}.{type(self).__name__}"
        return f"<{kind} at {self._setup.base_url} with keys {names}>"

    @abstractmethod
    def _connect(self, setup: Setup) -> None:
        """Make what sends the requests: the one thing in which kinds of clients differ."""

    def _statistics(self) -> CallStatistics | None:
        return statistics_of(self._setup.name) if self.settings.metrics_enabled else None

    def _stack(self, attempt: Callable[..., Any], *, streams: bool) -> Callable[..., Any]:
        """Put the layers around an attempt; the pool passes the lease, not just the key."""
        layers = layers_of(
            self.settings,
            switches=Switches(self.retry, self.attempt_timeout),
            pool_layer=lambda pool: PoolLayer(pool, "lease", passes_lease=True, name_of=_key_of),
            keys=self.keys,
            queue=self.queue,
            breaker=self.circuit_breaker,
            name=self._setup.name,
        )
        base_url = self._setup.base_url

        def describe(exchange: Exchange, _: object) -> Any:
            return describe_call(base_url, exchange, streams=streams)

        stack: Callable[..., Any] = decorate(attempt, *layers, describe_span=describe)
        return stack

    def _call(self, options: dict[str, Any], named: Collection[str] = ()) -> CallOptions:
        """Take the options of every call out of those of this one, but for the `named`."""
        call = CallOptions(options, self._setup.timeout, named)
        if call.key is not None:
            reject_unknown_entry(self.keys, call.key)
        return call

    def _exchange(self, request: Request, call: CallOptions, entry: str | None = None) -> Exchange:
        """Begin the record of a request; `entry` has to serve it, where it is not any."""
        exchange = Exchange(self.provider, request, call)
        if entry is not None:
            exchange.key = entry
        return exchange


@contextmanager
def last_answer_first(exchange: Exchange) -> Generator[None]:
    """Let the last thing that the server said come through where the time of the call is over."""
    exchange.bound()
    answered: AdapterError | None = None
    try:
        yield
    except DeadlineExceededError as error:
        answered = exchange.last_answer()
        if answered is None:
            raise
        raise answered from error
    finally:
        # Its traceback leads to the frames that hold it and the exchange: a cycle.
        exchange.answered = answered = None


@contextmanager
def time_to_clean_up() -> Generator[None]:
    """Give what runs inside a time of its own, however little the call has left.

    It changes its context for good: enter it in one of its own.
    """
    act_for(current_priority(), None)
    with deadline(_TIME_TO_CLEAN_UP):
        yield


def _key_of(exchange: Exchange, _: object) -> str | None:
    return exchange.key


def _queue(setup: Setup) -> PriorityQueue:
    settings = setup.settings
    return PriorityQueue(
        name=setup.name,
        max_concurrent_requests=settings.max_concurrent_requests,
        queue_size=settings.queue_size,
        queue_timeout=settings.queue_timeout,
        queue_enabled=settings.queue_enabled,
        aging=settings.aging,
    )


def _breaker(setup: Setup) -> CircuitBreaker:
    settings = setup.settings
    return CircuitBreaker(
        name=setup.name,
        failure_threshold=settings.failure_threshold,
        reset_timeout=settings.reset_timeout,
    )
