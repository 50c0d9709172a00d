"""`configure`: OpenTelemetry for programs that have not set it up, by the standard variables."""

from __future__ import annotations

import os
import re
import socket
import textwrap
from collections.abc import Iterator

import pytest

from resilience import SettingsError
from resilience.telemetry import configure
from tests.support.collector import Collector
from tests.support.programs import run_program

CALLS = """
    from resilience import batched, retry
    from resilience.telemetry import configure

    @retry(name="fetch")
    def fetch():
        return 1
"""


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector, named in no variable."""
    found = Collector()
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics have tests of their own, and need not be sent with every span."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_what_happens_is_sent_by_the_end_of_the_program(collector: Collector, protocol: str):
    """Over either protocol, under the name of the service, though nobody has flushed."""
    address = collector.grpc if protocol == "grpc" else collector.http
    run_program(
        CALLS,
        f"configure(service_name='shop', endpoint={address!r}, protocol={protocol!r})\nfetch()",
    )

    assert ["traces by gRPC" if protocol == "grpc" else "/v1/traces"] == collector.ways
    assert ["fetch"] == collector.spans
    assert {"shop"} == collector.resources("service.name")


@pytest.mark.parametrize("variable", ["", "TRACES_"])
def test_the_standard_variables_say_the_same(collector: Collector, monkeypatch, variable: str):
    """Those of all signals, and those of one."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{variable}ENDPOINT", collector.grpc)
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{variable}PROTOCOL", "grpc")
    run_program(CALLS, "configure()\nfetch()")

    assert ["traces by gRPC"] == collector.ways
    assert {"shop"} == collector.resources("service.name")
    assert {"test"} == collector.resources("deployment.environment.name")


def test_an_argument_wins_over_the_variables(collector: Collector, monkeypatch):
    """Who writes it into the program means it."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nobody")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/nowhere")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")
    arguments = f"service_name='shop', endpoint='{collector.http}/base/', protocol='http/protobuf'"
    run_program(CALLS, f"configure({arguments})\nfetch()")

    assert ["/base/v1/traces"] == collector.ways
    assert {"shop"} == collector.resources("service.name")


def test_the_sampler_is_that_of_the_variables(collector: Collector, monkeypatch):
    """As the SDK reads it."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    run_program(CALLS, f"configure(endpoint={collector.http!r})\nfetch()")

    assert [] == collector.spans


def test_metrics_are_sent_as_well(collector: Collector, monkeypatch):
    """Those of the program itself too."""
    monkeypatch.delenv("OTEL_METRICS_EXPORTER")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    run_program(f"""
        from opentelemetry import metrics
        from resilience.telemetry import configure

        configure(endpoint={collector.http!r})
        metrics.get_meter("shop").create_counter("sold").add(3)
    """)

    assert ["/v1/metrics"] == collector.ways
    assert "sold" in collector.metrics


def test_logs_are_sent_where_a_variable_says_so(collector: Collector, monkeypatch):
    """Those of OpenTelemetry; without the variable they go nowhere."""
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "otlp")
    run_program(f"""
        from opentelemetry._logs import LogRecord, get_logger
        from resilience.telemetry import configure

        configure(endpoint={collector.http!r})
        get_logger("shop").emit(LogRecord(event_name="sold"))
    """)

    assert ["/v1/logs"] == collector.ways


def test_spans_of_what_runs_at_exit_are_not_lost(collector: Collector):
    """A batch that waits for company goes when the program ends, and is sent all the same."""
    run_program(
        CALLS,
        f"""
        @batched(name="many", batch_timeout=60)
        def many(items):
            return items

        configure(endpoint={collector.http!r})
        many.submit(1)
    """,
    )

    assert ["batch many", "many"] == collector.spans


