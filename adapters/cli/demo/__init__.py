"""The demo: the same work through the same storm, by hand and with the toolkit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console

from adapters import openai
from adapters.cli.demo.jobs import Job, make_jobs
from adapters.cli.demo.proof import Proof, prove
from adapters.cli.demo.race import Race
from adapters.cli.demo.senders import (
    open_client,
    plain_reason,
    plain_sender,
    toolkit_reason,
    toolkit_sender,
)
from adapters.cli.demo.storm import KEYS, OUTAGE, STORM
from adapters.cli.demo.view import Column, comparison, watch
from adapters.emulator import Emulator

__all__ = ["run"]

_WORKERS = 64  # more than there are permits, so that a queue forms
_TOO_FEW = "The jobs were done before the storm was over: more of them would meet all of it."


def run(
    console: Console, count: int, seed: int, storm: Sequence[Mapping[str, object]] = STORM
) -> bool:
    """Run both ways, show the table, and return whether the toolkit kept its promises."""
    jobs = make_jobs(count, seed)
    console.print(
        f"{count} requests (chat, streams, embeddings) to a local server with three keys: two get "
        f"throttled, one is revoked after a second, and everything fails from second {OUTAGE[0]:g} "
        f"to {OUTAGE[1]:g}."
    )
    with Emulator(seed=seed, script=storm, keys=KEYS) as server:
        plain = _plain(console, server, jobs, seed)
        server.reset()
        ours = _toolkit(console, server, jobs, seed)
    console.print(comparison([plain, ours]))
    console.print(_verdict(ours.proof))
    if ours.race.seconds < _end(storm):
        console.print(_TOO_FEW)
    return ours.proof.holds


def _end(storm: Sequence[Mapping[str, object]]) -> float:
    """Return the second in which the last trouble ends that has an end."""
    ends = [rule["to"] for rule in storm if "to" in rule]
    return max((end for end in ends if isinstance(end, int | float)), default=0)


def _plain(console: Console, server: Emulator, jobs: list[Job], seed: int) -> Column:
    race = Race(jobs, seed, _WORKERS)
    send = plain_sender(server.base_url("openai"), server.keys("openai"))
    with watch(console, "requests alone", race, lambda: _shown(race.reasons)):
        race.run(send, plain_reason)
    return Column("requests alone", race, prove(race.outcomes, server.log()), {})


def _toolkit(console: Console, server: Emulator, jobs: list[Job], seed: int) -> Column:
    race, came_back = Race(jobs, seed, _WORKERS), Counter[str]()
    with open_client(server.base_url("openai"), server.keys("openai"), len(jobs)) as client:
        send = toolkit_sender(client, lambda: came_back.update(jobs=1))
        with watch(console, "with the toolkit", race, lambda: _state(client)):
            race.run(send, toolkit_reason)
        stats = client.get_stats()
    extra = {
        "retries": str(stats["retries"]),
        "  and asked again by the program": str(came_back["jobs"]),
    }
    return Column("with the toolkit", race, prove(race.outcomes, server.log()), extra)


def _state(client: openai.Client) -> dict[str, str]:
    """Return what the live view shows of the client."""
    stats = client.get_stats()
    resting = client.keys.resting()
    keys = {name: f"rests {resting[name]:.1f} s" if name in resting else "ready" for name in KEYS}
    return {
        "circuit": str(stats["circuit_state"]),
        "keys": ", ".join(f"{name} {state}" for name, state in keys.items()),
        "in flight": f"{stats['active_requests']}, {stats['queue_size']} wait",
        "retries": str(stats["retries"]),
    }


def _shown(reasons: Mapping[str, int]) -> dict[str, str]:
    return {
        "failures": ", ".join(f"{name} {count}" for name, count in dict(reasons).items()) or "-"
    }


def _verdict(proof: Proof) -> str:
    if proof.holds:
        return (
            "The server's log agrees: every job has its one right answer, no request was repeated "
            "after it, and none was sent before the time that the server had asked to wait."
        )
    return (
        f"The server's log disagrees: {proof.lost} lost, {proof.needless} needless, "
        f"{proof.too_early} before Retry-After, {proof.unknown} unknown."
    )
