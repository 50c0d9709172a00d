"""`python -m adapters emulate`: the emulator from a shell."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import click

from adapters.cli._variables import variables_in
from adapters.emulator._errors import describe_error
from adapters.emulator.faults import read_rules, read_script
from adapters.emulator.process import require_extra

__all__ = ["emulate"]


_HELP = """\
Serve the providers' protocols on this machine, with faults on demand.

When it is ready it prints a line of JSON for each provider (provider, base_url, keys), and
serves until SIGTERM, SIGINT or, with --exit-with-parent, the end of its input.

\b
SPEC is FAULT or FAULT:NAME=VALUE,NAME=VALUE,...
\b
Faults and their options:
  400 to 599    that status: retry_after=S, retry_after_as=seconds|ms|date,
                code=, message=, should_retry=true|false
  quota         429, the account is used up: the same options
  limit         each key may send requests=N in window=S; beyond it 429 with a
                Retry-After that holds: retry_after_as=, grace=S
  slow          delay=S before the answer, interval=S between its parts
  hang          no answer until the client leaves, or for timeout=S
  reset         the connection is reset
  truncated     only the part keep=0.5 of the body arrives
  broken_json   no JSON; in a stream, after=K events
  wrong_type    JSON of another shape=list|string|number|null|object
  empty         status 200, no body; a stream without events
  html          an error page: status=502
  cut           a stream ends after=K events, how=close|reset|hang|clean;
                after=-1,how=clean leaves out the end marker alone
  stream_error  an error in a stream after=K events: status=500, code=
  error_in_200  an error in an answer with status 200: status=500, code=
  redirect      to another host: location=URL, status=307
All take delay=S. They strike whenever all conditions that are given hold:
  from=S, to=S          seconds since the start
  key=, provider=, operation=, model=, stream=true|false
  nth=N, every=N, first=N   of the requests that meet the conditions above
  rate=0.1              of them, chosen by the seed
\b
Examples:
  resilient emulate --fault 429:rate=0.1,retry_after=2 --fault hang:rate=0.01
  resilient emulate --fault 401:key=backup,from=5 --fault 503:from=10,to=14
  resilient emulate --fault limit:key=production,requests=20,window=2
  resilient emulate --fault cut:after=3,every=5 --seed 7 --log requests.jsonl
A script of the same: [{"fault": "429", "rate": 0.1, "retry_after": 2}, ...]
"""


@contextmanager
def _input_of(option: str) -> Generator[None, None, None]:
    """Turn an error in what the user gave into one that names the option."""
    try:
        yield
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


@click.command(help=_HELP, short_help="Serve the APIs' protocols here, with faults on demand.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port on 127.0.0.1; 0 (the default) takes a free one.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    help="Answers, keys and chance are made from it; equal seeds give equal runs.",
)
@click.option(
    "--fault",
    "faults",
    metavar="SPEC",
    multiple=True,
    help="A fault and when it strikes, see below; may be repeated, the first that matches strikes.",
)
@click.option(
    "--script",
    metavar="FILE",
    help="More rules: a JSON list of mappings, or [[rules]] in a file named .toml.",
)
@click.option(
    "--key",
    "keys",
    metavar="NAME=SECRET",
    multiple=True,
    help="A key that is good; may be repeated. Default: two made from the seed.",
)
@click.option("--log", metavar="FILE", help="Write a line of JSON for each request that has ended.")
@click.option(
    "--env",
    metavar="FILE",
    help="Write addresses and keys there as variables, such as to .env; it is removed at the end.",
)
@click.option(
    "--exit-with-parent",
    is_flag=True,
    help="Stop when standard input ends; for programs that start the emulator with a pipe.",
)
def emulate(  # noqa: PLR0917 - click hands them over by name
    port: int,
    seed: int,
    faults: Sequence[str],
    script: str | None,
    keys: Sequence[str],
    log: str | None,
    env: str | None,
    exit_with_parent: bool,  # noqa: FBT001 - click hands it over by name
) -> None:
    """Serve the providers' protocols on this machine, with faults on demand."""
    with _input_of("--fault"):
        rules = read_rules(faults)
    with _input_of("--script"):
        scripted = read_script(script) if script is not None else []
    named = _read_keys(keys)
    try:
        require_extra()
    except ModuleNotFoundError as error:
        raise click.ClickException(str(error)) from error

    # Only now: they need the extra, and half a second.
    from adapters.emulator._launch import Launch, serve  # noqa: PLC0415
    from adapters.emulator.state import check_names, keys_of  # noqa: PLC0415

    for option, found in (("--fault", rules), ("--script", scripted)):
        with _input_of(option):
            check_names(found, keys_of(seed, named))
    launch = Launch(
        rules=[*rules, *scripted],
        seed=seed,
        keys=named,
        port=port,
        log=log,
        exit_with_parent=exit_with_parent,
    )
    try:
        with variables_in(env) as write:

            def ready(providers: list[dict[str, object]]) -> None:
                write(providers)
                _announce(providers)

            serve(launch, ready)
    except ValueError as error:
        option = f"--{describe_error(error)['setting']}"
        raise click.BadParameter(str(error), param_hint=option) from error


def _read_keys(pairs: Sequence[str]) -> dict[str, str] | None:
    keys: dict[str, str] = {}
    for pair in pairs:
        name, _, secret = pair.partition("=")
        if not name or not secret or name in keys:
            # The value may be a secret after all: only the name is repeated.
            message = f"must be NAME=SECRET, each name once; wrong at {name!r}"
            raise click.BadParameter(message, param_hint="--key")
        keys[name] = secret
    return keys or None


def _announce(providers: list[dict[str, object]]) -> None:
    for provider in providers:
        click.echo(json.dumps(provider))
