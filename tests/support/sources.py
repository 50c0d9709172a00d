"""The source files of the two packages, parsed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

__all__ = ["ROOT", "Source", "sources"]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Source:
    """One file, named by its path from the root of the project."""

    path: str

    @cached_property
    def text(self) -> str:
        """What stands in it."""
        return (ROOT / self.path).read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text)

    @property
    def module(self) -> str:
        """The name under which it is imported."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def is_public(self) -> bool:
        """Whether there is more than a docstring, under a name without leading underscores."""
        hidden = any(part.startswith("_") for part in self.module.split("."))
        return not hidden and len(self.tree.body) > 1

    @cached_property
    def imports(self) -> frozenset[str]:
        """Full names of all modules that it imports, anywhere in the file."""
        return frozenset(self._imports())

    def _imports(self) -> Iterator[str]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                module = self._absolute(node)
                yield module
                yield from (f"{module}.{alias.name}" for alias in node.names)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = self.path.removesuffix(".py").split("/")[: -node.level]
        return ".".join([*parts, *filter(None, [node.module])])

    @cached_property
    def exported(self) -> list[str] | None:
        """The names in `__all__`, or None where there is none."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and "__all__" in map(ast.unparse, node.targets):
                return list(ast.literal_eval(node.value))
        return None

    @cached_property
    def defined(self) -> frozenset[str]:
        """Public names of the classes, functions and values that the module itself makes."""
        names: set[str] = set()
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.Assign):
                names.update(_bound(node.targets))
            elif isinstance(node, ast.AnnAssign):
                names.update(_bound([node.target]))
        return frozenset(name for name in names if not name.startswith("_"))


def sources(*packages: str) -> list[Source]:
    """Every file of these folders, in the order of their names."""
    return [
        Source(path.relative_to(ROOT).as_posix())
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
    ]


def _bound(targets: list[ast.expr]) -> Iterator[str]:
    for target in targets:
        yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
