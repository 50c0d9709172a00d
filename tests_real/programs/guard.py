"""Runs a command until it ends, or until whoever started this is gone: GRACE COMMAND...

Its standard input is the leash: when that closes, even because a test run was killed, the command
is asked to end. It and whatever it has started are killed `GRACE` seconds later.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys

INTERVAL = 0.2  # seconds between two looks at the command


def main(grace: str, *command: str) -> int:
    """Run the command; return its exit code."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            while process.poll() is None and not has_closed(sys.stdin.fileno()):
                pass
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(float(grace))
        finally:
            # Also what the command has left behind where it has ended by itself.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def has_closed(leash: int) -> bool:
    """Look for a moment whether the other end of the leash is gone."""
    return bool(select.select([leash], [], [], INTERVAL)[0]) and not os.read(leash, 1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
