"""What surrounds the programs of a page: an empty folder, and model APIs that answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

PROVIDERS = ("llvm", "openai", "tei", "tgi")


@pytest.fixture(scope="session")
def addresses() -> Iterator[dict[str, str]]:
    """The variables that point each provider's client to an emulator, which runs meanwhile."""
    from adapters.emulator import Emulator

    with Emulator(seed=1) as server:
        yield {
            name: value
            for provider, (address, key) in VARIABLES.items()
            for name, value in (
                (address, server.base_url(provider)),
                (key, next(iter(server.keys(provider).values()))),
            )
        }


@pytest.fixture
def surroundings(addresses, tmp_path, monkeypatch):
    """An empty working directory and an environment in which the adapters find the emulator."""
    monkeypatch.chdir(tmp_path)
    for name, value in addresses.items():
        monkeypatch.setenv(name, value)
