"""`resilient call`: one call of an API from a shell."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from adapters.cli._apis import ApiName, make_client, operation_named, operations_of
from adapters.cli._words import fitted, read_assignments, read_value

if TYPE_CHECKING:
    from adapters._operations import Method

__all__ = ["call"]

_HELP = """\
Call an API once, with the whole toolkit around the call, and print the answer.

Keys and addresses come from the environment and from .env: see `resilient doctor`.
Without OPERATION, lists what the API has.

\b
Each VALUE is an argument of the operation, in its order:
  text     itself; a JSON list or object where it is one
  -        what standard input holds
  @FILE    what the file holds

\b
Examples:
  resilient call openai chat gpt-4o-mini "Say hello"
  resilient call claude stream claude-sonnet-4-5 @text.txt -w max_tokens=200
  resilient call openai embed text-embedding-3-small '["one", "two"]' --json
  resilient call ollama models --client base_url=http://gpu:11434
  resilient call s3 put my-bucket notes.txt @notes.txt

Exits with 0 for an answer, 1 if there was none, 2 for bad input, 130 after Ctrl-C.
"""


@click.command(help=_HELP, short_help="Call an API once and print the answer.")
@click.argument("api", metavar="PROVIDER", type=ApiName())
@click.argument("operation", required=False)
@click.argument("values", metavar="[VALUE]...", nargs=-1)
@click.option(
    "-w",
    "--with",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="A further argument of the call, as JSON or text; may be repeated.",
)
@click.option(
    "-c",
    "--client",
    "settings",
    metavar="NAME=VALUE",
    multiple=True,
    help="A setting of the client, such as base_url=, timeout=, max_retries=; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="The whole answer as one line of JSON.")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr what was retried, and by whom.")
def call(  # noqa: PLR0917 - click hands them over by name
    api: str,
    operation: str | None,
    values: Sequence[str],
    options: Sequence[str],
    settings: Sequence[str],
    as_json: bool,  # noqa: FBT001 - click hands it over by name
    verbose: bool,  # noqa: FBT001 - click hands it over by name
) -> None:
    """Call an API once and print the answer."""
    if operation is None:
        _list_operations(api)
        return
    method = operation_named(api, operation)
    arguments = [read_value(value) for value in values]
    named = read_assignments("--with", options)
    _check(method, arguments, named)
    if verbose:
        _log_to_stderr()
    with make_client(api, settings) as client:
        try:
            answer = getattr(client, operation)(*arguments, **named)
            _show(answer, as_json=as_json)
        except (TypeError, ValueError) as error:
            if hasattr(error, "setting") or hasattr(error, "retryable"):
                raise
            raise click.UsageError(f"{operation}: {error}") from error
        if verbose:
            _summarize(client)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    for name in ("adapters", "resilience"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)


def _list_operations(api: str) -> None:
    for name, method in operations_of(api).items():
        shown = (
            each.name if each.default is each.empty else f"[{each.name}]"
            for each in method.signature.parameters.values()
            if each.kind is each.POSITIONAL_OR_KEYWORD
        )
        usage = " ".join((name, *shown))
        summary = method.doc.partition("\n")[0]
        click.echo(fitted(f"{usage:<32} {summary}".rstrip(), 33))


def _check(method: Method, arguments: list[Any], named: dict[str, Any]) -> None:
    """Refuse what does not fit the operation, before a client is made."""
    try:
        method.signature.bind(*arguments, **named)
    except TypeError as misfit:
        raise click.UsageError(f"{method.name}: {misfit}") from misfit


def _show(answer: Any, *, as_json: bool) -> None:
    from adapters._streaming import Stream  # noqa: PLC0415 - the HTTP client is slow to import
    from adapters.cli._show import show, show_events, show_items  # noqa: PLC0415

    if isinstance(answer, Stream):
        with answer:
            show_events(answer, as_json=as_json)
    elif hasattr(answer, "__next__"):
        with closing(answer):
            show_items(answer, as_json=as_json)
    else:
        show(answer, as_json=as_json)


def _summarize(client: Any) -> None:
    stats = client.get_stats()
    click.echo(
        f"{stats['latency']['max']:.2f} s, retries: {stats['retries']}, "
        f"tokens: {stats['input_tokens']} in, {stats['output_tokens']} out",
        err=True,
    )
