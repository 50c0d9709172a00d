"""llama.cpp's own server, with a model that answers every prompt with one sentence."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests_real.servers import Server, answers, free_port, script, started

__all__ = ["KEY", "MODEL", "SENTENCE", "TOOL_CALL", "serving", "write_model"]

KEY = "sk-real-llama-0123456789"
MODEL = "fixed"
SENTENCE = " Every call comes back with an answer."
TOKENS = ("▁Every", "▁call", "▁comes", "▁back", "▁with", "▁an", "▁answer", ".")
TOOL_CALL = ("<tool_call>\n", '{"name":▁"f",', '▁"arguments":', '▁{"a":▁1}', "}", "</tool_call>")


def write_model(folder: Path, name: str = MODEL, tokens: Sequence[str] = TOKENS) -> Path:
    """Write a model that says these tokens into this folder; its file."""
    path = folder / f"{name}.gguf"
    subprocess.run(script("llama_model", path, *tokens), check=True)
    return path


@contextmanager
def serving(model: Path, *, prefix: str = "", embedding: bool = False) -> Iterator[Server]:
    """Serve it, under a prefix of every path, or for vectors alone; it wants `KEY`."""
    port = free_port()
    command = script("llama_server", model, str(port), KEY, "--prefix", prefix)
    with started(
        [*command, *(["--embedding"] * embedding)],
        port=port,
        log=model.with_name(f"{model.stem}-{port}.log"),
        ready=answers(port, f"{prefix}/health", {"Authorization": f"Bearer {KEY}"}),
    ) as server:
        yield server
