"""`configure`: OpenTelemetry for programs that have not set it up themselves.

The SDK is imported by the first call, not before.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self

from resilience import _clock
from resilience._fork import SharedLock
from resilience._rules import check
from resilience._secrets import log_failure
from resilience._warnings import warn
from resilience.telemetry._older_metrics import turn_off, turn_on
from resilience.telemetry.instruments import meters

if TYPE_CHECKING:
    from resilience.telemetry._setup_plan import Plan

__all__ = ["Telemetry", "configure"]

Signal = Literal["traces", "metrics", "logs"]
Step = Callable[[], object]

_PATIENCE = 10.0  # seconds that flush() and shutdown() have
_AT_EXIT = 5.0  # a program without a collector waits as long each time that it ends

_logger = logging.getLogger("resilience.telemetry")
_lock = SharedLock()
_telemetry: Telemetry | None = None
_ending = threading.Event()
_ender: threading.Thread | None = None


class Provider(Protocol):
    """What the providers of all signals can do."""

    def force_flush(self, timeout_millis: int, /) -> object: ...

    def shutdown(self) -> object: ...


class Telemetry:
    """What `configure` has set up; as a context manager it is shut down at the end of the block.

    Thread-safe.

    Attributes:
        signals: Those that go where `configure` was told: "traces", "metrics", "logs". The others
            were set up by somebody else before, or turned off.
    """

    def __init__(self, providers: Mapping[Signal, Provider]) -> None:
        self.signals: tuple[Signal, ...] = tuple(providers)
        self._providers = tuple(providers.values())

    def __repr__(self) -> str:
        return f"<Telemetry: {', '.join(self.signals) or 'nothing'}>"

    def flush(self, timeout: float = _PATIENCE) -> bool:
        """Hand over what has been recorded; return whether that was done within `timeout` seconds.

        An exporter that failed has done its part: it logs that, and nobody else learns of it.
        """
        check("timeout", timeout, "seconds")
        most = int(timeout * 1e3)
        return _take([partial(each.force_flush, most) for each in self._providers], timeout)

    def shutdown(self, timeout: float = _PATIENCE) -> bool:
        """Flush and end all exporters; return whether that was done within `timeout` seconds.

        What is recorded later is lost. A second call does nothing.
        """
        check("timeout", timeout, "seconds")
        with _lock:
            providers, self._providers = self._providers, ()
        return _take([each.shutdown for each in providers], timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()


def configure(
    *,
    service_name: str | None = None,
    endpoint: str | None = None,
    protocol: Literal["grpc", "http/protobuf"] | None = None,
    older_genai_metrics: bool | None = None,
) -> Telemetry:
    """Set OpenTelemetry up for this process, unless the program has done so, and send what happens.

    Everything that is not given is taken from the standard variables (`OTEL_SERVICE_NAME`,
    `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_EXPORTER`, `OTEL_TRACES_SAMPLER`,
    `OTEL_METRIC_EXPORT_INTERVAL`, `OTEL_SDK_DISABLED`, …); what is given wins over them.
    Traces and metrics go by OTLP to http://localhost:4318 if nothing says otherwise; logs go
    nowhere unless `OTEL_LOGS_EXPORTER` names an exporter, and are those of OpenTelemetry, not the
    lines of `logging`.

    A provider that is there already, by the program itself or by `opentelemetry-instrument`, stays
    as it is; a warning says so. A second call returns what the first one did.
    What is recorded is sent in the background, and at exit within 5 s; a collector that is not
    there disturbs nobody: the SDK logs it.

    Args:
        service_name: What the program is called.
        endpoint: The address of the collector, http://… or https://…, without the path of a signal.
        protocol: "http/protobuf" (the default, usually port 4318) or "grpc" (4317).
        older_genai_metrics: Whether calls of models are measured as the conventions up to v1.41
            had it as well; None: as `RESILIENCE_OTEL_OLDER_GENAI_METRICS` says. It holds for the
            program's own providers too, and each call may change it.

    Raises:
        ImportError: if the extra `otel` is not installed.
        SettingsError: for a value that breaks its rule, in an argument or in a variable.
    """
    from resilience.telemetry import _setup_plan  # noqa: PLC0415 - most programs need none

    plan = _setup_plan.plan(service_name, endpoint, protocol)
    if older_genai_metrics is not None:
        check("older_genai_metrics", older_genai_metrics, "metrics_enabled")
        (turn_on if older_genai_metrics else turn_off)()
    with _lock:
        telemetry, notice = _once(plan)
    meters()  # gauges show from now on, even before the first call
    if notice:
        warn(f"configure(): {notice}", RuntimeWarning)
    return telemetry


def _once(plan: Plan) -> tuple[Telemetry, str]:
    """Return what is set up, now or before, and what the caller should be told."""
    global _telemetry
    if _telemetry is not None:
        return _telemetry, "it was called before, and these arguments come late" * plan.is_own
    if plan.is_off:
        _telemetry, notice = Telemetry({}), ""
    else:
        _telemetry, notice = _set_up(plan)
    _logger.info("configure(): set up %s", ", ".join(_telemetry.signals) or "nothing")
    return _telemetry, notice


def _set_up(plan: Plan) -> tuple[Telemetry, str]:
    try:
        from resilience.telemetry import _otel_setup  # noqa: PLC0415 - an extra, slow to import

        there: list[Signal] = [
            signal
            for signal, names in plan.exporters.items()
            if names and _otel_setup.is_there(signal)
        ]
        telemetry = Telemetry(_otel_setup.set_up(plan, without=there))
    except ImportError as error:
        msg = f'configure() needs more ({error}): pip install "resilience-adapters[otel]"'
        raise ImportError(msg, name=error.name) from error
    _otel_setup.flush_in_children(telemetry, _AT_EXIT)
    _wait_for_end()
    return telemetry, f"the program has set up {' and '.join(there)} itself" if there else ""


def _take(steps: Sequence[Step], timeout: float) -> bool:
    """Take the steps side by side, and return whether all were done in time.

    One that hangs holds up neither the others nor the caller: the SDK has time limits of its own,
    which it does not keep everywhere.
    """
    end = _clock.now() + timeout
    done: list[Step] = []

    def take(step: Step) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever it is, the program goes on
            log_failure(_logger, "telemetry could not be handed over", error)
        else:
            done.append(step)

    for thread in [_started(partial(take, step)) for step in steps]:
        if thread is not None:
            thread.join(max(0.0, end - _clock.now()))
    return len(done) == len(steps)


def _started(step: Step) -> threading.Thread | None:
    """Return a thread that takes the step; None once it is taken, where none can be started."""
    thread = threading.Thread(target=step, name="resilience-telemetry", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # the interpreter is about to end
        step()
        return None
    return thread


def _wait_for_end() -> None:
    """Start the thread that shuts down at exit, where some versions of Python start none."""
    global _ender  # noqa: PLW0603 - there is one for each process
    _ender = threading.Thread(target=_shut_down, name="resilience-telemetry-end", daemon=True)
    _ender.start()


def _shut_down() -> None:
    _ending.wait()
    if _telemetry is not None:
        _telemetry.shutdown(_AT_EXIT)


@atexit.register
def _end() -> None:
    """Send what is left. Registered before the ends of batches and threads, it runs after them."""
    _ending.set()
    if _ender is not None and _ender.is_alive():
        _ender.join(_AT_EXIT)
    else:  # there is nothing to end, or a fork has left the thread behind
        _shut_down()
