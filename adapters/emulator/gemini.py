"""Gemini: its models, and the operations of its API in both versions."""

from __future__ import annotations

import re

from adapters.emulator._keys import keys_like
from adapters.emulator.gemini_style.embed import embed_operations
from adapters.emulator.gemini_style.errors import (
    authenticate,
    frame,
    headers,
    problem,
    soft_problem,
    stream_problem,
)
from adapters.emulator.gemini_style.generate import generate_operations
from adapters.emulator.gemini_style.models import GeminiModel, GeminiModels, routes
from adapters.emulator.protocol import Call, Provider

__all__ = ["PROVIDER"]

_EMBEDS = ("embedContent", "countTokens", "asyncBatchEmbedContent")

_MODELS: GeminiModels = {
    model.id: model
    for model in [
        GeminiModel("gemini-3-pro"),
        GeminiModel("gemini-3-flash"),
        GeminiModel("gemini-2.5-pro"),
        GeminiModel("gemini-2.5-flash"),
        GeminiModel("gemini-2.5-flash-lite", thinks=False),
        GeminiModel("gemini-2.5-flash-image", thinks=False, draws=True, output=32_768),
        GeminiModel("gemini-2.0-flash", thinks=False, output=8_192),
        GeminiModel("gemini-embedding-001", _EMBEDS, 2_048, 1, thinks=False, dimensions=3_072),
        GeminiModel("gemini-embedding-2", _EMBEDS, 8_192, 1, thinks=False, dimensions=3_072),
    ]
}
_PATH = re.compile(r"/[^/]+/models/([^/:]+):(\w+)\Z")


def _describe(call: Call) -> None:
    """Read model and stream from the path."""
    if found := _PATH.match(call.path):
        call.model = found[1]
        call.stream = found[2] == "streamGenerateContent"


PROVIDER = Provider(
    name="gemini",
    base_path="",
    operations=(
        *generate_operations(_MODELS),
        *embed_operations(_MODELS),
        *routes(_MODELS),
    ),
    keys=keys_like("AIza-emulator-", "gemini", 25),
    authenticate=authenticate,
    problem=problem,
    stream_problem=stream_problem,
    soft_problem=soft_problem,
    headers=headers,
    describe=_describe,
    frame=frame,
    stream_type=b"text/event-stream",
    waits_in_body=True,
)
