"""Ollama: the models of a local server, and the operations of its own API."""

from __future__ import annotations

from adapters.emulator._keys import keys_like
from adapters.emulator.ollama_style.embed import embed_operations
from adapters.emulator.ollama_style.errors import (
    authenticate,
    frame,
    headers,
    problem,
    soft_problem,
    stream_problem,
)
from adapters.emulator.ollama_style.models import OllamaModel, OllamaModels, model_operations
from adapters.emulator.ollama_style.pull import pull_operation
from adapters.emulator.ollama_style.speak import speak_operations
from adapters.emulator.protocol import Call, Provider, describe_body

__all__ = ["PROVIDER"]

_MODELS: OllamaModels = {
    model.name: model
    for model in [
        OllamaModel("llama3.2", "llama", ("completion", "tools")),
        OllamaModel("gemma3", "gemma3", ("completion", "vision"), parameters="4.3B"),
        OllamaModel("qwen3", "qwen3", ("completion", "tools", "thinking"), parameters="8.2B"),
        OllamaModel("nomic-embed-text", "nomic-bert", ("embedding",), 2_048, 768, "137M"),
        OllamaModel("all-minilm", "bert", ("embedding",), 256, 384, "23M"),
    ]
}
# These stream unless they are told not to.
_STREAMS = frozenset({"/api/chat", "/api/generate", "/api/pull"})


def _describe(call: Call) -> None:
    describe_body(call)
    call.stream = call.path in _STREAMS and call.data.get("stream") is not False


PROVIDER = Provider(
    name="ollama",
    base_path="",
    operations=(
        *speak_operations(_MODELS),
        *embed_operations(_MODELS),
        *model_operations(_MODELS),
        pull_operation(_MODELS),
    ),
    keys=keys_like("ollama-emulator-", "ollama", 32),
    authenticate=authenticate,
    problem=problem,
    stream_problem=stream_problem,
    soft_problem=soft_problem,
    headers=headers,
    describe=_describe,
    frame=frame,
    stream_type=b"application/x-ndjson",
)
