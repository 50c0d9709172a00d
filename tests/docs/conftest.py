"""What surrounds the programs of a page: an empty folder, and model APIs that answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

# Provider: the variables of its address and of its key.
VARIABLES = {
    "claude": ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"),
    "gemini": ("GOOGLE_GEMINI_BASE_URL", "GOOGLE_API_KEY"),
    "groq": ("GROQ_BASE_URL", "GROQ_API_KEY"),
    "llvm": ("LLVM_BASE_URL", "LLVM_API_KEY"),
    "ollama": ("OLLAMA_HOST", "OLLAMA_API_KEY"),
    "opea": ("OPEA_BASE_URL", "OPEA_API_KEY"),
    "openai": ("OPENAI_BASE_URL", "OPENAI_API_KEY"),
    "ovms": ("OVMS_BASE_URL", "OVMS_API_KEY"),
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID"),
    "tei": ("TEI_BASE_URL", "TEI_API_KEY"),
    "tgi": ("TGI_BASE_URL", "TGI_API_KEY"),
}


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
        } | {
            "AWS_ACCESS_KEY_ID": server.credentials("s3")["production"]["access_key"],
            "AWS_SECRET_ACCESS_KEY": server.credentials("s3")["production"]["secret_key"],
        }


@pytest.fixture
def surroundings(addresses, tmp_path, monkeypatch):
    """An empty working directory, no statistics, and an environment that names the emulator."""
    from resilience import reset_stats

    reset_stats()
    monkeypatch.chdir(tmp_path)
    for name, value in addresses.items():
        monkeypatch.setenv(name, value)
