"""Upload the files of a folder to a bucket that are not there yet, or have changed.

    python examples/sync.py photos my-bucket

Several files travel at once, and large ones in parts. What fails is tried again; what has arrived
is not sent twice, however often this is run.
"""

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from adapters import s3
from adapters.errors import NotFoundError

AT_ONCE = 8  # files


def is_there(client: s3.Client, bucket: str, key: str, digest: str) -> bool:
    try:
        return client.head(bucket, key).metadata.get("sha256") == digest
    except NotFoundError:
        return False


def send(client: s3.Client, bucket: str, folder: Path, file: Path) -> tuple[str, bool]:
    """Upload one file unless the bucket has it; say whether it was sent."""
    with file.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    key = file.relative_to(folder).as_posix()
    if is_there(client, bucket, key, digest):
        return key, False
    client.upload(file, bucket, key, metadata={"sha256": digest})
    return key, True


def main(folder: Path, bucket: str) -> None:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    with s3.Client(max_concurrent_requests=16) as client, ThreadPoolExecutor(AT_ONCE) as threads:
        for key, was_sent in threads.map(partial(send, client, bucket, folder), files):
            print("sent" if was_sent else "same", key)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2])
