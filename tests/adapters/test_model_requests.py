"""What a request asks of a model is read from its body, whatever an API calls it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters._messages import Request
from adapters._model_requests import asked_of_model

R = "gen_ai.request."
EVERYTHING = {
    f"{R}max_tokens": 9,
    f"{R}temperature": 1.0,
    f"{R}top_p": 0.5,
    f"{R}top_k": 3,
    f"{R}seed": 7,
    f"{R}frequency_penalty": 0.1,
    f"{R}presence_penalty": 0.2,
    f"{R}stop_sequences": ["a", "b"],
    f"{R}choice.count": 2,
}
SAMPLING = {"temperature": 1, "top_p": 0.5, "top_k": 3, "seed": 7}
PENALTIES = {"frequency_penalty": 0.1, "presence_penalty": 0.2}

BODIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "openai": (
        {"max_completion_tokens": 9, **SAMPLING, **PENALTIES, "stop": ["a", "b"], "n": 2},
        EVERYTHING,
    ),
    "openai, one choice, one word": (
        {"n": 1, "stop": "a", "reasoning_effort": "low", "response_format": {"type": "text"}},
        {f"{R}stop_sequences": ["a"], f"{R}reasoning.level": "low", "gen_ai.output.type": "text"},
    ),
    "openai, speech": ({"modalities": ["text", "audio"]}, {"gen_ai.output.type": "speech"}),
    "openai, text": ({"modalities": ["text"]}, {"gen_ai.output.type": "text"}),
    "openai, JSON": (
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        {"gen_ai.output.type": "json"},
    ),
    "responses": (
        {
            "max_output_tokens": 9,
            "reasoning": {"effort": "high"},
            "previous_response_id": "resp_1",
            "conversation": {"id": "conv_1"},
            "text": {"format": {"type": "json_object"}},
        },
        {
            f"{R}max_tokens": 9,
            f"{R}reasoning.level": "high",
            f"{R}previous_response.id": "resp_1",
            "gen_ai.conversation.id": "conv_1",
            "gen_ai.output.type": "json",
        },
    ),
    "claude": (
        {
            "max_tokens": 9,
            "stop_sequences": ["a"],
            "output_config": {"effort": "max", "format": {"type": "json_schema"}},
        },
        {
            f"{R}max_tokens": 9,
            f"{R}stop_sequences": ["a"],
            f"{R}reasoning.level": "max",
            "gen_ai.output.type": "json",
        },
    ),
    "gemini": (
        {
            "generationConfig": {
                "maxOutputTokens": 9,
                "temperature": 1,
                "topP": 0.5,
                "topK": 3,
                "seed": 7,
                "frequencyPenalty": 0.1,
                "presencePenalty": 0.2,
                "stopSequences": ["a", "b"],
                "candidateCount": 2,
                "responseMimeType": "application/json",
                "thinkingConfig": {"thinkingLevel": "LOW"},
            }
        },
        {**EVERYTHING, f"{R}reasoning.level": "LOW", "gen_ai.output.type": "json"},
    ),
    "gemini, a picture": (
        {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}},
        {"gen_ai.output.type": "image"},
    ),
    "gemini, vectors": (
        {"requests": [{"content": {}, "outputDimensionality": 64}]},
        {"gen_ai.embeddings.dimension.count": 64},
    ),
    "ollama": (
        {"options": {"num_predict": 9, **SAMPLING, "stop": ["a"]}, "format": {}, "think": "low"},
        {
            f"{R}max_tokens": 9,
            f"{R}temperature": 1.0,
            f"{R}top_p": 0.5,
            f"{R}top_k": 3,
            f"{R}seed": 7,
            f"{R}stop_sequences": ["a"],
            f"{R}reasoning.level": "low",
        },
    ),
    "ollama, JSON": ({"format": "json", "think": True}, {"gen_ai.output.type": "json"}),
    "tgi": (
        {"inputs": "", "parameters": {"max_new_tokens": 9, "seed": 7, "grammar": {"type": "json"}}},
        {f"{R}max_tokens": 9, f"{R}seed": 7, "gen_ai.output.type": "json"},
    ),
    "embeddings": (
        {"dimensions": 8, "encoding_format": "base64"},
        {"gen_ai.embeddings.dimension.count": 8, f"{R}encoding_formats": ["base64"]},
    ),
    "nonsense": (
        {
            "max_tokens": "9",
            "temperature": True,
            "seed": 1.5,
            "stop": [1],
            "n": None,
            "modalities": [1, {}],
            "conversation": {"id": 3},
            "options": "x",
            "requests": [1],
            "messages": [{"content": "temperature"}],
        },
        {},
    ),
}


def request(body: bytes | None, content_type: str = "application/json") -> Request:
    """A request with this body."""
    return Request(operation="chat", method="POST", path="x", body=body, content_type=content_type)


@pytest.mark.parametrize(("body", "expected"), BODIES.values(), ids=BODIES)
def test_the_fields_of_every_api_have_one_name(body: dict[str, Any], expected: dict[str, Any]):
    """In the types of the conventions; what has another type is left out."""
    assert expected == asked_of_model(request(json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (None, "application/json"),
        (b"{", "application/json"),
        (b"[1]", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"seed": 1}', "multipart/form-data"),
    ],
)
def test_a_body_that_is_no_object_asks_nothing(body: bytes | None, kind: str):
    """A form, a list, and what is no JSON at all."""
    assert {} == asked_of_model(request(body, kind))
