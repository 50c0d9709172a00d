"""Programs that have set up no OpenTelemetry pay nothing for it."""

from __future__ import annotations

from tests.support.programs import run_program

PROGRAM = """
    import asyncio, sys
    import resilience
    from resilience import KeyPool, resilient

    pool = KeyPool({"a": "made up"})

    @resilient(keys=pool, max_retries=1, initial_retry_delay=0)
    def fetch(fails=False, *, api_key):
        if fails:
            raise OSError

    @resilient(keys=pool)
    async def later(*, api_key):
        return api_key

    @resilient
    def stream():
        yield 1

    def use_everything():
        fetch()
        fetch.submit().result()
        asyncio.run(later())
        assert [1] == list(stream())
        fetch.circuit_breaker.open()
        for call in (lambda: fetch(True), fetch):
            try:
                call()
            except (OSError, resilience.CircuitOpenError):
                pass
"""


def test_without_an_sdk_the_api_is_not_even_imported():
    """A program that has nothing to do with OpenTelemetry does not load it."""
    assert ["[]"] == run_program(
        PROGRAM,
        """
        use_everything()
        print([name for name in sys.modules if name.startswith("opentelemetry")])
    """,
    )


def test_trap_17_without_a_provider_the_api_is_not_asked():
    """A program that has imported the API alone, as libraries do, pays for no empty span."""
    assert ["unasked"] == run_program(
        PROGRAM,
        """
        from opentelemetry import context, trace
        for module in (context, trace):
            for name in ("get_tracer", "get_tracer_provider", "get_current_span", "attach"):
                if hasattr(module, name):
                    setattr(module, name, None)
        use_everything()
        print("unasked")
    """,
    )
