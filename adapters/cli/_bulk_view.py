"""What `bulk` shows while it runs: two lines that move, or now and then a line of plain text."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

    from adapters.bulk import Progress

__all__ = ["View"]

_EVERY = 10.0  # seconds between two lines of plain text
_SLOW = 10.0  # rows per second below which a tenth is worth showing


class View:
    """Shows the progress on a console: lines that move where that is a terminal.

    Elsewhere there is a line every ten seconds, without control characters.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        is_terminal = console.is_terminal and not console.is_dumb_terminal
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if is_terminal else None
        )
        self._next = _EVERY

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, progress: Progress) -> None:
        """Show how far a run is."""
        if self._live is not None:
            self._live.update(_moving(progress, self._console.width), refresh=True)
        elif progress.seconds >= self._next:
            self._next = progress.seconds + _EVERY
            self._console.print(
                f"{_count(progress)} rows, {_facts(progress, ', ')}", soft_wrap=True
            )


def _moving(progress: Progress, width: int) -> RenderableType:
    bar = Table.grid(padding=(0, 1), expand=True)
    bar.add_column()
    bar.add_column(ratio=1)
    bar.add_column(justify="right")
    bar.add_row(
        Text(_count(progress), no_wrap=True),
        ProgressBar(total=progress.total or 0, completed=progress.done),
        Text(_left(progress), no_wrap=True),
    )
    facts = Text(_facts(progress, " · "), style="dim", no_wrap=True, overflow="ellipsis")
    # The terminal shows a ^C where the cursor stands: it must not begin another line.
    return Constrain(Group(bar, facts), width - 3)


def _count(progress: Progress) -> str:
    total = "" if progress.total is None else f" of {progress.total:,}"
    return f"{progress.done:,}{total}"


def _left(progress: Progress) -> str:
    eta = progress.eta
    left = "-:--:--" if eta is None else str(timedelta(seconds=round(eta)))
    return f"ETA {left}"


def _facts(progress: Progress, separator: str) -> str:
    """The important ones first: a narrow terminal cuts off the last."""
    rate = f"{progress.rate:,.{0 if progress.rate >= _SLOW else 1}f} rows/s"
    facts = [rate]
    if progress.waiting:
        facts.append(f"waiting {progress.waiting:.0f} s")
    facts += [
        f"{progress.active} of {progress.limit} at once",
        f"{progress.failed:,} failed",
        f"{progress.retries:,} retries",
        f"{progress.tokens:,} tokens",
    ]
    if separator == ", ":
        facts.append(_left(progress))
    return separator.join(facts)
