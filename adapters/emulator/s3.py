"""S3: buckets and objects in memory, and requests whose signatures are checked."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.emulator.protocol import Call, Operation, Problem, Provider, Refusal
from adapters.emulator.s3_style.buckets import bucket_operations
from adapters.emulator.s3_style.credentials import Credentials, make_keys
from adapters.emulator.s3_style.errors import (
    S3Problem,
    headers,
    problem,
    soft_problem,
    stream_problem,
)
from adapters.emulator.s3_style.listing import listing_operations
from adapters.emulator.s3_style.multipart import multipart_operations
from adapters.emulator.s3_style.names import place_of, query_of
from adapters.emulator.s3_style.objects import object_operations
from adapters.emulator.s3_style.signatures import authenticate
from adapters.emulator.s3_style.store import Store

__all__ = ["PROVIDER"]

# Fields of the query that have a say in which operation is meant.
_SUBRESOURCES = frozenset({"delete", "list-type", "location", "partNumber", "uploadId", "uploads"})
_COPY = "x-amz-copy-source"
# Method, what is addressed, and these fields (a copy has its header among them) to the operation.
_ROUTES: Mapping[tuple[str, str, frozenset[str]], str] = {
    ("GET", "service", frozenset()): "buckets",
    ("PUT", "bucket", frozenset()): "create_bucket",
    ("HEAD", "bucket", frozenset()): "head_bucket",
    ("DELETE", "bucket", frozenset()): "delete_bucket",
    ("GET", "bucket", frozenset({"location"})): "locate_bucket",
    ("GET", "bucket", frozenset({"list-type"})): "list",
    ("GET", "bucket", frozenset({"uploads"})): "list_uploads",
    ("POST", "bucket", frozenset({"delete"})): "delete_many",
    ("GET", "object", frozenset()): "get",
    ("HEAD", "object", frozenset()): "head",
    ("PUT", "object", frozenset()): "put",
    ("PUT", "object", frozenset({_COPY})): "copy",
    ("DELETE", "object", frozenset()): "delete",
    ("POST", "object", frozenset({"uploads"})): "begin_upload",
    ("PUT", "object", frozenset({"partNumber", "uploadId"})): "put_part",
    ("PUT", "object", frozenset({"partNumber", "uploadId", _COPY})): "copy_part",
    ("POST", "object", frozenset({"uploadId"})): "finish_upload",
    ("DELETE", "object", frozenset({"uploadId"})): "abort_upload",
    ("GET", "object", frozenset({"uploadId"})): "list_parts",
}


class _S3(Provider):
    """A provider whose operations are told apart by method, path, query and a header."""

    def route(self, call: Call) -> Operation:
        bucket, key = place_of(call.target)
        call.params = {"bucket": bucket, "key": key}
        what = "object" if key else "bucket" if bucket else "service"
        asked = _SUBRESOURCES & query_of(call).keys()
        if call.header(_COPY):
            asked |= {_COPY}
        name = _ROUTES.get((call.method, what, frozenset(asked)))
        if name is None:
            raise Refusal(_unrouted(call.method, what, asked))
        call.operation = name
        return next(each for each in self.operations if each.name == name)


def _unrouted(method: str, what: str, asked: frozenset[str]) -> Problem:
    if method in {"GET", "HEAD", "PUT", "POST", "DELETE"} and (asked or what != "object"):
        return S3Problem(501, code="NotImplemented")
    return S3Problem(405, code="MethodNotAllowed", details={"Method": method})


def _describe(call: Call) -> None:
    """Find neither model nor stream."""


PROVIDER = _S3(
    name="s3",
    base_path="",
    operations=(
        *bucket_operations(),
        *listing_operations(),
        *object_operations(),
        *multipart_operations(),
    ),
    keys=make_keys,
    authenticate=authenticate,
    problem=problem,
    stream_problem=stream_problem,
    soft_problem=soft_problem,
    headers=headers,
    describe=_describe,
    milliseconds_header=b"x-amz-retry-after",
    remember=Store,
    credentials=Credentials.describe,
)
