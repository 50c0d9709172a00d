"""The command `demo`."""

from __future__ import annotations

import sys

import click

__all__ = ["demo"]


@click.command(short_help="Watch calls survive a storm, beside the plain way.")
@click.option(
    "--requests",
    "count",
    default=2_000,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many jobs each way gets.",
)
@click.option("--seed", default=7, show_default=True, help="Fixes the jobs and the faults.")
def demo(count: int, seed: int) -> None:
    """Send the same work through the same storm twice: by hand, and with the toolkit.

    A local emulator of the OpenAI API throttles two keys, revokes the third, fails for four
    seconds, cuts streams and truncates answers. Then every API is asked through some trouble. The
    figures of the tables are those of the server's log.

    Exits with 1 if the toolkit lost a job, or sent a request of the storm without need.
    """
    from rich.console import Console  # noqa: PLC0415 - a command imports what it needs

    from adapters.cli.demo import run  # noqa: PLC0415
    from adapters.cli.demo.tour import tour  # noqa: PLC0415

    console = Console()
    kept = run(console, count, seed), tour(console, seed)
    if not all(kept):
        sys.exit(1)
