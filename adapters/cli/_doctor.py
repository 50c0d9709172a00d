"""`resilient doctor`: which keys and servers are found where, whether they answer, what to set."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from adapters.cli._apis import APIS, ApiName
from adapters.cli._words import fitted

if TYPE_CHECKING:
    from adapters.cli._checkup import Finding

__all__ = ["doctor"]

_COLOURS = {"ok": "green", "found": "green", "not set up": "yellow", "not running": "yellow"}
_ILL = frozenset({"unreachable", "rejected", "failed"})

_HELP = """\
Look for the keys and servers of each API, ask each that is set up, and say what to set.

No key is shown, only the variable that it comes from. Each server gets one request that costs
nothing, such as the list of its models, and two more at most if it is busy; with --offline none.

\b
States:
  ok            it answered
  not set up    a variable is missing
  not running   nothing was set, and nothing listens at the usual address
  unreachable   a server that was named does not answer
  rejected      it does not take the key
  failed        it answers otherwise than it should
  found         with --offline: there is what a client needs

Exits with 1 if a server is unreachable, rejects its key or fails, or an API named here is not set
up.
"""


@click.command(help=_HELP, short_help="Look for keys and servers, and say what to set.")
@click.argument("apis", metavar="[PROVIDER]...", type=ApiName(), nargs=-1)
@click.option("--offline", is_flag=True, help="Ask nobody.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each API.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=600),
    default=5.0,
    show_default=True,
    help="Seconds for each server.",
)
def doctor(
    apis: Sequence[str],
    offline: bool,  # noqa: FBT001 - click hands it over by name
    as_json: bool,  # noqa: FBT001 - click hands it over by name
    timeout: float,
) -> None:
    """Look for keys and servers, and say what to set."""
    from adapters.cli._checkup import examine  # noqa: PLC0415 - the HTTP client is slow to import
    from adapters.cli._show import to_json  # noqa: PLC0415

    if math.isnan(timeout):  # neither below nor above any bound
        raise click.BadParameter("must be a number", param_hint="--timeout")
    chosen = tuple(dict.fromkeys(apis)) or APIS
    ill = False
    with ThreadPoolExecutor(len(chosen)) as threads:
        check = partial(examine, timeout=None if offline else timeout)
        for finding in threads.map(check, chosen):
            click.echo(to_json(asdict(finding)) if as_json else _line_of(finding))
            # An API that nobody uses is in order, unless somebody asks for it by name.
            ill = ill or finding.state in _ILL or bool(apis and finding.state == "not set up")
    if ill:
        sys.exit(1)


def _line_of(finding: Finding) -> str:
    """Return it as a line, or, where somebody looks at a terminal, as lines that fit there."""
    parts = [f"{finding.api:<8}{finding.state:<14}"]
    if finding.keys:
        count = len(finding.keys)
        parts.append(f"{count} key{'' if count == 1 else 's'} ({', '.join(finding.keys)}); ")
    if finding.base_url:
        parts.append(f"{finding.base_url} ({finding.address_from}): ")
    line = "".join([*parts, finding.says])
    line = fitted(line, 22)
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return line
    colour = _COLOURS.get(finding.state, "red")
    return line.replace(finding.state, click.style(finding.state, fg=colour), 1)
