"""Pulling a model: its progress line by line, or the end of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

from adapters.emulator.answers import digest
from adapters.emulator.checks import Check, boolean, check_body, require, string
from adapters.emulator.ollama_style.errors import frame
from adapters.emulator.ollama_style.models import OllamaModels
from adapters.emulator.protocol import Answer, Call, Operation, Problem, Refusal, to_json

__all__ = ["pull_operation"]

_BODY: Mapping[str, Check] = {"model": string(), "insecure": boolean, "stream": boolean}
_TOTAL, _STEPS = 2_019_377_376, 4
_MISSING = "pull model manifest: file does not exist"


def pull_operation(models: OllamaModels) -> Operation:
    """Give the operation; there is nothing to pull but these models."""
    return Operation("pull", "POST", "/api/pull", partial(_pull, models))


def _pull(models: OllamaModels, call: Call) -> Answer:
    check_body(call.data, _BODY, (), open_ended=True)
    name = str(require(call.data, "model", "model")).removesuffix(":latest")
    if not call.stream:
        if name not in models:
            raise Refusal(Problem(500, _MISSING))
        return Answer.of_json({"status": "success"})
    lines = tuple(frame(to_json(line)) for line in _progress(name, known=name in models))
    return Answer(events=lines, content_type=call.provider.stream_type)


def _progress(name: str, *, known: bool) -> Iterator[dict[str, object]]:
    """Give all lines; that there is no such model comes out when the status was sent long ago."""
    yield {"status": "pulling manifest"}
    if not known:
        yield {"error": _MISSING}
        return
    layer = digest("layer", name, size=64)
    head: dict[str, object] = {
        "status": f"pulling {layer[:12]}",
        "digest": f"sha256:{layer}",
        "total": _TOTAL,
    }
    yield head
    for step in range(1, _STEPS + 1):
        yield {**head, "completed": _TOTAL * step // _STEPS}
    for status in ("verifying sha256 digest", "writing manifest", "success"):
        yield {"status": status}
