"""Ask several replicas of a vLLM server as if they were one.

    python examples/replicas.py http://gpu-1:8000/v1 http://gpu-2:8000/v1 < prompts.txt

Each line of the input is a prompt. A call goes to the less busy of two replicas; one that is down
is left out after three failures, probed every thirty seconds, and its calls go to the others.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from adapters import llvm
from resilience import KeyPool

MODEL = "Qwen/Qwen3-8B"
EACH = 16  # requests that one replica works on at a time


def pool_of(addresses: list[str]) -> KeyPool:
    pool = KeyPool(name="replicas", strategy="two-choices", failure_threshold=3, reset_timeout=30)
    for number, address in enumerate(addresses, start=1):
        pool.add(f"replica-{number}", None, base_url=address, max_concurrent_requests=EACH)
    return pool


def main(addresses: list[str]) -> None:
    replicas, at_once = pool_of(addresses), EACH * len(addresses)
    with (
        llvm.Client(keys=replicas, max_concurrent_requests=at_once) as client,
        ThreadPoolExecutor(at_once) as threads,
    ):
        for answer in threads.map(lambda line: client.chat(MODEL, line.strip()), sys.stdin):
            print(answer.text)
    for name, stats in replicas.get_stats()["endpoints"].items():
        print(name, stats["circuit_state"], stats["successful_requests"], file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1:])
