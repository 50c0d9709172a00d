"""Fixtures of the adapters' tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from adapters.emulator import Emulator
from tests.adapters.flavours import Make, making
from tests.adapters.recorder import Recorder, recording

_APIS = ("HF_", "HUGGING_FACE_", "LLVM_", "OPEA_", "OVMS_", "TEI_", "TGI_", "VLLM_")
_HOSTED = ("ANTHROPIC_", "AWS_", "GEMINI_", "GOOGLE_", "GROQ_", "OLLAMA_", "OPENAI_", "S3_")


@pytest.fixture
def server() -> Iterator[Recorder]:
    """A scripted server that records what it gets."""
    with recording() as recorder:
        yield recorder


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path) -> None:
    """No key, proxy or `.env` of the machine that runs the tests has a say in them."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.startswith((*_APIS, *_HOSTED))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(params=["sync", "async"])
def flavour(request) -> str:
    """The kind of client; a test that asks for it runs with both."""
    return request.param


@pytest.fixture
def make(flavour: str) -> Iterator[Make]:
    """Makes clients; a test that asks for it runs with both kinds of them."""
    with making(flavour) as made:
        yield made


@pytest.fixture(scope="session")
def emulator_process() -> Iterator[Emulator]:
    """One emulator for all tests of this folder."""
    with Emulator(seed=7) as process:
        yield process


@pytest.fixture
def emulator(emulator_process: Emulator) -> Emulator:
    """The emulator as if it had just begun."""
    emulator_process.script()
    emulator_process.reset()
    return emulator_process
