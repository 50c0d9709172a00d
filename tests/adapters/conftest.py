"""Fixtures of the adapters' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adapters.recorder import Recorder, recording


@pytest.fixture
def server() -> Iterator[Recorder]:
    """A scripted server that records what it gets."""
    with recording() as recorder:
        yield recorder


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path) -> None:
    """No key, proxy or `.env` of the machine that runs the tests has a say in them."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
