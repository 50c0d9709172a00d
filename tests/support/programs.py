"""Small programs in a process of their own: for what a test process cannot do to itself."""

from __future__ import annotations

import subprocess
import sys
import textwrap

__all__ = ["run_program"]


def run_program(*parts: str, errors: str = "") -> list[str]:
    """Run it with this Python, and return what it printed, in words.

    It must end by itself, with status 0 and nothing but `errors` on standard error. Its parts may
    be indented each in its own way.
    """
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-W", "error", "-c", "".join(map(textwrap.dedent, parts))],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (0, errors) == (done.returncode, done.stderr)
    return done.stdout.split()
