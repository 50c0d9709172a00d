"""Bulk runs: an input of any size through one operation, resumable at any moment.

`bulk.run("texts.jsonl", "vectors.jsonl", provider="openai", operation="embed", …)`, or
`resilient bulk`. Needs the extra `async`.
"""

from __future__ import annotations

from adapters.bulk._records import BulkResult, BulkStoppedError, Progress
from adapters.bulk._run import run, run_async

__all__ = ["BulkResult", "BulkStoppedError", "Progress", "run", "run_async"]
