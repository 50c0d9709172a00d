"""Diagrams as SVG: states and the ways between them, and who says what to whom.

They bring their own colours, light and dark, and need neither script nor network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Arc", "Message", "Node", "sequence", "states"]

_STYLE = """<style>
text { font: 14px system-ui, sans-serif; fill: #24292f; text-anchor: middle }
.box { fill: #eef2ff; stroke: #4051b5; stroke-width: 1.5 }
.line, .arrow { fill: none; stroke: #57606a; stroke-width: 1.5 }
.arrow { marker-end: url(#head) } .answer { stroke-dasharray: 5 4 } .life { stroke: #c8ccd2 }
.note { fill: #fff8c5; stroke: #d4a72c } .small { font-size: 13px } #head path { fill: #57606a }
@media (prefers-color-scheme: dark) {
  text { fill: #e6e6e9 } .box { fill: #2b3050; stroke: #8c9eff }
  .line, .arrow { stroke: #a9b0bb } #head path { fill: #a9b0bb } .life { stroke: #555b66 }
  .note { fill: #3d3718; stroke: #d4a72c }
}
</style><defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8"
markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z"/></marker></defs>"""
_LANE, _STEP, _TOP = 112, 34, 60  # pixels


@dataclass(frozen=True)
class Node:
    """A state, and where its middle is."""

    name: str
    x: int
    y: int


@dataclass(frozen=True)
class Arc:
    """A way from one state to another.

    Attributes:
        source: The name of the state that it leaves.
        target: The name of the state that it leads to.
        path: The line, as SVG writes it.
        label: Where its text has its middle.
        reasons: The text, one a line.
    """

    source: str
    target: str
    path: str
    label: tuple[int, int]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Message:
    """What one says to another; a note where they are the same, dashed where it is an answer."""

    source: str
    target: str
    text: str
    is_answer: bool = False


def states(title: str, size: tuple[int, int], nodes: Iterable[Node], arcs: Iterable[Arc]) -> str:
    """Draw a machine; the first state has a dot before it."""
    parts: list[str] = []
    for arc in arcs:
        parts.append(f'<path class="arrow" d="{arc.path}"/>')
        for number, reason in enumerate(arc.reasons):
            parts.append(_text(arc.label[0], arc.label[1] + 18 * number, reason, "small"))
    for number, node in enumerate(nodes):
        if number == 0:
            parts.append(f'<circle cx="{node.x - 90}" cy="{node.y}" r="6" class="box"/>')
            parts.append(f'<path class="arrow" d="M{node.x - 84} {node.y}H{node.x - 55}"/>')
        parts.append(_box(node.x, node.y, node.name))
    return _picture(title, *size, parts)


def sequence(title: str, lanes: Sequence[str], messages: Sequence[Message]) -> str:
    """Draw who says what to whom, from the top down."""
    middle = {lane: _LANE // 2 + _LANE * number for number, lane in enumerate(lanes)}
    height = _TOP + _STEP * (len(messages) + 1)
    parts = [f'<path class="line life" d="M{x} 40V{height}"/>' for x in middle.values()]
    parts += [_box(x, 22, lane) for lane, x in middle.items()]
    for number, message in enumerate(messages):
        y = _TOP + _STEP * (number + 1)
        here, there = middle[message.source], middle[message.target]
        if here == there:
            width = 8 * len(message.text) + 16
            left = min(max(4, here - width // 2), _LANE * len(lanes) - width - 4)
            parts.append(
                f'<rect class="note" x="{left}" y="{y - 17}" width="{width}" height="24" rx="3"/>'
            )
            parts.append(_text(left + width // 2, y, message.text, "small"))
        else:
            kind = "arrow answer" if message.is_answer else "arrow"
            parts.append(f'<path class="{kind}" d="M{here} {y}H{there}"/>')
            parts.append(_text((here + there) // 2, y - 6, message.text, "small"))
    return _picture(title, _LANE * len(lanes), height + 10, parts)


def _picture(title: str, width: int, height: int, parts: Iterable[str]) -> str:
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", _STYLE, *parts, "</svg>\n"])


def _box(x: int, y: int, name: str) -> str:
    rect = f'<rect class="box" x="{x - 52}" y="{y - 18}" width="104" height="36" rx="8"/>'
    return f"{rect}{_text(x, y + 5, name)}"


def _text(x: int, y: int, text: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{style}>{escape(text)}</text>'
