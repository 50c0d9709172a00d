"""The providers that the emulator speaks; a new one is its file and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.emulator import claude, gemini, groq, llvm, ollama, opea, openai, ovms, s3, tei, tgi
from adapters.emulator.protocol import Provider

__all__ = ["PROVIDERS"]

PROVIDERS: Mapping[str, Provider] = {
    provider.name: provider
    for provider in [
        openai.PROVIDER,
        claude.PROVIDER,
        groq.PROVIDER,
        gemini.PROVIDER,
        ollama.PROVIDER,
        tgi.PROVIDER,
        tei.PROVIDER,
        llvm.PROVIDER,
        ovms.PROVIDER,
        opea.PROVIDER,
        s3.PROVIDER,
    ]
}
