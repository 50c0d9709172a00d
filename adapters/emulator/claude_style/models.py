"""The models of Claude, and the operations that list them page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn
from urllib.parse import parse_qs

from adapters.emulator.checks import refuse
from adapters.emulator.claude_style.errors import check_version
from adapters.emulator.openai_style.models import Model
from adapters.emulator.protocol import Answer, Call, Operation, Problem, Refusal

__all__ = ["ClaudeModel", "ClaudeModels", "find_model", "model_operations"]

_MOST, _USUAL = 1000, 20


@dataclass(frozen=True, slots=True)
class ClaudeModel:
    """One model.

    Attributes:
        id: Its name.
        display_name: Its name for people.
        line: Its line, such as `opus`.
        created_at: When it came out.
        context: How many tokens it takes at once.
        most_tokens: How many tokens it gives at most.
        fixed_sampling: Whether it has no temperature to choose, whatever the version.
        lifecycle: `active`, `deprecated` or `retired`.
    """

    id: str
    display_name: str
    line: str
    created_at: str
    context: int = 200_000
    most_tokens: int = 64_000
    fixed_sampling: bool = True
    lifecycle: str = "active"

    def speaker(self, *, thinks: bool) -> Model:
        """Give what the making of answers needs to know of it."""
        return Model(self.id, "chat", self.context, reasons=thinks)


ClaudeModels = Mapping[str, ClaudeModel]


def find_model(models: ClaudeModels, name: str) -> ClaudeModel:
    """Find a model by its name; raises `Refusal` (404) for none."""
    return models[name] if name in models else _unknown(name)


def _unknown(name: str) -> NoReturn:
    raise Refusal(Problem(404, f"model: {name}"))


def model_operations(models: ClaudeModels) -> tuple[Operation, ...]:
    """Give the operations that list all models and show one."""
    path = "/v1/models"
    return (
        Operation("models", "GET", path, partial(_list, models), takes_json=False),
        Operation("model", "GET", path + "/{model:path}", partial(_show, models), takes_json=False),
    )


def _list(models: ClaudeModels, call: Call) -> Answer:
    check_version(call)
    query = {name: values[-1] for name, values in parse_qs(call.query.decode()).items()}
    limit = _limit(query.get("limit", str(_USUAL)))
    names = list(models)
    after, before = query.get("after_id"), query.get("before_id")
    for cursor in filter(None, (after, before)):
        find_model(models, cursor)
    if before is not None:
        earlier = names[: names.index(before)]
        page, more = earlier[-limit:], len(earlier) > limit
    else:
        later = names[names.index(after) + 1 :] if after is not None else names
        page, more = later[:limit], len(later) > limit
    return Answer.of_json(
        {
            "data": [_card(models[name]) for name in page],
            "has_more": more,
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
        }
    )


def _limit(given: str) -> int:
    if not given.isdecimal() or not 1 <= int(given) <= _MOST:
        refuse(f"Input should be a number from 1 to {_MOST}", "limit", "invalid_value")
    return int(given)


def _show(models: ClaudeModels, call: Call) -> Answer:
    check_version(call)
    return Answer.of_json(_card(find_model(models, call.params["model"])))


def _card(model: ClaudeModel) -> dict[str, Any]:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "line": model.line,
        "created_at": model.created_at,
        "lifecycle": model.lifecycle,
        "max_input_tokens": model.context,
        "max_tokens": model.most_tokens,
    }
