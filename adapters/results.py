"""What the clients give, by name: for annotations, and for those who match on types.

Each is a frozen record, but for the two streams. All share the fields of `Result`.
"""

from __future__ import annotations

from adapters._messages import Headers, Result, StreamEvent, ToolCall, Usage
from adapters._results import (
    Answer,
    Documents,
    Embeddings,
    Health,
    Info,
    Models,
    Moderations,
    Picture,
    Predictions,
    Rankings,
    RawAnswer,
    Scores,
    SparseEmbeddings,
    Tensors,
    TokenCount,
    Tokens,
    Transcription,
)
from adapters._s3_results import (
    Bucket,
    Buckets,
    Deleted,
    DeletedMany,
    Listed,
    ObjectInfo,
    StoredObject,
    Undeleted,
    Written,
)
from adapters._streaming import AsyncStream, Stream

__all__ = [
    "Answer",
    "AsyncStream",
    "Bucket",
    "Buckets",
    "Deleted",
    "DeletedMany",
    "Documents",
    "Embeddings",
    "Headers",
    "Health",
    "Info",
    "Listed",
    "Models",
    "Moderations",
    "ObjectInfo",
    "Picture",
    "Predictions",
    "Rankings",
    "RawAnswer",
    "Result",
    "Scores",
    "SparseEmbeddings",
    "StoredObject",
    "Stream",
    "StreamEvent",
    "Tensors",
    "TokenCount",
    "Tokens",
    "ToolCall",
    "Transcription",
    "Undeleted",
    "Usage",
    "Written",
]
