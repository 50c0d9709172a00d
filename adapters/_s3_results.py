"""What S3 gives: buckets, objects, and what became of them. Frozen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime

from adapters._messages import Result
from resilience._record import record

__all__ = [
    "Bucket",
    "Buckets",
    "Deleted",
    "DeletedMany",
    "Listed",
    "ObjectInfo",
    "StoredObject",
    "Undeleted",
    "Written",
]


@record(kw_only=False)
class Bucket:
    """A bucket; `str(bucket)` is its name."""

    name: str
    created: datetime | None = None

    def __str__(self) -> str:
        return self.name


@record
class Buckets(Result):
    """The buckets that the credentials own; it iterates over them."""

    buckets: tuple[Bucket, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return their names."""
        return tuple(bucket.name for bucket in self.buckets)

    def __iter__(self) -> Iterator[Bucket]:
        return iter(self.buckets)

    def __len__(self) -> int:
        return len(self.buckets)


@record
class Listed:
    """An object in a listing, or the common beginning of several; `str(listed)` is its key.

    Attributes:
        key: The key; that of a common beginning ends with the delimiter.
        is_prefix: Whether it is a common beginning: all below is empty then.
        size: Bytes.
        etag: The tag, quoted as the server writes it.
        last_modified: When it was written.
        storage_class: Where it is kept.
    """

    key: str
    is_prefix: bool = False
    size: int = 0
    etag: str = ""
    last_modified: datetime | None = None
    storage_class: str = ""

    def __str__(self) -> str:
        return self.key


@record
class ObjectInfo(Result):
    """What is known of an object.

    Attributes:
        etag: The tag, quoted as the server writes it: the MD5 of the bytes only after a plain put.
        size: Bytes of the whole object, also where a range was read.
        content_type: The media type.
        last_modified: When it was written.
        metadata: What its writer has added, by name, without `x-amz-meta-`.
        version_id: Its version, where the bucket keeps several.
    """

    etag: str
    size: int
    content_type: str = ""
    last_modified: datetime | None = None
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    version_id: str | None = None


@record
class StoredObject(ObjectInfo):
    """An object, or a range of it; `bytes(object)` is the body."""

    body: bytes = field(repr=False)

    def __bytes__(self) -> bytes:
        return self.body

    def __len__(self) -> int:
        return len(self.body)


@record
class Written(Result):
    """An object that was written, by put, copy or upload.

    Attributes:
        etag: The tag, quoted as the server writes it.
        version_id: Its version, where the bucket keeps several.
        parts: In how many parts it was sent; 0 where it was sent whole.
    """

    etag: str
    version_id: str | None = None
    parts: int = 0


@record
class Deleted(Result):
    """An object that is not there any more, or never was.

    Attributes:
        version_id: The version that was deleted, or that marks the deletion.
        is_marker: Whether the bucket keeps the object below a mark.
    """

    version_id: str | None = None
    is_marker: bool = False


@record(kw_only=False)
class Undeleted:
    """A key that could not be deleted, and why."""

    key: str
    code: str
    message: str


@record
class DeletedMany(Result):
    """What became of many keys.

    Attributes:
        deleted: The keys that are not there any more.
        errors: Those that could not be deleted.
    """

    deleted: tuple[str, ...]
    errors: tuple[Undeleted, ...] = ()
