"""An OpenTelemetry SDK of its own for each test that asks for `spans`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

__all__ = ["Spans"]


class Spans:
    """The spans that have ended, in the order of their ends."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("the test")

    def __iter__(self) -> Iterator[ReadableSpan]:
        return iter(self._exporter.get_finished_spans())

    def __len__(self) -> int:
        return len(self._exporter.get_finished_spans())

    def one(self) -> ReadableSpan:
        """The only one."""
        (span,) = self
        return span

    def named(self, name: str) -> list[ReadableSpan]:
        """Those of this name."""
        return [span for span in self if span.name == name]

    def names(self) -> list[str]:
        """Their names."""
        return [span.name for span in self]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """The spans of a provider that is the program's for the time of this test."""
    found = Spans()
    # The public setter works once in a process, and for good.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", found.provider)
    return found