@pytest.mark.parametrize(
    "ending",
    [
        "raise SystemExit",
        "with telemetry: fetch()\nos._exit(0)",
        "print(telemetry.flush())\nos._exit(0)",
        "print(telemetry.shutdown(), telemetry.shutdown())\nos._exit(0)",
    ],
    ids=["exit", "with", "flush", "shutdown"],
)
def test_a_program_may_end_as_it_likes(collector: Collector, ending: str):
    """At a flush and at the end of a block as well as at exit, all is sent."""
    sent = run_program(
        "import os\n",
        CALLS,
        f"telemetry = configure(endpoint={collector.http!r})\nfetch()\n",
        ending,
    )

    assert {"fetch"} == set(collector.spans)
    assert {"True"} >= set(sent)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_processes_send_what_happened_in_them(collector: Collector, method: str, protocol: str):
    """Those of `multiprocessing` end without `atexit`: what they did is sent all the same."""
    address = collector.grpc if protocol == "grpc" else collector.http
    begin = f"configure(endpoint={address!r}, protocol={protocol!r})\n"
    again = "" if method == "fork" else begin  # which a fork has inherited
    child = f"{textwrap.dedent(CALLS)}{again}retry(name='inside')(int)()"
    run_program(
        CALLS,
        begin,
        f"""
        import multiprocessing, warnings

        warnings.simplefilter("ignore", DeprecationWarning)  # the SDK has threads
        process = multiprocessing.get_context({method!r}).Process
        child = process(target=exec, args=({child!r},))
        child.start()
        child.join()
        """,
    )

    assert ["inside"] == collector.spans


def test_a_collector_that_is_not_there_harms_nobody():
    """The program ends soon, and well; what could not be sent is logged by the SDK."""
    program = """
        import logging, time
        logging.disable()
        telemetry = configure(endpoint="http://127.0.0.1:9")
        fetch()
        began = time.monotonic()
        print(telemetry.shutdown(0.05), time.monotonic() - began < 5)
    """

    assert ["False", "True"] == run_program(CALLS, program)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_collector_that_says_nothing_does_not_hold_up_the_end(monkeypatch, protocol: str):
    """At exit there is a time limit, which those of the exporters do not extend."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")  # far beyond the patience of a test
    monkeypatch.delenv("OTEL_METRICS_EXPORTER")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        printed = run_program(
            CALLS,
            f"""
            from resilience.telemetry import _configure

            _configure._AT_EXIT = 0.05
            configure(endpoint={address!r}, protocol={protocol!r})
            print(fetch())
            """,
        )

    assert ["1"] == printed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_sends_what_is_left_when_it_exits(collector: Collector):
    """The thread that does so in its parent is not there any more."""
    run_program(
        CALLS,
        f"""
        import os, sys, warnings

        warnings.simplefilter("ignore", DeprecationWarning)  # the SDK has threads
        configure(endpoint={collector.http!r})
        if child := os.fork():
            os.waitpid(child, 0)
        else:
            fetch()
            sys.exit()
        """,
    )

    assert ["fetch"] == collector.spans


@pytest.mark.parametrize("off", ["OTEL_SDK_DISABLED=true", "OTEL_TRACES_EXPORTER=none"])
def test_turned_off_nothing_is_set_up(monkeypatch, off: str):
    """Then a call costs what it costs without OpenTelemetry."""
    monkeypatch.setenv(*off.split("="))
    program = """
        import sys
        from resilience.telemetry.opentelemetry import is_tracing
        print(configure(), is_tracing())
    """

    assert ["<Telemetry:", "nothing>", "False"] == run_program(CALLS, program)


def test_the_console_needs_no_collector(monkeypatch):
    """Every exporter that is installed can be named; an address is for those that send."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    printed = run_program(CALLS, "configure(endpoint='http://127.0.0.1:9')\nfetch()")

    assert '"fetch",' in printed


