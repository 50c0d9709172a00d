"""Small programs in a process of their own: for what a test process cannot do to itself."""

from __future__ import annotations

import subprocess
import sys
import textwrap

__all__ = ["run_program"]


def run_program(text: str) -> list[str]:
    """Run it with this Python, and return what it printed, in words.

    It must end by itself, with status 0 and nothing on standard error.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.split()
