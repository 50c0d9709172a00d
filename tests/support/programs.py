"""Programs that are run in a process of their own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

__all__ = ["output_of"]


def output_of(*parts: str, errors: str = "") -> list[str]:
    """The words that a program prints; it must end well, and write these lines as errors.

    Its parts may be indented each in its own way.
    """
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", "".join(map(textwrap.dedent, parts))],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (0, errors) == (done.returncode, done.stderr)
    return done.stdout.split()
