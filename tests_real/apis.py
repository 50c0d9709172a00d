"""The clients that speak OpenAI's dialect with llama.cpp's server, and the SDK beside each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import openai as sdk
import pytest

from tests.adapters.flavours import Make
from tests_real.llama import KEY, MODEL
from tests_real.servers import Server

__all__ = ["APIS", "TOOL", "Api", "nothing_is_held", "settled"]

TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "Count.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}},
            "required": ["a"],
        },
    },
}
# What is another one in each answer: ids, times, and what the server still knew of the prompt.
VOLATILE = ("id", "created", "created_at", "completed_at", "timings", "prompt_tokens_details")


@dataclass(frozen=True)
class Api:
    """One adapter.

    Attributes:
        name: Of its module.
        path: What its base URL has after the host.
        sdk_path: What the base URL of OpenAI's SDK has there for the same routes.
        prefix: Put before the names of the server's fixtures.
        takes_model: Whether a call names the model.
    """

    name: str
    path: str = ""
    sdk_path: str = "/v1"
    prefix: str = ""
    takes_model: bool = True

    def server(self, request: pytest.FixtureRequest, kind: str) -> Server:
        """The server of a kind: "llama" or "calling"."""
        plain = f"{kind}_server"
        name = f"prefixed_{plain.removeprefix('llama_')}" if self.prefix else plain
        found: Server = request.getfixturevalue(name)
        return found

    def client(self, make: Make, url: str, **settings: Any) -> Any:
        """A client of a flavour, of a server at this address."""
        settings = {"api_key": KEY, "max_retries": 0, **settings}
        return make(import_module(f"adapters.{self.name}"), base_url=url + self.path, **settings)

    def sdk(self, url: str, key: str = KEY) -> sdk.OpenAI:
        """OpenAI's own client of the same server."""
        return sdk.OpenAI(api_key=key, base_url=url + self.sdk_path, max_retries=0)

    def ask(self, method: Callable[..., Any], messages: Any, **options: Any) -> Any:
        """Call a method, with the model where it takes one."""
        return method(*([MODEL] if self.takes_model else []), messages, **options)


APIS: Mapping[str, Api] = {
    api.name: api
    for api in (
        Api("openai", path="/v1"),
        Api("llvm"),
        Api("tgi", takes_model=False),
        Api("ovms", sdk_path="/v3", prefix="/v3"),
    )
}


def settled(payload: Any) -> Any:
    """An answer without what is another one each time."""
    if isinstance(payload, list):
        return [settled(part) for part in payload]
    if isinstance(payload, dict):
        return {name: settled(part) for name, part in payload.items() if name not in VOLATILE}
    return payload


def nothing_is_held(client: Any) -> bool:
    """Whether permits, places in line and keys are all back."""
    held = client.queue.active, client.queue.size, client.keys.get_stats()["active_requests"]
    return held == (0, 0, 0)
