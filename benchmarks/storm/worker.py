"""One contestant in a process of its own, which ends with the race: its callers may be waiting.

`python -m benchmarks.storm.worker LABEL ADDRESS KEYS SEED SECONDS` says "ready" when it is,
begins when it gets a line, and prints what its callers came to as one line of JSON.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading
import time
from dataclasses import asdict, replace

from adapters.emulator import expected_answer
from benchmarks.storm.count import Count
from benchmarks.storm.plain import Ask
from benchmarks.storm.senders import SENDERS, pause_after
from benchmarks.storm.weather import CALLERS

__all__ = ["race"]


def race(ask: Ask, seed: int, seconds: float) -> Count:
    """Let all callers ask one question after the other, until the time is over.

    A program gives no job up: a caller whose call fails waits as long as the error says, or else
    for a second, and asks the same again.
    """
    count, lock, numbers = Count(began=time.monotonic()), threading.Lock(), itertools.count()

    def call() -> None:
        for number in numbers:
            prompt, asked = f"Question {number}", time.monotonic()
            while (answer := _answer(ask, prompt, count, lock)) is None:
                pass
            now = time.monotonic()
            if now > count.began + seconds:
                return
            with lock:
                count.wrong += answer != expected_answer(prompt, seed=seed)
                count.answered.append(now - count.began)
                count.waits.append(now - asked)

    for _ in range(CALLERS):
        threading.Thread(target=call, daemon=True).start()
    time.sleep(seconds)
    with lock:
        return replace(
            count,
            answered=count.answered.copy(),
            waits=count.waits.copy(),
            failed=count.failed.copy(),
        )


def _answer(ask: Ask, prompt: str, count: Count, lock: threading.Lock) -> str | None:
    """Return the answer, or None after the pause that follows a failure."""
    try:
        return ask(prompt)
    except Exception as error:
        name = type(error).__name__
        with lock:
            count.failed[name] = count.failed.get(name, 0) + 1
        time.sleep(pause_after(error))
        return None


def main(label: str, address: str, keys: str, seed: str, seconds: str) -> None:
    """Take part in one race."""
    ask = SENDERS[label](address, json.loads(keys))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asdict(race(ask, int(seed), float(seconds)))), flush=True)
    os._exit(0)  # callers that wait would hold the end up


if __name__ == "__main__":
    main(*sys.argv[1:])
