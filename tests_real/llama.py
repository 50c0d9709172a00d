"""llama.cpp's own server, with a model that answers every prompt with one sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests_real.servers import Server, answers, free_port, script, started

__all__ = ["KEY", "MODEL", "SENTENCE", "serving", "write_model"]

KEY = "sk-real-llama-0123456789"
MODEL = "fixed"
SENTENCE = " Every call comes back with an answer."


def write_model(folder: Path) -> Path:
    """Write the model into this folder; its file."""
    path = folder / f"{MODEL}.gguf"
    subprocess.run(script("llama_model", path), check=True)
    return path


@contextmanager
def serving(model: Path, *, prefix: str = "", embedding: bool = False) -> Iterator[Server]:
    """Serve it, under a prefix of every path, or for vectors alone; it wants `KEY`."""
    port, name = free_port(), f"llama{prefix.replace('/', '-')}{'-embedding' * embedding}"
    command = script("llama_server", model, str(port), KEY, "--prefix", prefix)
    with started(
        [*command, *(["--embedding"] * embedding)],
        port=port,
        log=model.with_name(f"{name}.log"),
        ready=answers(port, f"{prefix}/health", {"Authorization": f"Bearer {KEY}"}),
    ) as server:
        yield server
