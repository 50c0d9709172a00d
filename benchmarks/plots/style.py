"""What all pictures share: colours, and how a picture becomes a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.harness import DEFAULT, PLAIN

__all__ = ["colour", "save"]

_OURS = {DEFAULT: "#0b5394", PLAIN: "#6fa8dc", "ours": "#0b5394"}
_OTHERS = ("#cc4125", "#e69138", "#6aa84f", "#8e7cc3", "#a64d79", "#7f6000", "#45818e", "#999999")

# Text stays text, and the names within the file depend on nothing but the picture.
_SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "benchmarks"}


def colour(label: str, number: int) -> str:
    """Return ours, whatever stands beside it, or the colour of the so many'th of the others."""
    return _OURS.get(label) or _OTHERS[number % len(_OTHERS)]


def save(figure: Figure, path: Path) -> str:
    """Write a picture, and return the name of its file."""
    with mpl.rc_context(_SETTINGS):
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    # Lines that end with blanks are no good neighbours in a repository.
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join(line.rstrip() for line in lines), encoding="utf-8")
    return path.name
