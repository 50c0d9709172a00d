"""The models of a provider, and the operations that list them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from adapters.emulator.checks import refuse
from adapters.emulator.protocol import Answer, Call, Operation, Problem, Refusal

__all__ = ["Model", "Models", "check_context", "find_model", "model_operations"]

Kind = Literal["chat", "completion", "embedding", "moderation", "transcription"]


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    Attributes:
        id: Its name.
        kind: What it can be used for.
        context: How many tokens it takes at once.
        dimensions: The length of its vectors.
        shortens: Whether its vectors may be asked for shorter.
        reasons: Whether it thinks first, which costs tokens and forbids some parameters.
        created: When it came out, in Unix seconds.
        owned_by: Whose it is.
    """

    id: str
    kind: Kind
    context: int
    dimensions: int = 0
    shortens: bool = False
    reasons: bool = False
    created: int = 1_715_367_049
    owned_by: str = "system"


Models = Mapping[str, Model]
Card = Callable[[Model], dict[str, object]]


def find_model(models: Models, name: str, kind: Kind) -> Model:
    """Find a model by its name; raises `Refusal` (404) for none, or one of another kind."""
    model = models.get(name)
    if model is None:
        raise Refusal(_unknown(name))
    if model.kind != kind:
        message = f"The model `{name}` cannot be used here: it is for {model.kind}, not for {kind}."
        raise Refusal(Problem(404, message, param="model"))
    return model


def _unknown(name: str) -> Problem:
    message = f"The model `{name}` does not exist or you do not have access to it."
    return Problem(404, message, code="model_not_found")


def check_context(model: Model, tokens: int, param: str) -> None:
    """Refuse more tokens than the model takes."""
    if tokens > model.context:
        refuse(
            f"This model's maximum context length is {model.context} tokens, but the request has "
            f"{tokens} tokens.",
            param,
            "context_length_exceeded",
        )


def _card(model: Model) -> dict[str, object]:
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
    }


def model_operations(models: Models, card: Card = _card) -> tuple[Operation, ...]:
    """Give the operations that list all models and show one, each as `card` describes it."""
    path, show = "/models/{model:path}", partial(_show, models, card)
    return (
        Operation("models", "GET", "/models", partial(_list, models, card), takes_json=False),
        Operation("model", "GET", path, show, takes_json=False),
    )


def _list(models: Models, card: Card, _call: Call) -> Answer:
    return Answer.of_json({"object": "list", "data": [card(model) for model in models.values()]})


def _show(models: Models, card: Card, call: Call) -> Answer:
    model = models.get(call.params["model"])
    if model is None:
        raise Refusal(_unknown(call.params["model"]))
    return Answer.of_json(card(model))
