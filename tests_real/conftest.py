"""Fixtures of the tests against real servers: one server of each kind for the whole run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.conftest import no_environment  # noqa: F401 - a fixture
from tests.adapters.flavours import Make, making
from tests.support.leaks import (  # noqa: F401 - hooks of pytest
    pytest_configure,
    pytest_runtest_makereport,
    pytest_unconfigure,
)
from tests.support.run import AsyncRun, Run, SyncRun
from tests_real import llama, seaweed, triton
from tests_real.proxy import Proxy
from tests_real.servers import Server


@pytest.fixture(scope="session")
def llama_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of llama.cpp's model."""
    return llama.write_model(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="session")
def llama_server(llama_model: Path) -> Iterator[Server]:
    """llama.cpp's server, as OpenAI's, Anthropic's and vLLM's clients call it."""
    with llama.serving(llama_model) as server:
        yield server


@pytest.fixture(scope="session")
def calling_server(llama_model: Path) -> Iterator[Server]:
    """llama.cpp's server with a model that wants a tool called, whatever it is asked."""
    model = llama.write_model(llama_model.parent, "calling", llama.TOOL_CALL)
    with llama.serving(model) as server:
        yield server


@pytest.fixture(scope="session")
def embedding_server(llama_model: Path) -> Iterator[Server]:
    """llama.cpp's server for vectors."""
    with llama.serving(llama_model, embedding=True) as server:
        yield server


@pytest.fixture(scope="session")
def prefixed_server(llama_model: Path) -> Iterator[Server]:
    """llama.cpp's server under the prefix by which the model server of OpenVINO is called."""
    with llama.serving(llama_model, prefix="/v3") as server:
        yield server


@pytest.fixture(scope="session")
def prefixed_calling_server(llama_model: Path) -> Iterator[Server]:
    """The one that wants a tool called, under the prefix."""
    model = llama.write_model(llama_model.parent, "prefixed-calling", llama.TOOL_CALL)
    with llama.serving(model, prefix="/v3") as server:
        yield server


@pytest.fixture(scope="session")
def triton_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Triton with the models `double` and `echo`."""
    with triton.serving(tmp_path_factory.mktemp("triton")) as server:
        yield server


@pytest.fixture(scope="session")
def seaweed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """SeaweedFS, whose gateway checks the signatures of S3."""
    with seaweed.serving(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture(params=["sync", "async"])
def flavour(request: pytest.FixtureRequest) -> str:
    """The kind of client; a test that asks for it runs with both."""
    return str(request.param)


@pytest.fixture
def make(flavour: str) -> Iterator[Make]:
    """Makes clients; a test that asks for it runs with both kinds of them."""
    with making(flavour) as made:
        yield made


@pytest.fixture(params=[SyncRun, AsyncRun], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run the test twice, with plain functions in threads and with coroutines on a loop."""
    flavour = request.param()
    yield flavour
    flavour.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy that leads nowhere yet, and hands on what it gets."""
    with Proxy() as found:
        yield found
