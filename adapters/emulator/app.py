"""The emulator as an ASGI application: providers below their names, controls below `/_emulator`."""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount, Route

from adapters.emulator.answers import digest
from adapters.emulator.control import control_routes
from adapters.emulator.plans import make_plan
from adapters.emulator.protocol import Answer, Call, Operation, Problem, Provider, Refusal
from adapters.emulator.registry import PROVIDERS
from adapters.emulator.wire import deliver

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from adapters.emulator.plans import Plan
    from adapters.emulator.records import LogRecord
    from adapters.emulator.state import EmulatorState

__all__ = ["make_app"]


def make_app(state: EmulatorState) -> Starlette:
    """Make the application for a state."""
    endpoints = {f"/{provider.name}": _Endpoint(provider, state) for provider in PROVIDERS.values()}
    return Starlette(
        routes=[
            *(_mounted(path, endpoint) for path, endpoint in endpoints.items()),
            # A base URL without a path is asked as it is: some servers answer there.
            *(Route(path, endpoint=endpoint) for path, endpoint in endpoints.items()),
            Mount("/_emulator", routes=control_routes(state)),
        ]
    )


def _mounted(path: str, endpoint: _Endpoint) -> Mount:
    """Return the route of all that is below a path; keys of objects may have line feeds."""
    mount = Mount(path, app=endpoint)
    mount.path_regex = re.compile(mount.path_regex.pattern, re.DOTALL)
    return mount


class _Endpoint:
    """All routes of one provider.

    A class and not a route for each operation: errors of routing speak the provider's language.
    """

    def __init__(self, provider: Provider, state: EmulatorState) -> None:
        self._provider = provider
        self._state = state
        self._root = f"/{provider.name}{provider.base_path}"
        self._home = "" if provider.base_path else "/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = time.monotonic()
        state = self._state
        path = scope["path"]
        record = state.log.open(round(state.now(), 6), self._provider.name, scope["method"], path)
        try:
            body = await _body(receive)
            if body is not None:
                plan = self._plan(self._call(scope, body, record), record)
                await deliver(plan, record, scope, receive, send)
        finally:
            state.log.close(record, time.monotonic() - arrived)

    def _call(self, scope: Scope, body: bytes, record: LogRecord) -> Call:
        path = scope["path"]
        call = Call(
            self._provider,
            scope["method"],
            (path[len(self._root) :] or self._home) if path.startswith(self._root) else "",
            dict(scope["headers"]),
            body,
            scope["query_string"],
            self._state.seed,
            record.index,
            f"req_{digest('request', self._state.seed, record.index, size=32)}",
            target=scope["raw_path"],
            memory=self._state.memory[self._provider.name],
        )
        if body and "json" in (call.header("content-type") or "json"):
            call.data = _json_object(body)
        self._provider.describe(call)
        return call

    def _plan(self, call: Call, record: LogRecord) -> Plan:
        """Decide on everything that does not need to wait, and note it."""
        refusal: Refusal | None = None
        operation: Operation | None = None
        try:
            operation = self._provider.route(call)
        except Refusal as error:
            refusal = error
        try:
            call.key = self._provider.authenticate(call, self._state.keys[self._provider.name])
        except Refusal as error:  # a stranger hears nothing about routes
            refusal = error
        verdict = self._state.script.decide(call, self._state.script_time(), time.time())
        _note(record, call)
        if verdict.rule is not None:
            record.fault = verdict.rule.fault
        record.retry_after, record.too_early = verdict.retry_after, verdict.too_early

        def answer() -> Answer:
            try:
                if refusal is not None or operation is None:
                    raise refusal or Refusal(Problem(404))
                return _answered(operation, call)
            except Refusal as error:
                return self._provider.problem(error.problem, call)

        return make_plan(call, verdict, answer, time.time())


def _answered(operation: Operation, call: Call) -> Answer:
    if operation.takes_json and not call.data:
        raise Refusal(Problem(400, "The body of the request is no JSON object."))
    return operation.answer(call)


def _note(record: LogRecord, call: Call) -> None:
    record.operation, record.key = call.operation, call.key
    record.model, record.stream = call.model, call.stream
    record.client_request_id = call.header("x-client-request-id") or None
    record.request_id = call.request_id
    record.digest = hashlib.blake2b(call.body, digest_size=8).hexdigest()


async def _body(receive: Receive) -> bytes | None:
    """Read the whole body; None where the client left in the middle of it."""
    parts = []
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _json_object(body: bytes) -> dict[str, object]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
