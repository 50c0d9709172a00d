"""Uploads in parts."""

from __future__ import annotations

import hashlib

from adapters.emulator.protocol import Answer, Call, Operation, Refusal
from adapters.emulator.s3_style.conditions import check_conditions, check_sums, range_of
from adapters.emulator.s3_style.documents import answer, iso_date, read_document
from adapters.emulator.s3_style.errors import S3Problem, no_such
from adapters.emulator.s3_style.names import checked_key, query_of
from adapters.emulator.s3_style.objects import copy_source, kept_headers
from adapters.emulator.s3_style.store import Part, Store, StoredObject, Upload, bucket_of

__all__ = ["multipart_operations"]

_MOST_PARTS = 10_000
_SMALLEST_PART = 5 * 1024 * 1024  # bytes, of all but the last


def multipart_operations() -> tuple[Operation, ...]:
    """Return the operations on uploads."""
    path = "/{bucket}/{key:path}"
    return (
        Operation("begin_upload", "POST", path, _begin, takes_json=False),
        Operation("put_part", "PUT", path, _put_part, takes_json=False),
        Operation("copy_part", "PUT", path, _copy_part, takes_json=False),
        Operation("finish_upload", "POST", path, _finish, takes_json=False),
        Operation("abort_upload", "DELETE", path, _abort, takes_json=False),
        Operation("list_parts", "GET", path, _list_parts, takes_json=False),
        Operation("list_uploads", "GET", "/{bucket}", _list_uploads, takes_json=False),
    )


def _begin(call: Call) -> Answer:
    store: Store = call.memory
    bucket, key = bucket_of(call), checked_key(call.params["key"])
    upload_id = store.begin_upload(bucket, Upload(key, kept_headers(call)))
    return answer(
        "InitiateMultipartUploadResult",
        {"Bucket": bucket.name, "Key": key, "UploadId": upload_id},
    )


def _put_part(call: Call) -> Answer:
    upload, number = _upload(call), _number(call)
    check_sums(call)
    upload.parts[number] = part = _part(call.body)
    return Answer(200, content_type=b"application/xml", headers=((b"etag", _quoted(part)),))


def _copy_part(call: Call) -> Answer:
    upload, number = _upload(call), _number(call)
    body = copy_source(call).body
    wanted = call.header("x-amz-copy-source-range")
    if wanted:
        call.headers = {**call.headers, b"range": wanted.encode("latin-1")}
        first, last = range_of(call, len(body)) or (0, len(body) - 1)
        body = body[first : last + 1]
    upload.parts[number] = part = _part(body)
    fields = {"LastModified": iso_date(part.modified), "ETag": f'"{part.etag}"'}
    return answer("CopyPartResult", fields)


def _finish(call: Call) -> Answer:
    bucket, upload = bucket_of(call), _upload(call)
    check_conditions(call, bucket.objects.get(upload.key))
    document = read_document(call.body, "CompleteMultipartUpload")
    asked = [
        (part.findtext("PartNumber", ""), part.findtext("ETag", "").strip('"'))
        for part in document.iter("Part")
    ]
    if not asked or not all(number.isdecimal() for number, _ in asked):
        raise Refusal(S3Problem(400, code="MalformedXML"))
    numbers = [int(number) for number, _ in asked]
    if numbers != sorted(set(numbers)):
        raise Refusal(S3Problem(400, code="InvalidPartOrder"))
    parts = [_asked(upload, int(number), tag) for number, tag in asked]
    if any(len(part.body) < _SMALLEST_PART for part in parts[:-1]):
        raise Refusal(S3Problem(400, code="EntityTooSmall"))
    tags = b"".join(bytes.fromhex(part.etag) for part in parts)
    etag = f"{hashlib.md5(tags, usedforsecurity=False).hexdigest()}-{len(parts)}"
    body = b"".join(part.body for part in parts)
    bucket.objects[upload.key] = StoredObject(body, etag, upload.headers)
    del bucket.uploads[query_of(call)["uploadId"]]
    return answer(
        "CompleteMultipartUploadResult",
        {"Bucket": bucket.name, "Key": upload.key, "ETag": f'"{etag}"'},
    )


def _abort(call: Call) -> Answer:
    _upload(call)
    del bucket_of(call).uploads[query_of(call)["uploadId"]]
    return Answer(204, content_type=b"application/xml")


def _list_parts(call: Call) -> Answer:
    upload = _upload(call)
    parts = [
        {
            "PartNumber": number,
            "LastModified": iso_date(part.modified),
            "ETag": f'"{part.etag}"',
            "Size": len(part.body),
        }
        for number, part in sorted(upload.parts.items())
    ]
    fields = {"Bucket": bucket_of(call).name, "Key": upload.key}
    fields |= {"UploadId": query_of(call)["uploadId"], "IsTruncated": "false"}
    return answer("ListPartsResult", {**fields, "Part": parts})


def _list_uploads(call: Call) -> Answer:
    bucket = bucket_of(call)
    uploads = [
        {"Key": upload.key, "UploadId": name, "Initiated": iso_date(upload.began)}
        for name, upload in sorted(bucket.uploads.items(), key=lambda item: item[1].key)
    ]
    fields = {"Bucket": bucket.name, "IsTruncated": False, "Upload": uploads}
    return answer("ListMultipartUploadsResult", fields)


def _upload(call: Call) -> Upload:
    uploads = bucket_of(call).uploads
    upload_id = query_of(call).get("uploadId", "")
    if upload_id not in uploads or uploads[upload_id].key != call.params["key"]:
        raise Refusal(no_such("NoSuchUpload", UploadId=upload_id))
    return uploads[upload_id]


def _number(call: Call) -> int:
    text = query_of(call).get("partNumber", "")
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_PARTS:
        message = f"Part number must be an integer between 1 and {_MOST_PARTS}, inclusive"
        raise Refusal(S3Problem(400, message, code="InvalidArgument"))
    return int(text)


def _asked(upload: Upload, number: int, tag: str) -> Part:
    part = upload.parts.get(number)
    if part is None or part.etag != tag:
        details = {"PartNumber": str(number), "ETag": tag}
        raise Refusal(S3Problem(400, code="InvalidPart", details=details))
    return part


def _part(body: bytes) -> Part:
    return Part(body, hashlib.md5(body, usedforsecurity=False).hexdigest())


def _quoted(part: Part) -> bytes:
    return f'"{part.etag}"'.encode()
