"""The models of Gemini, and the operations that list them page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from adapters.emulator.checks import refuse
from adapters.emulator.openai_style.models import Model
from adapters.emulator.protocol import Answer, Call, Operation, Problem, Refusal

__all__ = ["VERSIONS", "GeminiModel", "GeminiModels", "check_version", "find_model", "routes"]

VERSIONS = ("v1", "v1beta")
_MOST, _USUAL = 1000, 50


@dataclass(frozen=True, slots=True)
class GeminiModel:
    """One model.

    Attributes:
        id: Its name, without `models/`.
        methods: What it can do.
        context: How many tokens it takes at once.
        output: How many tokens it gives at most.
        thinks: Whether it thinks first unless it is told not to.
        draws: Whether it answers with a picture.
        dimensions: The length of its vectors.
    """

    id: str
    methods: tuple[str, ...] = ("generateContent", "countTokens", "batchGenerateContent")
    context: int = 1_048_576
    output: int = 65_536
    thinks: bool = True
    draws: bool = False
    dimensions: int = 0

    def speaker(self, *, thinks: bool) -> Model:
        """Give what the making of answers needs to know of it."""
        return Model(self.id, "chat", self.context, reasons=thinks)


GeminiModels = Mapping[str, GeminiModel]


def check_version(call: Call) -> str:
    """Give the version in the path; raises `Refusal` (404) for one that there is not."""
    version = call.params["version"]
    if version not in VERSIONS:
        raise Refusal(Problem(404))
    return version


def find_model(models: GeminiModels, call: Call, method: str) -> GeminiModel:
    """Find the model in the path; raises `Refusal` (404) for none, or one that cannot do this."""
    version = check_version(call)
    name = call.params["model"]
    model = models.get(name)
    if model is None or method not in model.methods:
        message = (
            f"models/{name} is not found for API version {version}, or is not supported for "
            f"{method}. Call ModelService.ListModels to see the list of available models and "
            "their supported methods."
        )
        raise Refusal(Problem(404, message))
    return model


def routes(models: GeminiModels) -> tuple[Operation, ...]:
    """Give the operations that list all models and show one."""
    path = "/{version}/models"
    return (
        Operation("models", "GET", path, partial(_list, models), takes_json=False),
        Operation("model", "GET", path + "/{model}", partial(_show, models), takes_json=False),
    )


def _list(models: GeminiModels, call: Call) -> Answer:
    check_version(call)
    query = {name: values[-1] for name, values in parse_qs(call.query.decode()).items()}
    size, token = query.get("pageSize", str(_USUAL)), query.get("pageToken", "0")
    if not size.isdecimal():
        refuse("must be a whole number", "pageSize", "invalid_type")
    if not token.isdecimal():
        refuse("The page token is invalid.")
    start, stop = int(token), int(token) + min(int(size) or _USUAL, _MOST)
    cards = [_card(model) for model in models.values()]
    more = {"nextPageToken": str(stop)} if stop < len(cards) else {}
    return Answer.of_json({"models": cards[start:stop], **more})


def _show(models: GeminiModels, call: Call) -> Answer:
    check_version(call)
    model = models.get(call.params["model"])
    if model is None:
        message = f"Model is not found: models/{call.params['model']}"
        raise Refusal(Problem(404, message))
    return Answer.of_json(_card(model))


def _card(model: GeminiModel) -> dict[str, Any]:
    return {
        "name": f"models/{model.id}",
        "version": "001",
        "displayName": model.id.replace("-", " ").title(),
        "inputTokenLimit": model.context,
        "outputTokenLimit": model.output,
        "supportedGenerationMethods": list(model.methods),
    }
