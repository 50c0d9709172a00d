"""OpenAI: its models, and which operations of its dialect it has."""

from __future__ import annotations

from adapters.emulator._keys import keys_like
from adapters.emulator.answers import count_tokens
from adapters.emulator.openai_style.chat import chat_operation
from adapters.emulator.openai_style.completions import completions_operation
from adapters.emulator.openai_style.embeddings import embeddings_operation
from adapters.emulator.openai_style.errors import (
    authenticate,
    headers,
    problem,
    soft_problem,
    stream_problem,
)
from adapters.emulator.openai_style.models import Model, Models, model_operations
from adapters.emulator.openai_style.moderations import moderations_operation
from adapters.emulator.openai_style.responses import responses_operations
from adapters.emulator.openai_style.transcriptions import describe_form, transcription_operations
from adapters.emulator.protocol import Call, Provider

__all__ = ["PROVIDER"]

_MODELS: Models = {
    model.id: model
    for model in [
        Model("gpt-4o", "chat", 128_000),
        Model("gpt-4o-mini", "chat", 128_000),
        Model("gpt-4.1", "chat", 1_047_576),
        Model("gpt-4.1-mini", "chat", 1_047_576),
        Model("gpt-4.1-nano", "chat", 1_047_576),
        Model("gpt-4", "chat", 8_192),
        Model("gpt-3.5-turbo", "chat", 16_385),
        Model("gpt-5", "chat", 400_000, reasons=True),
        Model("gpt-5-mini", "chat", 400_000, reasons=True),
        Model("gpt-5-nano", "chat", 400_000, reasons=True),
        Model("o3", "chat", 200_000, reasons=True),
        Model("o4-mini", "chat", 200_000, reasons=True),
        Model("gpt-3.5-turbo-instruct", "completion", 4_096),
        Model("davinci-002", "completion", 16_384),
        Model("babbage-002", "completion", 16_384),
        Model("text-embedding-3-small", "embedding", 8_192, dimensions=1536, shortens=True),
        Model("text-embedding-3-large", "embedding", 8_192, dimensions=3072, shortens=True),
        Model("text-embedding-ada-002", "embedding", 8_192, dimensions=1536),
        Model("omni-moderation-latest", "moderation", 32_768),
        Model("text-moderation-latest", "moderation", 32_768),
        Model("whisper-1", "transcription", 448),
        Model("gpt-4o-transcribe", "transcription", 16_000),
        Model("gpt-4o-mini-transcribe", "transcription", 16_000),
    ]
}


def _spoken_usage(_call: Call, model: Model, text: str) -> dict[str, object]:
    """Count a transcription: the oldest model by the second, the others by tokens."""
    if model.id == "whisper-1":
        return {"usage": {"type": "duration", "seconds": 2}}
    tokens = {"input_tokens": 15, "output_tokens": count_tokens(text)}
    return {"usage": {"type": "tokens", **tokens, "total_tokens": 15 + tokens["output_tokens"]}}


PROVIDER = Provider(
    name="openai",
    base_path="/v1",
    operations=(
        chat_operation(_MODELS),
        *responses_operations(_MODELS),
        embeddings_operation(_MODELS),
        completions_operation(_MODELS),
        moderations_operation(_MODELS),
        *transcription_operations(_MODELS, _spoken_usage),
        *model_operations(_MODELS),
    ),
    keys=keys_like("sk-emulator-", "openai", 32),
    authenticate=authenticate,
    problem=problem,
    stream_problem=stream_problem,
    soft_problem=soft_problem,
    headers=headers,
    describe=describe_form,
)
