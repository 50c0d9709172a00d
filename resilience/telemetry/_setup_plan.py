"""What `configure` is asked to set up: its arguments, and the standard variables behind them.

Variables that the SDK and its exporters read themselves are left to them.
Source: OpenTelemetry specification, "Environment Variable Specification".
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from resilience._rules import check, fail

if TYPE_CHECKING:
    from resilience.telemetry._configure import Signal

__all__ = ["Plan", "plan"]

_PROTOCOLS = ("grpc", "http/protobuf")
_EXPORTERS: dict[Signal, str] = {"traces": "otlp", "metrics": "otlp", "logs": "none"}


class Plan(NamedTuple):
    """What is to be set up.

    Attributes:
        service_name: Of the resource; None: the SDK reads the variables.
        endpoint: Of the collector; None: its exporters read the variables.
        exporters: The exporters of each signal, by name; of a signal without any nothing is set up.
        is_own: Whether an argument says something that the variables do not.
        is_off: Whether `OTEL_SDK_DISABLED` says so.
    """

    service_name: str | None
    endpoint: str | None
    exporters: Mapping[Signal, Sequence[str]]
    is_own: bool
    is_off: bool


def plan(service_name: str | None, endpoint: str | None, protocol: str | None) -> Plan:
    """Return what these arguments of `configure`, and the variables, ask for.

    Raises:
        SettingsError: for an argument that breaks its rule, a protocol that nobody speaks, and an
            interval that is none.
    """
    check("service_name", service_name, "name")
    if endpoint is not None and not _is_address(endpoint):
        fail("endpoint", "must be an address such as http://localhost:4318, or None", endpoint)
    _check_protocol("protocol", protocol)
    _check_interval()
    return Plan(
        service_name=service_name,
        endpoint=endpoint,
        exporters={signal: _exporters(signal, protocol) for signal in _EXPORTERS},
        is_own=(service_name, endpoint, protocol) != (None, None, None),
        is_off=_variable("OTEL_SDK_DISABLED").lower() == "true",
    )


def _exporters(signal: Signal, protocol: str | None) -> list[str]:
    given = _variable(f"OTEL_{signal.upper()}_EXPORTER") or _EXPORTERS[signal]
    names = [name.strip() for name in given.split(",")]
    return [_of_protocol(name, signal, protocol) for name in names if name not in ("", "none")]


def _of_protocol(name: str, signal: Signal, protocol: str | None) -> str:
    """Return under which name the exporter is installed: OTLP has one for each protocol."""
    if name != "otlp":
        return name
    for variable in (
        f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
    ):
        if protocol is None and (protocol := _variable(variable) or None):
            _check_protocol(variable, protocol)
    return "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"


def _check_protocol(setting: str, protocol: str | None) -> None:
    if protocol is not None and protocol not in _PROTOCOLS:
        fail(setting, 'must be "grpc" or "http/protobuf"', protocol)


def _check_interval() -> None:
    """Refuse here what the SDK would refuse once a part is set up, or replace by its default."""
    name = "OTEL_METRIC_EXPORT_INTERVAL"
    text = _variable(name)
    try:
        is_good = text == "" or float(text) > 0
    except ValueError:
        is_good = False
    if not is_good:
        fail(name, "must be a number of milliseconds, more than 0", text)


def _variable(name: str) -> str:
    """Return its value; by the specification an empty one is none."""
    return os.environ.get(name, "").strip()


def _is_address(endpoint: object) -> bool:
    try:
        parts = urlsplit(endpoint) if isinstance(endpoint, str) else None
    except ValueError:
        return False
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)
