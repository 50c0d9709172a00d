"""A collector of OpenTelemetry on loopback, over HTTP and gRPC: what programs send, it keeps."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

__all__ = ["Collector"]

REQUESTS: dict[str, Any] = {
    "/v1/logs": logs.ExportLogsServiceRequest,
    "/v1/metrics": metrics.ExportMetricsServiceRequest,
    "/v1/traces": traces.ExportTraceServiceRequest,
}


class Collector:
    """Listens at two ports from the beginning; `close` ends it.

    Attributes:
        http, grpc: Its addresses.
        received: The requests, in the order in which they came, each with the way that it came by.
    """

    def __init__(self) -> None:
        self.received: list[tuple[str, Any]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.received))
        self.http = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()
        self._grpc = grpc.server(ThreadPoolExecutor(2))
        servicer = _Servicer(self.received)
        add_TraceServiceServicer_to_server(servicer, self._grpc)
        add_MetricsServiceServicer_to_server(servicer, self._grpc)
        self.grpc = f"http://127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        self._grpc.start()

    def close(self) -> None:
        """Stop to listen."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        self._grpc.stop(None).wait()

    @property
    def ways(self) -> list[str]:
        """By which ways anything came, sorted: a path of HTTP, or the call of gRPC."""
        return sorted({way for way, _ in self.received})

    @property
    def spans(self) -> list[str]:
        """The names of all spans, sorted."""
        return sorted(span.name for scope in self._scopes("spans") for span in scope.spans)

    @property
    def metrics(self) -> set[str]:
        """The names of all metrics."""
        return {metric.name for scope in self._scopes("metrics") for metric in scope.metrics}

    def resources(self, name: str) -> set[str]:
        """The values that an attribute of the resource has."""
        return {
            attribute.value.string_value
            for resource in self._resources()
            for attribute in resource.resource.attributes
            if attribute.key == name
        }

    def _resources(self) -> Iterator[Any]:
        for _, request in self.received:
            for field in ("resource_spans", "resource_metrics", "resource_logs"):
                yield from getattr(request, field, ())

    def _scopes(self, kind: str) -> Iterator[Any]:
        for resource in self._resources():
            yield from getattr(resource, f"scope_{kind}", ())


class _Servicer(TraceServiceServicer, MetricsServiceServicer):
    """Both services have a method of one name, and tell by the request what is meant."""

    def __init__(self, received: list[tuple[str, Any]]) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the services' own name
        is_traces = isinstance(request, traces.ExportTraceServiceRequest)
        self._received.append(("traces by gRPC" if is_traces else "metrics by gRPC", request))
        return (
            traces.ExportTraceServiceResponse()
            if is_traces
            else metrics.ExportMetricsServiceResponse()
        )


def _handler(received: list[tuple[str, Any]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            request = REQUESTS["/" + "/".join(self.path.split("/")[-2:])]()
            request.ParseFromString(body)
            received.append((self.path, request))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
