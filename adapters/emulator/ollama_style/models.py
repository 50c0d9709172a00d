"""The models of an Ollama server, and the operations that look at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from adapters.emulator.answers import digest
from adapters.emulator.checks import require
from adapters.emulator.openai_style.models import Model
from adapters.emulator.protocol import Answer, Call, Operation, Problem, Refusal

__all__ = ["VERSION", "OllamaModel", "OllamaModels", "find_model", "model_operations"]

VERSION = "0.33.0"


@dataclass(frozen=True, slots=True)
class OllamaModel:
    """One model.

    Attributes:
        name: Its name without a tag; its tag is `latest`.
        family: Its family.
        capabilities: What it can do: `completion`, `tools`, `thinking`, `vision`, `embedding`.
        context: How many tokens it takes at once.
        dimensions: The length of its vectors.
        parameters: How large it is, as people say it.
    """

    name: str
    family: str
    capabilities: tuple[str, ...] = ("completion",)
    context: int = 131_072
    dimensions: int = 0
    parameters: str = "3.2B"

    def speaker(self, *, thinks: bool) -> Model:
        """Give what the making of answers needs to know of it."""
        return Model(self.name, "chat", self.context, reasons=thinks)

    def card(self) -> dict[str, Any]:
        """Describe it as the list of models does."""
        return {
            "name": f"{self.name}:latest",
            "model": f"{self.name}:latest",
            "modified_at": "2026-11-01T10:00:00.123456789Z",
            "size": 2_019_393_189,
            "digest": digest("model", self.name, size=64),
            "details": self.details(),
        }

    def details(self) -> dict[str, Any]:
        """Say what it is made of."""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": self.family,
            "families": [self.family],
            "parameter_size": self.parameters,
            "quantization_level": "Q4_K_M",
        }


OllamaModels = Mapping[str, OllamaModel]


def find_model(models: OllamaModels, call: Call, capability: str | None = None) -> OllamaModel:
    """Find the model that a body names; raises `Refusal` for none, or one that cannot do this."""
    name = str(require(call.data, "model", "model"))
    model = models.get(name.removesuffix(":latest"))
    if model is None:
        raise Refusal(Problem(404, f"model '{name}' not found"))
    if capability is not None and capability not in model.capabilities:
        word = {"completion": "chat", "embedding": "embeddings"}.get(capability, capability)
        raise Refusal(Problem(400, f'"{name}" does not support {word}'))
    return model


def model_operations(models: OllamaModels) -> tuple[Operation, ...]:
    """Give the operations for these models."""
    show, tags, running = (partial(action, models) for action in (_show, _tags, _running))
    return (
        Operation("models", "GET", "/api/tags", tags, takes_json=False),
        Operation("running", "GET", "/api/ps", running, takes_json=False),
        Operation("show", "POST", "/api/show", show),
        Operation("version", "GET", "/api/version", _version, takes_json=False),
        Operation("health", "GET", "/", _health, takes_json=False),
        Operation("health", "HEAD", "/", _health, takes_json=False),
    )


def _tags(models: OllamaModels, _call: Call) -> Answer:
    return Answer.of_json({"models": [model.card() for model in models.values()]})


def _running(models: OllamaModels, _call: Call) -> Answer:
    cards = [
        {
            **model.card(),
            "expires_at": "2026-11-01T10:05:00.123456789Z",
            "size_vram": 0,
            "context_length": model.context,
        }
        for model in list(models.values())[:1]
    ]
    return Answer.of_json({"models": cards})


def _show(models: OllamaModels, call: Call) -> Answer:
    model = find_model(models, call)
    info = {"general.architecture": model.family, f"{model.family}.context_length": model.context}
    return Answer.of_json(
        {
            "modelfile": f"FROM {model.name}",
            "template": "{{ .Prompt }}",
            "details": model.details(),
            "model_info": info,
            "capabilities": list(model.capabilities),
            "modified_at": "2026-11-01T10:00:00.123456789Z",
        }
    )


def _version(_call: Call) -> Answer:
    return Answer.of_json({"version": VERSION})


def _health(_call: Call) -> Answer:
    return Answer(200, b"Ollama is running", content_type=b"text/plain; charset=utf-8")
