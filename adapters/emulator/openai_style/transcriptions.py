"""Transcription of a sound file: the text belongs to the bytes, whatever they sound like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from adapters.emulator._forms import FormField, read_form
from adapters.emulator.answers import digest, expected_answer
from adapters.emulator.checks import refuse
from adapters.emulator.openai_style.models import Model, Models, find_model
from adapters.emulator.protocol import Answer, Call, Operation, describe_body

__all__ = ["describe_form", "heard", "transcription_operations"]

# Gives the members that a provider adds to the answer.
Extra = Callable[[Call, Model, str], dict[str, Any]]

_FIELDS = frozenset(
    {"file", "url", "model", "language", "prompt", "response_format", "temperature"}
) | {"timestamp_granularities", "include", "chunking_strategy", "stream"}
_FORMATS = ("json", "text", "verbose_json")
_SECONDS = 1.5


def describe_form(call: Call) -> None:
    """Read model and stream from the body, be it JSON or a form."""
    describe_body(call)
    if call.model is None and (found := read_form(call).get("model")):
        call.model = found[0].text


def heard(content: bytes, *, seed: int) -> str:
    """Give the text that a sound file is transcribed to."""
    return expected_answer(f"sound {digest(content.hex())}", seed=seed)


def transcription_operations(models: Models, extra: Extra) -> tuple[Operation, ...]:
    """Give the operations for these models: one keeps the language, one translates."""
    path = "/audio/"
    answer = partial(_transcribe, models, extra)
    return (
        Operation("transcriptions", "POST", f"{path}transcriptions", answer, takes_json=False),
        Operation("translations", "POST", f"{path}translations", answer, takes_json=False),
    )


def _transcribe(models: Models, extra: Extra, call: Call) -> Answer:
    form = {name.removesuffix("[]"): values for name, values in read_form(call).items()}
    for name in form.keys() - _FIELDS:
        refuse(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    if "model" not in form:
        refuse("you must provide a model parameter", "model", "missing_required_parameter")
    model = find_model(models, form["model"][0].text, "transcription")
    text = heard(_sound(form), seed=call.seed)
    shape = form["response_format"][0].text if "response_format" in form else "json"
    if shape not in _FORMATS:
        allowed = ", ".join(f"'{each}'" for each in _FORMATS)
        refuse(f"'response_format' must be one of {allowed}.", "response_format", "invalid_value")
    if shape == "text":
        return Answer(200, f"{text}\n".encode(), content_type=b"text/plain; charset=utf-8")
    details = _details(call, text) if shape == "verbose_json" else {}
    return Answer.of_json({**details, "text": text, **extra(call, model, text)})


def _sound(form: Mapping[str, list[FormField]]) -> bytes:
    given = form.get("file") or form.get("url")
    if not given or not given[0].content:
        refuse("one of file or url must be provided", "file", "missing_required_parameter")
    return given[0].content


def _details(call: Call, text: str) -> dict[str, Any]:
    segment = {
        "id": 0,
        "seek": 0,
        "start": 0.0,
        "end": _SECONDS,
        "text": text,
        "tokens": [1, 2, 3],
        "temperature": 0.0,
        "avg_logprob": -0.1,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }
    task = "translate" if call.operation == "translations" else "transcribe"
    head = {"task": task, "language": "english", "duration": _SECONDS}
    return {**head, "segments": [segment]}
