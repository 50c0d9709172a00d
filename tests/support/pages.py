"""The code blocks of the project's Markdown pages."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.support.sources import ROOT

__all__ = ["Block", "Page", "blocks_of", "pages"]

_BLOCK = re.compile(
    r"""
    (?:^\ *<!--\ *fragment:\s*(?P<reason>\S[^>]*?)\s*-->\s*\n)?    # on the line before its block
    ^(?P<indent>\ *)```\ *(?P<language>\w+)[^\n]*\n
    (?P<text>.*?)
    ^(?P=indent)```\ *$
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)
_SHELLS = {"bash", "console", "sh", "shell"}


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is where its text begins, `fragment` why it does not stand alone."""

    language: str
    text: str
    line: int
    fragment: str | None


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """Its path from the root of the project."""
        return self.path.relative_to(ROOT).as_posix()

    def blocks(self) -> list[Block]:
        """All fenced blocks that name a language, from the top."""
        return blocks_of(self.path.read_text(encoding="utf-8"))

    def programs(self) -> list[Block]:
        """The Python blocks that can be run."""
        return [
            block for block in self.blocks() if block.language == "python" and not block.fragment
        ]

    def commands(self) -> list[list[str]]:
        """The words of each command of its shell blocks, without prompts, comments and output."""
        return [
            words
            for block in self.blocks()
            if block.language in _SHELLS and not block.fragment
            for line in _command_lines(block)
            if (words := shlex.split(line, comments=True))
        ]


def blocks_of(page: str) -> list[Block]:
    """All fenced blocks of a text that name a language, from the top."""
    return [
        Block(
            language=found["language"],
            text=textwrap.dedent(found["text"]),
            line=page.count("\n", 0, found.start("text")) + 1,
            fragment=found["reason"],
        )
        for found in _BLOCK.finditer(page)
    ]


def pages() -> list[Page]:
    """README, CONTRIBUTING and everything in docs."""
    top = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    return [Page(path) for path in [*top, *sorted((ROOT / "docs").rglob("*.md"))]]


def _command_lines(block: Block) -> list[str]:
    """In a console block only lines with a prompt are typed."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return lines
