"""Prometheus and promtool, as Debian packs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests_real.servers import FOLDER, Server, answers, free_port, started

__all__ = ["DEPLOY", "ask", "check", "serving"]

DEPLOY = FOLDER.parent / "deploy"


def tool(name: str) -> str:
    """The path of one of the two programs.

    Raises:
        RuntimeError: It is not there.
    """
    servers = FOLDER.parent / os.environ.get("SERVERS", ".venv-servers")
    folders = [str(servers / "prometheus" / "usr" / "bin"), os.environ.get("PATH", "")]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        raise RuntimeError(f"No {name} in {servers} or on the PATH: run it with `make test-real`.")
    return found


def check(*arguments: str | Path) -> tuple[int, str]:
    """Run promtool; its exit code, and where that is not 0, what it says."""
    command = [tool("promtool"), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr) if done.returncode else ""


@contextmanager
def serving(folder: Path, target: int) -> Iterator[Server]:
    """Serve from this folder, with our rules; a port of this machine is asked each second."""
    config = folder / "prometheus.yaml"
    shutil.copy(DEPLOY / "alerts.yaml", folder)
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    job = {"job_name": "app", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}
    content = {"global": every, "rule_files": ["alerts.yaml"], "scrape_configs": [job]}
    config.write_text(json.dumps(content))  # which is YAML as well
    port = free_port()
    command = [
        tool("prometheus"),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    log = folder / "prometheus.log"
    with started(command, port=port, log=log, ready=answers(port, "/-/ready")) as server:
        yield server


def ask(server: Server, path: str, **parameters: str) -> Any:
    """What its HTTP API answers."""
    answer = requests.get(f"{server.url}/api/v1/{path}", params=parameters, timeout=10).json()
    assert "success" == answer["status"], answer
    return answer["data"]
