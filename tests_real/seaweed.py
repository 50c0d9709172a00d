"""SeaweedFS: a master, a volume server, a filer and the S3 gateway in one process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters import s3
from adapters.errors import AdapterError
from tests_real.servers import Server, environment, free_port, started

__all__ = ["CREDENTIALS", "serving"]

CREDENTIALS = {"access_key": "AKIAREALSEAWEED", "secret_key": "real-seaweed-0123456789/+="}
ACTIONS = ["Admin", "Read", "Write", "List", "Tagging"]
# Everything that listens; each has a second port for its own protocol.
PARTS = ("master", "volume", "filer", "s3")
# What would also listen, at a port that others may use, or call its makers.
OFF = ("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false")


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve from this folder, on loopback alone; requests have to be signed."""
    ports = {part: free_port() for part in PARTS}
    config = folder / "identities.json"
    config.write_text(json.dumps({"identities": [_identity()]}))
    command = [
        environment() / "bin" / "weed",
        "server",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={folder}",
        "-s3",
        f"-s3.config={config}",
        f"-s3.localSocket={folder / 's3.sock'}",
        f"-filer.localSocket={folder / 'filer.sock'}",
        "-master.volumeSizeLimitMB=64",
        "-volume.max=100",
        *(f"-{part}.port={port}" for part, port in ports.items()),
        *(f"-{part}.port.grpc={free_port()}" for part in PARTS),
        *OFF,
    ]
    with started(
        command,
        port=ports["s3"],
        log=folder / "weed.log",
        ready=_takes_objects(ports["s3"]),
        grace=0.1,  # its parts wait for each other, and what they hold is of no use
    ) as server:
        yield server


def _identity() -> dict[str, object]:
    names = {"accessKey": CREDENTIALS["access_key"], "secretKey": CREDENTIALS["secret_key"]}
    return {"name": "admin", "credentials": [names], "actions": ACTIONS}


def _takes_objects(port: int) -> Callable[[], bool]:
    """The gateway answers before there is anywhere to put an object."""

    def ask() -> bool:
        url = f"http://127.0.0.1:{port}"
        with s3.Client(**CREDENTIALS, base_url=url, max_retries=0, name="ready") as client:
            try:
                if "ready" not in client.buckets().names:
                    client.request("PUT", "ready")
                client.put("ready", "key", b"x")
            except AdapterError:
                return False
        return True

    return ask
