"""The diagrams of the documentation: `python -m tests.docs.diagrams` draws them anew.

That of the circuit breaker holds what the machine itself does when everything is done to it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from resilience._core.breaker import Breaker, Transition
from resilience._core.breaker_states import BreakerRules
from tests.docs.drawing import Arc, Message, Node, sequence, states
from tests.support.sources import ROOT

__all__ = ["DIAGRAMS", "circuit", "transitions"]

IMAGES = ROOT / "docs" / "images"
_DEPTH = 6  # steps that are tried one after another
_RULES = (
    BreakerRules(failure_threshold=2, reset_timeout=1),
    BreakerRules(failure_threshold=None, failure_rate=0.5, minimum_calls=2, reset_timeout=1),
    BreakerRules(failure_threshold=None, slow_call_rate=0.5, minimum_calls=2, reset_timeout=1),
)
# Where the line of each way runs, and where its text stands.
_PLACES = {
    ("CLOSED", "OPEN"): ("M156 92H248", (200, 20)),
    ("OPEN", "HALF-OPEN"): ("M288 111L222 239", (208, 145)),
    ("HALF-OPEN", "OPEN"): ("M249 258Q322 255 314 112", (302, 278)),
    ("HALF-OPEN", "CLOSED"): ("M178 239L108 111", (74, 190)),
}


def transitions() -> set[Transition]:
    """Do everything to a breaker in every order, and return what it has changed to and why."""
    found: set[Transition] = set()
    for rules in _RULES:
        for steps in product(_STEPS, repeat=_DEPTH):
            breaker = Breaker(rules)
            for now, step in enumerate(steps):
                step(breaker, float(now))
            found.update(breaker.transitions)
    return found


def _end(breaker: Breaker, now: float, *, failed: bool, slow: bool) -> None:
    permit = breaker.admit(now)
    if permit is not None:
        breaker.record(permit, failed=failed, now=now, slow=slow)


_STEPS: tuple[Callable[[Breaker, float], None], ...] = (
    lambda breaker, now: _end(breaker, now, failed=False, slow=False),
    lambda breaker, now: _end(breaker, now, failed=False, slow=True),
    lambda breaker, now: _end(breaker, now, failed=True, slow=False),
)


def circuit() -> str:
    """Draw the circuit breaker."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for each in sorted(transitions()):
        reasons.setdefault((each.source, each.target), []).append(each.reason)
    nodes = [Node("CLOSED", 102, 92), Node("OPEN", 302, 92), Node("HALF-OPEN", 194, 258)]
    arcs = [
        Arc(source, target, *_PLACES[source, target], tuple(texts))
        for (source, target), texts in reasons.items()
    ]
    return states("The states of a circuit breaker", (356, 290), nodes, arcs)


def order() -> str:
    """Draw a call that meets a rate limit, an outage, and at last an answer."""
    lanes = ("Program", "Retry", "Key pool", "Queue", "Breaker", "Server")
    messages = (
        Message("Program", "Retry", "call"),
        Message("Retry", "Key pool", "lease"),
        Message("Key pool", "Queue", "a permit?"),
        Message("Queue", "Breaker", "may I?"),
        Message("Breaker", "Server", "request, key 1"),
        Message("Server", "Breaker", "429, wait 20 s", is_answer=True),
        Message("Breaker", "Breaker", "no failure: a rate limit"),
        Message("Breaker", "Key pool", "the permit is back", is_answer=True),
        Message("Key pool", "Key pool", "key 1 rests for 20 s"),
        Message("Key pool", "Queue", "old place"),
        Message("Queue", "Breaker", "may I?"),
        Message("Breaker", "Server", "request, key 2"),
        Message("Server", "Breaker", "503", is_answer=True),
        Message("Breaker", "Breaker", "one failure"),
        Message("Breaker", "Retry", "permit and key are back", is_answer=True),
        Message("Retry", "Retry", "sleeps, holding nothing"),
        Message("Retry", "Key pool", "lease"),
        Message("Key pool", "Server", "request, key 2"),
        Message("Server", "Program", "answer", is_answer=True),
    )
    return sequence("What happens in one call", lanes, messages)


DIAGRAMS = {"circuit.svg": circuit, "order.svg": order}

if __name__ == "__main__":
    for name, draw in DIAGRAMS.items():
        (IMAGES / name).write_text(draw(), "utf-8")
