"""`resilient explain`: the layers of a module's functions."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, refusal

SERVICE = '''
"""A service."""
from adapters import ollama
from resilience import circuit_breaker, retry

client = ollama.Client()


@retry(max_retries=2, name="fetch")
def fetch(url):
    return url


class Store:
    @retry
    def read(self):
        return 1

    @staticmethod
    @circuit_breaker
    def write():
        return 2


def plain():
    return 3
'''
WRONG = """
from resilience import circuit_breaker, retry


@circuit_breaker
@retry(name="wrong")
def wrong():
    return 1
"""


@pytest.fixture(autouse=True)
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The files of a program, in the working directory, which is not on the path."""
    monkeypatch.setattr("sys.path", [path for path in sys.path if path])
    (tmp_path / "service.py").write_text(SERVICE)
    (tmp_path / "empty.py").write_text("def plain(): pass\n")
    (tmp_path / "broken.py").write_text("raise RuntimeError('two\\nlines')\n")
    yield
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


@pytest.mark.parametrize("target", ["service", "service.py", "./service.py"])
def test_explains_what_a_module_holds(cli: Cli, target: str) -> None:
    """Functions, methods and clients, in their order; what is not decorated is left out."""
    ended = cli("explain", target)
    heads = [text.partition(" (")[0].partition("\n")[0] for text in ended.out.split("\n\n")]

    assert (0, ["ollama", "fetch", "Store.read", "Store.write"]) == (ended.code, heads)


@pytest.mark.parametrize("name", ["fetch", "Store.read"])
def test_explains_one(cli: Cli, name: str) -> None:
    """Behind a colon stands the one that is asked for."""
    ended = cli("explain", f"service:{name}")

    assert ended.out.startswith(f"{name} (")
    assert "\n\n" not in ended.out


def test_a_warning_is_an_exit_code(cli: Cli, tmp_path: Path) -> None:
    """A build can refuse layers in a wrong order."""
    (tmp_path / "wrong.py").write_text(WRONG)

    with pytest.warns(match="circuit breaker outside a retry"):
        ended = cli("explain", "wrong.py")

    assert 1 == ended.code
    assert "\nwarning: " in ended.out


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("missing", "cannot import missing: ModuleNotFoundError: No module named 'missing'"),
        ("missing.py", "cannot import missing.py: FileNotFoundError"),
        ("broken.py", "cannot import broken.py: RuntimeError: two lines"),
        ("empty", "nothing in empty is decorated"),
        ("service:nothing", "service has no nothing"),
        ("service:", "service:: a name must stand behind the colon"),
        ("service:plain", "service:plain: function must be decorated with this toolkit"),
        ("", "TARGET must be a module (app.service) or a file (app/service.py), not ''"),
        (".", "TARGET must be a module (app.service) or a file (app/service.py), not '.'"),
    ],
)
def test_bad_input(cli: Cli, target: str, message: str) -> None:
    """One line says what is wrong."""
    assert message in refusal(cli("explain", target))
