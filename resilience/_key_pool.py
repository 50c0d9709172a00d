"""`KeyPool`: several keys, or several servers, behind one function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, Self, TypeVar

from resilience import _fork
from resilience._context import lend_permit
from resilience._core.keys import KeyRing
from resilience._core.strategies import DEFAULT
from resilience._environment import find_keys
from resilience._lease import Lease, LeaseRequest
from resilience._pool_choice import KeyChoice
from resilience._pool_entries import entries_of
from resilience._pool_layer import PoolLayer
from resilience._pool_member import LIMITS, check_limits
from resilience._pool_search import Chooser, Search, check_strategy
from resilience._rules import check, fail
from resilience._users import Users
from resilience._waiters import LoopWaiter, ThreadWaiter
from resilience._wrapper import decorate
from resilience.settings import reject_unknown

__all__ = ["KeyPool"]

P = ParamSpec("P")
R = TypeVar("R")


class KeyPool(KeyChoice):
    """Keys of one service, of which one that is throttled rests while the others work.

    A rate limit lets an entry rest for as long as the server says, else for
    `initial_retry_delay`, doubling; a rejected key (401, 403, no quota) is set aside for five
    minutes, doubling up to an hour, and then tried by one call.
    Entries that stand for different servers (`base_url`) have a circuit each: a server that is
    down is left out, and opens no circuit of its neighbours.
    No secret shows in `repr`, logs, spans, metrics, errors or `vars()`; a pool cannot be pickled.
    Thread-safe, and shared by threads and event loops.

    Args:
        keys: Names and keys, a list of keys, or one key; more by `add`. In the place of a key may
            stand a mapping: the arguments of `add`.
        strategy: "round-robin", "least-loaded", "weighted", "two-choices", "first", or a function
            of the candidates that returns one of them, or its name.
        wait: Whether to wait, within the deadline, where no entry can serve (False: refuse).
        name: The name in errors, logs and telemetry ("keys").
        initial_retry_delay: The first rest without a hint, in seconds (1).
        max_retry_delay: The longest rest without a hint, in seconds (60).
        settings: Those of `PriorityQueue` (`max_concurrent_requests` and its siblings) and of
            `CircuitBreaker`, for each entry that has none of its own: its own line, its own
            circuit. Without them there is neither, but for several servers the circuits.

    Raises:
        SettingsError: for an unknown setting or a value that breaks its rule.
    """

    def __init__(
        self,
        keys: Mapping[str, str | Mapping[str, Any] | None] | Iterable[str] | str | None = None,
        *,
        strategy: str | Chooser = DEFAULT,
        wait: bool = False,
        name: str | None = None,
        **settings: Any,
    ) -> None:
        reject_unknown(settings, LIMITS, "KeyPool")
        check("name", name)
        check("wait", wait)
        check_limits(settings, {})
        self.name = name or "keys"
        self._strategy = check_strategy(strategy)
        self._wait = wait
        self._enabled = True
        self._limits = settings
        self._ring = KeyRing()
        self._members = {}
        self.users = Users()
        self._servers = Counter()
        self.renew_after_fork()
        _fork.renew_after(self)
        for entry_name, arguments in entries_of(keys).items():
            self.add(entry_name, **arguments)

    @classmethod
    def from_env(cls, *variables: str, **settings: Any) -> Self:
        """Return a pool of all keys in the environment and the nearest `.env`.

        Args:
            variables: Names such as "OPENAI_API_KEY"; each also with `_1`, `_2`, … behind it,
                with gaps. An entry is named for its variable.

        Raises:
            MissingKeyError: if there is none; it names the variables.
        """
        given: tuple[Any, ...] = variables
        if not given or not all(isinstance(each, str) and each for each in given):
            fail("variables", "must be one or more names of environment variables", variables)
        settings.setdefault("name", variables[0])
        return cls(find_keys(variables), **settings)

    def lease(self, name: str | None = None, strategy: str | Chooser | None = None) -> LeaseRequest:
        """Return a context manager, sync and async, that gives a `Lease`.

        Args:
            name: The entry, or None for whichever the strategy chooses.
            strategy: Instead of the pool's own.

        Raises:
            NoKeyAvailableError: nobody can serve, and the pool does not wait; on entering.
        """
        return LeaseRequest(self, name, None if strategy is None else check_strategy(strategy))

    def take(self, **request: Any) -> Lease:
        """Return a lease, which the caller ends by `finish`; waits in this thread if `wait`."""
        search = Search(**request)
        while True:
            lease = self._look(search)
            if lease is None:
                waiter = ThreadWaiter()
                with self._told_of_changes(waiter):
                    if self._must_wait(search):
                        lend_permit()
                        waiter.wait(search.seconds, rests=search.rests)
                continue
            passage = lease.passage
            if passage is None:
                return lease
            try:
                passage.wait(search.tier)
                lease.confirm()
                passage.admit()
            except BaseException as error:
                lease.finish(error)
                if not self._goes_on(search, lease, error):
                    raise
            else:
                return lease

    async def take_async(self, **request: Any) -> Lease:
        """Return a lease; as `take`, but for `await`."""
        search = Search(**request)
        while True:
            lease = self._look(search)
            if lease is None:
                waiter = LoopWaiter()
                with self._told_of_changes(waiter):
                    if self._must_wait(search):
                        lend_permit()
                        await waiter.wait(search.seconds, rests=search.rests)
                continue
            passage = lease.passage
            if passage is None:
                return lease
            try:
                await passage.wait_async(search.tier)
                lease.confirm()
                passage.admit()
            except BaseException as error:
                lease.finish(error)
                if not self._goes_on(search, lease, error):
                    raise
            else:
                return lease

    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]:
        """Decorate: lease a key for each attempt and pass it as `api_key`."""
        return self.inject("api_key")(function)

    def inject(self, parameter: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Return a decorator that leases a key for each attempt and passes it as `parameter`.

        A call that brings the argument itself is left alone. On a rate limit, or where the key is
        rejected, the call goes on with another key at once: that is no retry and costs no delay.
        When every entry has failed in this call, the last real error is raised, with the earliest
        waking as `retry_after`.
        """
        check("parameter", parameter)
        layer = PoolLayer(self, parameter)
        return lambda function: decorate(function, lambda _: layer)

    def __repr__(self) -> str:
        return f"<KeyPool {self.name!r}: {', '.join(self.names())}>"
