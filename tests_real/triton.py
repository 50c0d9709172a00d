"""NVIDIA's Triton on the CPU, with the models of `models`."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests_real.servers import FOLDER, Server, answers, environment, free_port, started

__all__ = ["serving"]

ASK = """
import sys, sysconfig
print("%d.%d" % sys.version_info[:2])
print(sysconfig.get_config_var("LIBDIR"))
print(sysconfig.get_path("purelib"))
"""


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve the models; its backend and its output go into this folder."""
    home = environment()
    python = [home / "bin" / "python", "-c", ASK]
    version, libraries, packages = subprocess.run(
        python, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    server = Path(packages) / "pytriton" / "tritonserver"
    port = free_port()
    command = [
        server / "bin" / "tritonserver",
        f"--model-repository={_copy_models(folder)}",
        f"--backend-directory={_copy_backend(server, version, folder)}",
        "--http-address=127.0.0.1",
        f"--http-port={port}",
        "--allow-grpc=false",
        "--allow-metrics=false",
    ]
    # The Python backend looks for its interpreter's library, and for numpy by way of `python3`.
    library_path = [libraries, f"{packages}/nvidia_pytriton.libs"]
    with started(
        command,
        port=port,
        log=folder / "triton.log",
        ready=answers(port, "/v2/health/ready"),
        variables={
            "LD_LIBRARY_PATH": ":".join(library_path),
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        },
    ) as found:
        yield found


def _copy_models(folder: Path) -> Path:
    """Python's caches appear beside the models, which is not to happen among the sources."""
    target = folder / "models"
    shutil.copytree(FOLDER / "models", target)
    return target


def _copy_backend(server: Path, version: str, folder: Path) -> Path:
    """Put the Python backend together with its part for this version of Python."""
    backend = folder / "backends" / "python"
    shutil.copytree(server / "backends" / "python", backend)
    stub = server / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.exists():
        raise RuntimeError(f"Triton has no backend for Python {version}: make SERVERS_PYTHON=…")
    shutil.copy2(stub, backend)
    return backend.parent
