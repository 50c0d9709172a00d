"""The controls of a running emulator, below `/_emulator`: what `Emulator` in Python talks to.

| request | does |
|---|---|
| GET `/log?since=N` | the records from number N on |
| GET `/providers` | base URL and keys of each provider |
| POST `/reset` | forget the log and what was stored, begin clock and script anew |
| PUT `/script` | put the rules of the body, a JSON list, in the place of the script |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from adapters.emulator._errors import describe_error, settings_error
from adapters.emulator.faults import read_rules
from adapters.emulator.registry import PROVIDERS

if TYPE_CHECKING:
    from starlette.requests import Request

    from adapters.emulator.protocol import Provider
    from adapters.emulator.state import EmulatorState

__all__ = ["control_routes", "describe_providers"]


def describe_providers(state: EmulatorState, origin: str) -> list[dict[str, object]]:
    """Give for each provider what a client has to know: name, base URL and keys.

    Where a key has several parts they stand under `credentials` as well.
    """
    return [
        {
            "provider": name,
            "base_url": f"{origin}/{name}{provider.base_path}",
            "keys": state.keys[name],
            **_credentials(provider, state.keys[name]),
        }
        for name, provider in PROVIDERS.items()
    ]


def _credentials(provider: Provider, keys: Mapping[str, str]) -> dict[str, object]:
    parts = provider.credentials
    return {"credentials": {n: parts(n, keys[n]) for n in keys}} if parts else {}


def control_routes(state: EmulatorState) -> list[Route]:
    """Give the routes that control a state."""

    async def log(request: Request) -> JSONResponse:
        since = request.query_params.get("since", "0")
        if not since.isdecimal():
            return _refused("since", "must be a whole number, at least 0", since)
        return JSONResponse(state.log.as_json(int(since)))

    async def providers(request: Request) -> JSONResponse:
        origin = f"http://{request.headers.get('host', '127.0.0.1')}"
        return JSONResponse(describe_providers(state, origin))

    async def reset(_request: Request) -> JSONResponse:
        state.reset()
        return JSONResponse({})

    async def script(request: Request) -> JSONResponse:
        try:
            rules = await request.json()
        except ValueError:
            rules = None
        if not isinstance(rules, list):
            return _refused("script", "must be a JSON list of rules", rules)
        try:
            state.play(read_rules(rules))
        except ValueError as error:
            return JSONResponse(describe_error(error), status_code=400)
        return JSONResponse({})

    return [
        Route("/log", log, methods=["GET"]),
        Route("/providers", providers, methods=["GET"]),
        Route("/reset", reset, methods=["POST"]),
        Route("/script", script, methods=["PUT"]),
    ]


def _refused(setting: str, rule: str, value: object) -> JSONResponse:
    return JSONResponse(describe_error(settings_error(setting, rule, value)), status_code=400)
