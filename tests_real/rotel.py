"""rotel: a collector of OpenTelemetry, which prints every span, point and log record it gets."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests_real.servers import environment, free_port, started

__all__ = [
    "Point",
    "Printed",
    "PrintedMetric",
    "PrintedRecord",
    "PrintedSpan",
    "Rotel",
    "read",
    "serving",
]

ASK = """
import sysconfig
print(sysconfig.get_config_var("LIBDIR"))
print(sysconfig.get_path("purelib"))
"""
_ATTRIBUTE = re.compile(r"-> ([\w.]+): (Str|Int|Double|Bool|Slice|Array)\((.*)\)$")
_KINDS = {"true": "counter", "false": "up_down_counter"}


@dataclass
class PrintedSpan:
    """A span; ids are hexadecimal, that of a parent is empty where there is none."""

    name: str = ""
    kind: str = ""
    status: str = ""
    trace: str = ""
    id: str = ""
    parent: str = ""
    scope: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@dataclass
class Point:
    """A point of a metric: a value, or the counts of a histogram's buckets."""

    attributes: dict[str, Any] = field(default_factory=dict)
    value: float = 0.0
    count: int = 0
    bounds: list[float] = field(default_factory=list)
    buckets: list[int] = field(default_factory=list)


@dataclass
class PrintedMetric:
    """A metric as it came in one export."""

    scope: str = ""
    name: str = ""
    unit: str = ""
    description: str = ""
    kind: str = ""
    temporality: str = ""
    points: list[Point] = field(default_factory=list)


@dataclass
class PrintedRecord:
    """A log record."""

    name: str = ""
    severity: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Printed:
    """What was printed."""

    resource: dict[str, Any] = field(default_factory=dict)
    spans: list[PrintedSpan] = field(default_factory=list)
    metrics: list[PrintedMetric] = field(default_factory=list)
    records: list[PrintedRecord] = field(default_factory=list)


@dataclass(frozen=True)
class Rotel:
    """A collector that listens: its addresses, and the file that it prints to."""

    http: str
    grpc: str
    log: Path

    def address(self, protocol: str) -> str:
        """Where it takes this protocol."""
        return self.grpc if protocol == "grpc" else self.http


@contextmanager
def serving(folder: Path) -> Iterator[Rotel]:
    """Collect, and hand nothing on."""
    python = [environment() / "bin" / "python", "-c", ASK]
    libraries, packages = subprocess.run(
        python, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    http, grpc = free_port(), free_port()
    command = [
        Path(packages) / "rotel" / "rotel-agent",
        "start",
        "--exporter=blackhole",
        "--debug-log=traces",
        "--debug-log=metrics",
        "--debug-log=logs",
        "--debug-log-verbosity=detailed",
        f"--otlp-http-endpoint=127.0.0.1:{http}",
        f"--otlp-grpc-endpoint=127.0.0.1:{grpc}",
    ]
    log = folder / "rotel.log"
    with started(
        command,
        port=http,
        log=log,
        ready=lambda: all(_listens(port) for port in (http, grpc)),
        variables={"LD_LIBRARY_PATH": libraries},
        grace=0.5,
    ) as server:
        yield Rotel(server.url, f"http://127.0.0.1:{grpc}", log)


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def read(text: str) -> Printed:
    """Take apart what rotel prints, a fact a line."""
    reader = _Reader()
    for line in text.splitlines():
        reader.take(line.strip())
    return reader.found


class _Reader:
    """Knows what the next attribute belongs to."""

    def __init__(self) -> None:
        self.found = Printed()
        self._scope = ""
        self._last: PrintedSpan | PrintedRecord = PrintedSpan()
        self._attributes: dict[str, Any] = {}

    def take(self, line: str) -> None:
        attribute = _ATTRIBUTE.match(line)
        if attribute:
            name, kind, value = attribute.groups()
            self._attributes[name] = _value(kind, value)
            return
        if line.startswith("Span #"):
            self._last = PrintedSpan(scope=self._scope)
            self.found.spans.append(self._last)
        elif line.startswith("LogRecord #"):
            self._last = PrintedRecord()
            self.found.records.append(self._last)
        elif line.startswith("Metric #"):
            self.found.metrics.append(PrintedMetric(scope=self._scope))
        elif line == "Resource attributes:":
            self._attributes = self.found.resource
        elif line == "Attributes:":
            self._attributes = self._last.attributes
        elif line == "Data point attributes:" or line.startswith(("NumberDataPoints", "Histogram")):
            self._point(line)
        elif ":" in line or line.startswith("InstrumentationScope "):
            self._fact(line)

    def _point(self, line: str) -> None:
        """A point begins with its number; the first line of its own are its attributes."""
        points = self.found.metrics[-1].points
        if not line.startswith("Data"):
            points.append(Point())
        self._attributes = points[-1].attributes

    def _fact(self, line: str) -> None:
        name, _, value = (part.strip() for part in line.removeprefix("-> ").partition(":"))
        if name.startswith("InstrumentationScope "):
            self._scope = name.split()[1]
        elif isinstance(self._last, PrintedRecord) and name in _OF_RECORDS:
            setattr(self._last, _OF_RECORDS[name], value)
        elif isinstance(self._last, PrintedSpan) and name in _OF_SPANS and line[:2] != "->":
            setattr(self._last, *_OF_SPANS[name](value))
        elif name == "Name" and line.startswith("->"):
            self._named(value)
        elif name in _OF_METRICS and self.found.metrics:
            setattr(self.found.metrics[-1], *_OF_METRICS[name](value))
        elif self.found.metrics and self.found.metrics[-1].points:
            self._number(name, value)

    def _named(self, value: str) -> None:
        """An event of the last span, or the last metric: this begins after all spans."""
        metrics = self.found.metrics
        if metrics and not metrics[-1].name:
            metrics[-1].name = value
            return
        event: tuple[str, dict[str, Any]] = (value, {})
        self.found.spans[-1].events.append(event)
        self._attributes = event[1]

    def _number(self, name: str, value: str) -> None:
        point = self.found.metrics[-1].points[-1]
        if name in ("Value", "Sum"):
            point.value = float(value)
        elif name == "Count":
            point.count = int(value)
        elif name.startswith("ExplicitBounds"):
            point.bounds.append(float(value))
        elif name.startswith("Buckets"):
            point.buckets.append(int(value.rpartition(" ")[2]))


_OF_SPANS: dict[str, Any] = {
    "Name": lambda value: ("name", value),
    "Kind": lambda value: ("kind", value.removeprefix("SPAN_KIND_")),
    "Status code": lambda value: ("status", value.removeprefix("STATUS_CODE_")),
    "Trace ID": lambda value: ("trace", value),
    "ID": lambda value: ("id", value),
    "Parent ID": lambda value: ("parent", value),
}
_OF_RECORDS = {"EventName": "name", "SeverityText": "severity"}
_OF_METRICS: dict[str, Any] = {
    "Unit": lambda value: ("unit", value),
    "Description": lambda value: ("description", value),
    "DataType": lambda value: ("kind", value.lower()),
    "IsMonotonic": lambda value: ("kind", _KINDS[value]),
    "AggregationTemporality": lambda value: (
        "temporality",
        value.removeprefix("AGGREGATION_TEMPORALITY_").lower(),
    ),
}


def _value(kind: str, text: str) -> Any:
    if kind == "Bool":
        return text == "true"
    return {"Int": int, "Double": float}.get(kind, str)(text)
