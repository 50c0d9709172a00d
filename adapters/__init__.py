"""Thin clients of model APIs, each with the whole resilience stack around every call.

`from adapters import openai`, then `openai.chat(…)` or `openai.Client(…)`. A module is loaded when
it is first asked for; loading reads no file of keys and opens no connection.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapters import (
        bulk,
        claude,
        errors,
        gemini,
        groq,
        llvm,
        ollama,
        opea,
        openai,
        ovms,
        results,
        s3,
        tei,
        tgi,
    )
    from adapters._fallback import fallback

__all__ = [
    "bulk",
    "claude",
    "errors",
    "fallback",
    "gemini",
    "groq",
    "llvm",
    "ollama",
    "opea",
    "openai",
    "ovms",
    "results",
    "s3",
    "tei",
    "tgi",
]


def __getattr__(name: str) -> Any:
    """Load one of the modules, or the one function that belongs to no API."""
    if name == "fallback":
        return import_module("adapters._fallback").fallback
    if name in __all__:
        return import_module(f"adapters.{name}")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
