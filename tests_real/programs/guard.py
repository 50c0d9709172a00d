"""Runs a command until it ends, or until whoever started this is gone; then ends all of it.

Its standard input is the leash: when that closes, even because a test run was killed, the command
and whatever it has started are stopped.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys

INTERVAL = 0.2  # seconds between two looks at the command
GRACE = 5.0  # seconds to end in good order


def main() -> int:
    """Run the command that the arguments give; return its exit code."""
    with subprocess.Popen(
        sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True
    ) as process:
        while process.poll() is None:
            readable, _, _ = select.select([sys.stdin], [], [], INTERVAL)
            if readable and not sys.stdin.buffer.read(1):
                stop(process)
        return process.returncode


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, then end it and all that it has started."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


if __name__ == "__main__":
    sys.exit(main())
