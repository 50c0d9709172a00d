"""No test shows a secret: whatever leaves the toolkit in any of them is looked through.

A plugin of pytest. It learns every secret that is handed to a key pool or a client, and looks for
it in what is printed and logged, in spans, metrics, events, statistics and reports, in pickles, and
in the toolkit's own errors that a test expects. A test in which one shows has failed.

Only secrets of a recognisable form count, at least twelve characters with a letter and a digit and
no white space, since a key such as "made up" stands in many a sentence. A test that shows its
secrets on purpose says so by the marker `shows_secrets`.
"""

from __future__ import annotations

import functools
import pickle
import re
from collections.abc import Callable, Generator
from typing import Any

import pytest

from resilience import _secrets
from resilience.telemetry.statistics import Totals

__all__ = ["Watch", "pytest_configure", "pytest_runtest_makereport", "pytest_unconfigure"]

RECOGNISABLE = re.compile(r"(?=.*[A-Za-z])(?=.*[0-9])\S{12,}")
OURS = ("adapters", "resilience")
WATCH = pytest.StashKey["Watch"]()


class Watch:
    """Knows the secrets, and where one was seen since somebody asked."""

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.seen: list[str] = []
        self._undo: list[Callable[[], None]] = []

    def remember(self, secret: str) -> None:
        """Look for this from now on, if it can be told from ordinary words."""
        if RECOGNISABLE.fullmatch(secret):
            self.secrets.add(secret)

    def look(self, where: str, text: object) -> None:
        """Take note if a secret is in this text, or in these bytes."""
        text = text.decode("latin-1") if isinstance(text, bytes) else str(text)
        for secret in self.secrets:
            if secret in text:
                self.seen.append(f"{where} shows the key {_secrets.fingerprint(secret)}")

    def take(self) -> list[str]:
        """Return where secrets were seen, each place once, and forget it."""
        seen, self.seen = list(dict.fromkeys(self.seen)), []
        return seen

    def tap(self, owner: Any, name: str, hear: Callable[..., None]) -> None:
        """Call `hear` with the result and the arguments of each call of this function."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def tapped(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            hear(result, *args)
            return result

        setattr(owner, name, tapped)
        self._undo.append(lambda: setattr(owner, name, function))

    def begin(self) -> None:
        """Listen wherever something leaves the toolkit."""
        from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self.tap(_secrets, "remember", lambda _, secret: self.remember(secret))
        self.tap(pickle, "dumps", lambda result, *_: self.look("a pickle", result))
        self.tap(Totals, "as_dict", lambda result, *_: self.look("a report", result))
        self.tap(InMemorySpanExporter, "export", self._hear_spans)
        self.tap(InMemoryLogRecordExporter, "export", self._hear_records)
        self.tap(InMemoryMetricReader, "get_metrics_data", self._hear_metrics)
        self.tap(type(pytest.raises(KeyError)), "__exit__", self._hear_error)

    def end(self) -> None:
        """Listen no more."""
        while self._undo:
            self._undo.pop()()

    def _hear_spans(self, _: object, __: object, spans: Any) -> None:
        for span in spans:
            self.look("a span", span.to_json())

    def _hear_records(self, _: object, __: object, records: Any) -> None:
        for record in records:
            self.look("an event", record.to_json())

    def _hear_metrics(self, metrics: Any, _: object) -> None:
        # Its JSON holds no more, and takes 60 ms: each level is written and read anew.
        for each in () if metrics is None else metrics.resource_metrics:
            self.look("a metric", f"{each.resource.attributes} {each.scope_metrics}")

    def _hear_error(self, _: object, __: object, *raised: Any) -> None:
        error = raised[1]
        if type(error).__module__.partition(".")[0] in OURS:
            self.look("an error", f"{error} {error!r} {vars(error)}")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to listen; once, however often this plugin is registered."""
    if WATCH not in config.stash:
        config.addinivalue_line("markers", "shows_secrets: a test that shows keys on purpose")
        config.stash[WATCH] = Watch()
        config.stash[WATCH].begin()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave everything as it was."""
    config.stash[WATCH].end()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let a test fail in which a secret showed."""
    report = yield
    watch = item.config.stash[WATCH]
    for title, text in report.sections:
        if title.endswith(report.when):  # those of the phases before have been looked at
            watch.look(title, text)
    seen = watch.take()
    if seen and report.passed and item.get_closest_marker("shows_secrets") is None:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} leaks a secret: {'; '.join(seen)}"
    return report
