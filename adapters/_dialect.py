"""How one API speaks the dialect of OpenAI: data, for `_openai_style` to read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resilience._record import record

__all__ = ["Dialect"]


@record
class Dialect:
    """Where servers of this dialect differ.

    Attributes:
        chat_path: And the others: relative to the base URL.
        embedding_format: Asked for where the caller asks for none. base64 is a quarter of the size
            of JSON numbers, and what OpenAI's own client asks for.
        stream_options: Sent with a stream where the caller sends none: without them OpenAI reports
            no usage for a stream.
        max_inputs: The most inputs that one request for embeddings may have.
        max_documents: The most documents that one request for a ranking may have.
    """

    chat_path: str = "chat/completions"
    completions_path: str = "completions"
    embeddings_path: str = "embeddings"
    moderations_path: str = "moderations"
    models_path: str = "models"
    rerank_path: str = "rerank"
    responses_path: str = "responses"
    transcriptions_path: str = "audio/transcriptions"
    embedding_format: str | None = "base64"
    stream_options: Mapping[str, Any] | None = None
    max_inputs: int = 2048
    max_documents: int = 1000
