"""What an expression of PromQL asks for, as a parser that others wrote reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

import promql_parser as promql

__all__ = ["Asked", "asked_by"]

# What Grafana puts in place of its variables.
_VALUES = {"$__rate_interval": "1m", "$job": ".*", "$name": ".*", "$pool": ".*", "$model": ".*"}


@dataclass
class Asked:
    """The series, each with the labels that it is chosen by, and the labels that sums keep."""

    series: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)


def asked_by(expression: str) -> Asked:
    """Read an expression.

    Raises:
        ValueError: It is none.
    """
    for variable, value in _VALUES.items():
        expression = expression.replace(variable, value)
    asked = Asked()

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.MatrixSelector):
            node = node.vector_selector
        if isinstance(node, promql.VectorSelector):
            matchers = {each.name: each.value for each in node.matchers.matchers}
            asked.series.append((node.name, matchers))
        elif isinstance(node, promql.AggregateExpr) and node.modifier:
            asked.kept.update(node.modifier.labels)

    promql.walk(promql.parse(expression), pre_visit=visit)
    return asked
