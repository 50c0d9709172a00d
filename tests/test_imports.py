"""What importing costs: programs load what they use, whatever else the packages can do."""

from __future__ import annotations

import re

import pytest

import resilience
from tests.support.programs import run_program
from tests.support.sources import Source, sources

LOADED = """
    import sys
    names = {name for name in sys.modules if name.split(".")[0] in ("resilience", "adapters")}
    foreign = ("aiohttp", "dotenv", "opentelemetry", "requests", "urllib3", "wrapt")
    print(len(names), *sorted(names.union(name for name in foreign if name in sys.modules)))
"""


def loaded_by(statement: str) -> tuple[int, set[str]]:
    """Run it in a fresh Python: how many of our modules it loads, and which, with foreign ones."""
    count, *names = run_program(statement, LOADED)
    return int(count), set(names)


def test_importing_resilience_loads_nothing_else():
    """What a name needs is loaded when the name is asked for."""
    assert (1, {"resilience"}) == loaded_by("import resilience")


# How many of our modules each may load: a little more than it does. Each takes 0.15 ms.
@pytest.mark.parametrize(
    ("name", "most", "absent"),
    [
        ("retry", 55, {"resilience._batched", "resilience._key_pool", "resilience._hints"}),
        ("circuit_breaker", 65, {"resilience._batched", "resilience._key_pool"}),
        ("prioritized", 60, {"resilience._batched", "resilience._key_pool", "resilience._retry"}),
        ("resilient", 100, {"resilience._batched", "resilience._explain"}),
        ("Settings", 10, {"wrapt", "resilience.telemetry"}),
        ("SettingsError", 3, {"wrapt", "resilience.telemetry"}),
    ],
)
def test_a_name_loads_what_it_needs(name: str, most: int, absent: set[str]):
    """A decorator comes without the others, and no library but wrapt."""
    count, names = loaded_by(f"from resilience import {name}")

    assert most >= count
    assert set() == names & (absent | {"aiohttp", "dotenv", "opentelemetry", "requests"})


@pytest.mark.parametrize(("api", "most"), [("openai", 150), ("claude", 150), ("s3", 160)])
def test_an_adapter_loads_no_library_of_http(api: str, most: int):
    """Its client does, when it is made; batches are loaded by the first call that may share."""
    count, names = loaded_by(f"from adapters import {api}")

    assert most >= count
    assert set() == names & {"aiohttp", "dotenv", "opentelemetry", "requests", "urllib3"}
    assert set() == names & {"resilience._batched", "resilience._batcher", "resilience._explain"}


def test_a_client_has_what_its_first_call_needs():
    """Who makes a client when the program starts pays for no import in the first call.

    This one fails, and loads what reads errors, too.
    """
    program = """
        import sys
        from adapters import openai
        from adapters.errors import ConnectionFailedError
        client = openai.Client("made-up", base_url="http://127.0.0.1:1", max_retries=0)
        before = set(sys.modules)
        try:
            client.chat("a", "b")
        except ConnectionFailedError:
            pass
        roots = ("adapters", "requests", "resilience", "urllib3")
        print(*sorted(name for name in set(sys.modules) - before if name.startswith(roots)))
    """

    assert ["resilience._answers", "resilience._foreign", "resilience._words"] == run_program(
        program
    )


def test_every_name_has_a_home():
    """The names that are loaded on demand are those of `__all__`, and each is found there."""
    assert sorted(resilience.__all__) == sorted(resilience._HOMES)
    assert {*resilience.__all__, "errors", "telemetry", "testing"} <= set(dir(resilience))


def test_public_modules_are_attributes_of_the_package():
    """`resilience.errors` needs no import of its own."""
    program = """
        import resilience
        for name in ("classify", "errors", "settings", "telemetry", "testing"):
            print(getattr(resilience, name).__name__)
    """
    modules = ["classify", "errors", "settings", "telemetry", "testing"]

    assert [f"resilience.{name}" for name in modules] == run_program(program)


def test_a_name_is_looked_for_once():
    """From then on it is a plain attribute of the package."""
    program = """
        import resilience
        print("retry" in vars(resilience))
        resilience.retry
        print("retry" in vars(resilience))
    """

    assert ["False", "True"] == run_program(program)


@pytest.mark.parametrize(
    "source",
    [
        source
        for source in sources("adapters", "resilience")
        if not source.path.startswith(("adapters/cli/", "adapters/emulator/"))
    ],
    ids=lambda source: source.path,
)
def test_frozen_records_are_cheap_to_define(source: Source):
    """A frozen dataclass compiles its methods at once; a record does it when one is made."""
    assert not re.search(r"^@dataclass\(.*frozen=True", source.text, flags=re.MULTILINE)
