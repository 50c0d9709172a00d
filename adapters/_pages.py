"""Lists that come page by page, made one result. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters._results import Models
from adapters.errors import InvalidResponseError

__all__ = ["checked_cursor", "joined_models"]


def checked_cursor(cursor: str, seen: set[str]) -> str:
    """Return where the next page begins, and remember it.

    Raises:
        InvalidResponseError: if a page began there before: the list would never end.
    """
    if cursor in seen:
        msg = "the pages of the list go round in circles"
        raise InvalidResponseError(msg)
    seen.add(cursor)
    return cursor


def joined_models(pages: Sequence[Models]) -> Models:
    """Make one result of all pages: `raw` is a list where there are several."""
    if len(pages) == 1:
        return pages[0]
    return replace(
        pages[0],
        names=tuple(name for page in pages for name in page),
        raw=[page.raw for page in pages],
        attempts=sum(page.attempts for page in pages),
    )