def test_providers_of_the_program_stay(monkeypatch):
    """Whoever set them up wins, and is told that `configure` does nothing about them."""
    printed = run_program("""
        import warnings
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from resilience.telemetry import configure

        provider = TracerProvider()
        trace.set_tracer_provider(provider)
        with warnings.catch_warnings(record=True, action="always") as caught:
            telemetry = configure()
        print(*[each.message for each in caught], telemetry.signals)
        print(trace.get_tracer_provider() is provider)
    """)

    assert "configure(): the program has set up traces itself () True" == " ".join(printed)


def test_a_second_call_returns_what_the_first_did(collector: Collector):
    """It warns where it is given what comes too late."""
    printed = run_program(f"""
        import warnings
        from resilience.telemetry import configure

        first = configure(endpoint={collector.http!r})
        print(configure() is first)
        with warnings.catch_warnings(record=True, action="always") as caught:
            print(configure(service_name="shop") is first)
        print(*[each.message for each in caught])
    """)

    assert "True True configure(): it was called before, and these arguments come late" == " ".join(
        printed
    )


@pytest.mark.parametrize("wanted", [True, False, None])
def test_the_older_metrics_of_models_are_asked_for(monkeypatch, wanted: bool | None):
    """The argument wins over the variable, which holds where nobody says anything."""
    monkeypatch.setenv("RESILIENCE_OTEL_OLDER_GENAI_METRICS", "true")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    printed = run_program(f"""
        from resilience.telemetry import configure
        from resilience.telemetry._older_metrics import are_wanted

        configure(older_genai_metrics={wanted})
        print(are_wanted())
    """)

    assert [str(wanted is not False)] == printed


def test_without_the_extra_the_error_names_it():
    """It says what to install."""
    printed = run_program("""
        import sys
        sys.modules["opentelemetry.sdk"] = None
        from resilience.telemetry import configure
        try:
            configure()
        except ImportError as error:
            print(error)
    """)

    assert 'pip install "resilience-adapters[otel]"' in " ".join(printed)


@pytest.mark.parametrize(
    ("argument", "value", "rule"),
    [
        ("service_name", "", "must be a text that is not empty"),
        ("endpoint", "localhost:4318", "must be an address such as http://localhost:4318"),
        ("endpoint", "http://", "must be an address"),
        ("endpoint", "http://[", "must be an address"),
        ("endpoint", 4318, "must be an address"),
        ("protocol", "http/json", 'must be "grpc" or "http/protobuf"'),
        ("older_genai_metrics", 1, "must be True or False"),
    ],
)
def test_a_bad_argument(argument: str, value: object, rule: str):
    """The error names it, its rule and its value, and nothing is set up."""
    with pytest.raises(
        SettingsError, match=rf"^{argument} {rule}.*{re.escape(repr(value))}"
    ) as caught:
        configure(**{argument: value})
    assert (argument, value) == (caught.value.setting, caught.value.value)


@pytest.mark.parametrize(
    ("variable", "value", "rule"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", 'must be "grpc" or "http/protobuf"'),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "smtp", 'must be "grpc" or "http/protobuf"'),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", "must be a number of milliseconds, more than 0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1 s", "must be a number of milliseconds, more than 0"),
        ("OTEL_TRACES_EXPORTER", "otpl", r"must name installed exporters \(console, none, otlp"),
    ],
)
def test_a_bad_variable(monkeypatch, variable: str, value: str, rule: str):
    """The error names it, and nothing is set up: not even what came before it."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=rf"^{variable} {rule}.*{value!r}"):
        configure()
    with pytest.raises(SettingsError):
        configure()


def test_gauges_show_before_the_first_call(collector: Collector, monkeypatch):
    """What is there when OpenTelemetry is set up, shows, though nobody has used it yet."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "otlp")
    run_program(
        "from resilience import CircuitBreaker\n",
        "from resilience.telemetry import configure\n",
        f"breaker = CircuitBreaker(name='service')\nconfigure(endpoint={collector.http!r})\n",
    )

    assert {"resilience.circuit_breaker.state"} == collector.metrics
