"""What the emulated S3 holds: buckets, objects and unfinished uploads, in memory."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.emulator.answers import digest
from adapters.emulator.protocol import Call, Refusal
from adapters.emulator.s3_style.errors import no_such

__all__ = ["REGION", "Bucket", "Part", "Store", "StoredObject", "Upload", "bucket_of", "object_of"]

REGION = "us-east-1"
_FIRST = "demo"  # a bucket to begin with


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object; `etag` is without its quotes."""

    body: bytes
    etag: str
    headers: Mapping[str, str] = field(default_factory=dict)
    modified: float = field(default_factory=time.time)

    @classmethod
    def of(cls, body: bytes, headers: Mapping[str, str]) -> StoredObject:
        """Make the object of a plain upload, whose tag is the MD5 of its bytes."""
        return cls(body, hashlib.md5(body, usedforsecurity=False).hexdigest(), headers)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an upload."""

    body: bytes
    etag: str
    modified: float = field(default_factory=time.time)


@dataclass(slots=True)
class Upload:
    """An upload that is not finished."""

    key: str
    headers: Mapping[str, str]
    parts: dict[int, Part] = field(default_factory=dict)
    began: float = field(default_factory=time.time)


@dataclass(slots=True)
class Bucket:
    """A bucket."""

    name: str
    region: str = REGION
    created: float = field(default_factory=time.time)
    objects: dict[str, StoredObject] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)


class Store:
    """All of it, at first an empty bucket; one event loop owns it, so nothing takes a lock."""

    def __init__(self) -> None:
        self.buckets: dict[str, Bucket] = {_FIRST: Bucket(_FIRST)}
        self._uploads = 0

    def begin_upload(self, bucket: Bucket, upload: Upload) -> str:
        """Keep a new upload and return its id."""
        self._uploads += 1
        upload_id = digest("upload", self._uploads, size=32)
        bucket.uploads[upload_id] = upload
        return upload_id


def bucket_of(call: Call, name: str | None = None) -> Bucket:
    """Return the bucket of a call, or another one.

    Raises:
        Refusal: if there is no such bucket.
    """
    store: Store = call.memory
    name = call.params["bucket"] if name is None else name
    if name not in store.buckets:
        raise Refusal(no_such("NoSuchBucket", BucketName=name))
    return store.buckets[name]


def object_of(bucket: Bucket, key: str) -> StoredObject:
    """Return an object.

    Raises:
        Refusal: if there is none of this key.
    """
    if key not in bucket.objects:
        raise Refusal(no_such("NoSuchKey", Key=key))
    return bucket.objects[key]
