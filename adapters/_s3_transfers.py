"""Large objects in parts, several at a time, with the memory of a few parts.

Files are read and written between the requests, in the thread or loop that makes the call.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import fields
from itertools import chain, islice
from typing import Any
from xml.etree import ElementTree as ET

from adapters._flows import Ask, Asks, Flow
from adapters._messages import Reply
from adapters._s3_answers import parse_object, reading
from adapters._s3_files import FileOrPath, check_target, chunks_of, source, target, write_all
from adapters._s3_flows import get, put
from adapters._s3_places import asked
from adapters._s3_requests import encoded, is_count, range_header, request
from adapters._s3_results import ObjectInfo, StoredObject, Written
from adapters._s3_uploads import MOST_PARTS, Upload, begin
from adapters._setup import Setup
from adapters.errors import BadRequestError, NotFoundError
from resilience._marks import note
from resilience._record import record
from resilience._rules import fail

__all__ = ["download", "upload"]

_PART = 8 * 1024 * 1024  # bytes
_SMALLEST_PART, _LARGEST_PART = 5 * 1024 * 1024, 5 * 1024**3  # bytes that S3 takes
_AT_ONCE = 8  # parts in memory, where the client may send more than that side by side
_TYPE = "application/octet-stream"
_PARTIAL, _NO_SUCH_RANGE = 206, 416


def upload(
    setup: Setup,
    path_or_file: FileOrPath,
    bucket: str,
    key: str,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str] | None = None,
    part_size: int | None = None,
    extra_headers: Mapping[str, str] | None = None,
) -> Flow[Written]:
    """Write an object of any size: in one request, or in parts that are sent side by side.

    A failure, or a Ctrl-C, gives up the upload and leaves no parts behind.

    Args:
        path_or_file: A path, or a binary file that is read from where it stands; it need not be
            able to go back.
        bucket: The bucket.
        key: The key; it reaches the server unchanged.
        content_type: Its media type (application/octet-stream).
        metadata: What to keep with it, by name, without `x-amz-meta-`.
        part_size: Bytes, from 5 MiB to 5 GiB (8 MiB; more where a file would have more than 10,000
            parts). As many parts as run side by side are in memory, 8 at most.
        extra_headers: More headers, of the request that makes the object.
    """
    size = _checked_part_size(part_size)
    kept: dict[str, Any] = {"metadata": metadata, "extra_headers": extra_headers}
    with source(path_or_file) as (file, total):
        chunks = chunks_of(file, max(size, -(-total // MOST_PARTS)))
        first, second = next(chunks, b""), next(chunks, b"")
        if not second:
            return (yield from put(setup, bucket, key, first, content_type=content_type, **kept))
        begun = yield from begin(setup, bucket, key, content_type=content_type or _TYPE, **kept)
        parts = chain([first, second], chunks)
        del first, second  # the chain lets go of what it has handed on
        return (yield from _in_parts(begun, parts, _at_once(setup)))


def _in_parts(begun: Upload, parts: Iterator[bytes], at_once: int) -> Generator[Asks, Any, Written]:
    etags: list[str] = []
    try:
        while wave := begun.parts(islice(parts, at_once), len(etags) + 1):
            etags += yield wave
            wave.clear()
        return (yield from begun.finish(etags))
    except GeneratorExit:  # nobody is left who could send anything
        raise
    except BaseException as error:
        try:
            yield begun.abort()
        except NotFoundError:  # there is nothing left of it
            pass
        except Exception:  # noqa: BLE001 - the first error is the one to tell
            text = f"the upload {begun.upload_id} could not be aborted: its parts take up space"
            note(error, text, "adapters.s3")
        raise


def download(
    setup: Setup,
    bucket: str,
    key: str,
    path_or_file: FileOrPath,
    *,
    version_id: str | None = None,
    part_size: int | None = None,
    extra_headers: Mapping[str, str] | None = None,
) -> Flow[ObjectInfo]:
    """Read an object of any size into a file, in parts that are fetched side by side.

    All parts are of one object: where it changes meanwhile the call fails with a `ConflictError`.
    At a path nothing shows before all of it is there, whatever happens.

    Args:
        bucket: The bucket.
        key: The key.
        path_or_file: A path, or a binary file that is written from where it stands.
        version_id: A version other than the newest.
        part_size: Bytes, at least 5 MiB (8 MiB). As many parts as run side by side are in memory,
            8 at most.
        extra_headers: More headers.
    """
    size = _checked_part_size(part_size)
    check_target(path_or_file)
    options: dict[str, Any] = {"version_id": version_id, "extra_headers": extra_headers}
    parts = _Parts(setup, bucket, key, options)
    try:
        first = yield from asked(setup, encoded(bucket), parts.ask(0, size - 1, None))
    except BadRequestError as error:
        if error.status_code != _NO_SUCH_RANGE:
            raise
        first = yield from get(setup, bucket, key, **options)  # it is empty
    with target(path_or_file) as file:
        write_all(file, first.body)
        starts = iter(range(len(first.body), first.size, size))
        while wave := [
            parts.ask(start, min(start + size, first.size) - 1, first)
            for start in islice(starts, _at_once(setup))
        ]:
            for found in (yield wave):
                write_all(file, found.body)
    return ObjectInfo(**{each.name: getattr(first, each.name) for each in fields(ObjectInfo)})


@record(kw_only=False)
class _Parts:
    """The parts of one object that is read."""

    setup: Setup
    bucket: str
    key: str
    options: Mapping[str, Any]

    def ask(self, first: int, last: int, begun: StoredObject | None) -> Ask[StoredObject]:
        """Return what reads a range: of the object that has begun, from where it was begun."""
        etag = begun.etag if begun is not None and begun.etag.startswith('"') else None
        built = request(
            "download",
            "GET",
            self.bucket,
            self.key,
            query={"versionId": self.options["version_id"]},
            headers={"Range": range_header((first, last)), "If-Match": etag},
            extra_headers=self.options["extra_headers"],
            as_stored=True,
        )

        def parse(reply: Reply, found: ET.Element) -> StoredObject:
            part = parse_object(reply, found)
            # A server that knows no ranges gives all of it at once, to the first request.
            size = min(last, part.size - 1) - first + 1 if reply.status == _PARTIAL else part.size
            if len(part.body) != size or (first and reply.status != _PARTIAL):
                msg = "another range than was asked for"
                raise ValueError(msg)
            return part

        read = reading(self.setup, encoded(self.bucket), parse)
        return Ask(built, read=read, entry=None if begun is None else begun.key_name)


def _at_once(setup: Setup) -> int:
    return min(setup.width, _AT_ONCE)


def _checked_part_size(size: int | None) -> int:
    if size is None:
        return _PART
    given: Any = size
    if not is_count(given) or not _SMALLEST_PART <= size <= _LARGEST_PART:
        fail("part_size", "must be a number of bytes from 5 MiB to 5 GiB", size)
    return size
