"""Operations on buckets, and the one that deletes many objects."""

from __future__ import annotations

from adapters.emulator.protocol import Answer, Call, Operation, Refusal
from adapters.emulator.s3_style.conditions import check_sums
from adapters.emulator.s3_style.documents import answer, iso_date, read_document
from adapters.emulator.s3_style.errors import S3Problem
from adapters.emulator.s3_style.names import checked_bucket
from adapters.emulator.s3_style.store import REGION, Bucket, Store, bucket_of

__all__ = ["bucket_operations"]

_MOST_KEYS = 1_000


def bucket_operations() -> tuple[Operation, ...]:
    """Return the operations on buckets."""
    path = "/{bucket}"
    return (
        Operation("buckets", "GET", "/", _list, takes_json=False),
        Operation("create_bucket", "PUT", path, _create, takes_json=False),
        Operation("head_bucket", "HEAD", path, _head, takes_json=False),
        Operation("locate_bucket", "GET", path, _locate, takes_json=False),
        Operation("delete_bucket", "DELETE", path, _delete, takes_json=False),
        Operation("delete_many", "POST", path, _delete_many, takes_json=False),
    )


def _list(call: Call) -> Answer:
    store: Store = call.memory
    buckets = [
        {"Name": each.name, "CreationDate": iso_date(each.created)}
        for each in sorted(store.buckets.values(), key=lambda bucket: bucket.name)
    ]
    owner = {"ID": "emulator", "DisplayName": "emulator"}
    return answer("ListAllMyBucketsResult", {"Owner": owner, "Buckets": {"Bucket": buckets}})


def _create(call: Call) -> Answer:
    store: Store = call.memory
    name = checked_bucket(call.params["bucket"])
    region = REGION
    if call.body:
        document = read_document(call.body, "CreateBucketConfiguration")
        region = document.findtext("LocationConstraint") or REGION
    if name in store.buckets:
        details = {"BucketName": name}
        raise Refusal(S3Problem(409, code="BucketAlreadyOwnedByYou", details=details))
    store.buckets[name] = Bucket(name, region)
    location = (b"location", f"/{name}".encode())
    return Answer(200, content_type=b"application/xml", headers=(location,))


def _head(call: Call) -> Answer:
    region = bucket_of(call).region.encode()
    headers = ((b"x-amz-bucket-region", region),)
    return Answer(200, content_type=b"application/xml", headers=headers)


def _locate(call: Call) -> Answer:
    region = bucket_of(call).region
    content = "" if region == REGION else region
    document = f'<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{content}'
    body = f"{document}</LocationConstraint>".encode()
    return Answer(200, body, content_type=b"application/xml")


def _delete(call: Call) -> Answer:
    store: Store = call.memory
    bucket = bucket_of(call)
    if bucket.objects:
        raise Refusal(S3Problem(409, code="BucketNotEmpty", details={"BucketName": bucket.name}))
    del store.buckets[bucket.name]
    return Answer(204, content_type=b"application/xml")


def _delete_many(call: Call) -> Answer:
    bucket = bucket_of(call)
    if not check_sums(call):
        message = "Missing required header for this request: Content-MD5"
        raise Refusal(S3Problem(400, message, code="InvalidRequest"))
    document = read_document(call.body, "Delete")
    keys = [each.findtext("Key") for each in document.iter("Object")]
    if not 1 <= len(keys) <= _MOST_KEYS or None in keys:
        raise Refusal(S3Problem(400, code="MalformedXML"))
    for key in keys:
        bucket.objects.pop(str(key), None)
    is_quiet = document.findtext("Quiet") == "true"
    deleted = [] if is_quiet else [{"Key": key} for key in keys]
    return answer("DeleteResult", {"Deleted": deleted})
