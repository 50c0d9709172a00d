"""Claude: its models, and the operations of its API."""

from __future__ import annotations

from adapters.emulator._keys import keys_like
from adapters.emulator.claude_style.errors import (
    authenticate,
    headers,
    problem,
    soft_problem,
    stream_problem,
)
from adapters.emulator.claude_style.messages import message_operations
from adapters.emulator.claude_style.models import ClaudeModel, ClaudeModels, model_operations
from adapters.emulator.protocol import Provider, describe_body

__all__ = ["PROVIDER"]

_LARGE = 1_000_000

_MODELS: ClaudeModels = {
    model.id: model
    for model in [
        ClaudeModel("claude-opus-5-5", "Claude Opus 5.5", "opus", "2026-09-01T00:00:00Z", _LARGE),
        ClaudeModel("claude-sonnet-5-5", "Claude Sonnet 5.5", "sonnet", "2026-09-01T00:00:00Z"),
        ClaudeModel("claude-haiku-5-5", "Claude Haiku 5.5", "haiku", "2026-09-15T00:00:00Z"),
        ClaudeModel("claude-opus-4-8", "Claude Opus 4.8", "opus", "2026-05-01T00:00:00Z"),
        ClaudeModel("claude-opus-4-7", "Claude Opus 4.7", "opus", "2026-04-14T00:00:00Z"),
        ClaudeModel(
            "claude-sonnet-4-5",
            "Claude Sonnet 4.5",
            "sonnet",
            "2025-09-29T00:00:00Z",
            fixed_sampling=False,
        ),
        ClaudeModel(
            "claude-haiku-4-5",
            "Claude Haiku 4.5",
            "haiku",
            "2025-10-15T00:00:00Z",
            fixed_sampling=False,
        ),
    ]
}


PROVIDER = Provider(
    name="claude",
    base_path="",
    operations=(*message_operations(_MODELS), *model_operations(_MODELS)),
    keys=keys_like("sk-ant-emulator-", "claude", 32),
    authenticate=authenticate,
    problem=problem,
    stream_problem=stream_problem,
    soft_problem=soft_problem,
    headers=headers,
    describe=describe_body,
)
