"""One job of many rows, in a storm, killed with -9 at random moments: what is left of it?"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from adapters.emulator import Emulator

__all__ = ["FAULTS", "Survival", "survive", "write_input"]

FAULTS = (
    "500:rate=0.01",
    "reset:rate=0.005",
    "429:rate=0.0005,retry_after=1",
    "slow:rate=0.01,delay=0.5",
)
_LOOK = 0.05  # seconds


@dataclass(frozen=True)
class Survival:
    """What became of a job.

    Attributes:
        rows: How many the input had.
        kills: After how many results the runs were killed.
        results: How many lines the output has.
        missing: How many rows have none.
        doubled: How many rows have more than one.
        failed: How many are errors.
        in_order: Whether they stand in the order of the input.
        repeated: How many requests were answered again though they had been answered.
        requests: How many requests the server saw.
        seconds: How long all runs took.
        peak: The most memory that a run held, in MiB.
    """

    rows: int
    kills: list[int]
    results: int
    missing: int
    doubled: int
    failed: int
    in_order: bool
    repeated: int
    requests: int
    seconds: float
    peak: float


def write_input(path: Path, rows: int) -> None:
    """Write so many texts."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            file.write(json.dumps({"id": f"row-{number}", "text": f"Text number {number}."}) + "\n")


def survive(folder: Path, rows: int, kills: int, seed: int) -> Survival:
    """Run the job to its end, through so many kills."""
    source, output, log = folder / "in.jsonl", folder / "out.jsonl", folder / "requests.jsonl"
    write_input(source, rows)
    moments = sorted(random.Random(seed).sample(range(rows // 20, rows * 19 // 20), kills))
    began, peak = time.monotonic(), 0.0
    with Emulator(seed=seed, faults=FAULTS, log=log) as server:
        for moment in [*moments, rows + 1]:
            peak = max(peak, _run(server, source, output, moment))
        seconds = time.monotonic() - began
    return _verdict(rows, moments, output, log, seconds, peak)


def _run(server: Emulator, source: Path, output: Path, moment: int) -> float:
    """Run the command until there are so many results; return the most MiB that it held."""
    keys = {f"OPENAI_API_KEY_{n}": key for n, key in enumerate(server.keys().values(), 1)}
    command = [sys.executable, "-m", "adapters", "bulk", str(source), "-o", str(output)]
    command += ["--provider", "openai", "--operation", "embed", "--column", "text"]
    command += ["--model", "text-embedding-3-small", "--with", "dimensions=16"]
    environment = {**os.environ, **keys, "OPENAI_BASE_URL": server.base_url()}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
    counted, position, peak = 0, 0, 0.0
    part = output.with_name(f"{output.name}.part")
    while process.poll() is None:
        time.sleep(_LOOK)
        peak = max(peak, _peak_of(process.pid))
        if part.exists() and part.stat().st_size > position:
            with part.open("rb") as file:
                file.seek(position)
                chunk = file.read()
            counted, position = counted + chunk.count(b"\n"), position + len(chunk)
        if counted >= moment:
            process.kill()
            process.wait()
    return peak


def _peak_of(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(found[0]) / 1024 if found else 0.0


def _verdict(
    rows: int, moments: list[int], output: Path, log: Path, seconds: float, peak: float
) -> Survival:
    counts, failed, numbers = Counter[int](), 0, []
    with output.open("rb") as file:
        for line in file:
            result = json.loads(line)
            counts[result["row"]] += 1
            numbers.append(result["row"])
            failed += not result["ok"]
    answered, requests = Counter[str](), 0
    with log.open("rb") as file:
        for line in file:
            record = json.loads(line)
            requests += 1
            answered[record["digest"]] += record["status"] == 200
    return Survival(
        rows=rows,
        kills=moments,
        results=len(numbers),
        missing=rows - len(counts),
        doubled=sum(count > 1 for count in counts.values()),
        failed=failed,
        in_order=numbers == sorted(numbers),
        repeated=sum(count - 1 for count in answered.values() if count > 1),
        requests=requests,
        seconds=seconds,
        peak=peak,
    )
