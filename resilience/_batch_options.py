"""The settings of `@batched`, checked once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

from resilience._record import record
from resilience._rules import check_all
from resilience.settings import reject_unknown

__all__ = ["BatchOptions"]


@record
class BatchOptions:
    """What the user chose; `batched` documents it."""

    max_batch_size: int = 8
    batch_timeout: float = 0.1
    key: Callable[..., Any] | None = None
    enable_batching: bool = True
    on_error: Literal["raise", "split"] = "raise"
    max_concurrent_batches: int | None = None

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the options for a decorator's settings.

        Raises:
            SettingsError: for an unknown setting or a value that breaks its rule.
        """
        reject_unknown(settings, cls.__dataclass_fields__, "batched")
        check_all(dict(settings))
        return cls(**settings)

    @property
    def most_workers(self) -> int:
        """How many batches of submitted items run at once: by default as `ThreadPoolExecutor`."""
        return self.max_concurrent_batches or min(32, (os.cpu_count() or 1) + 4)
