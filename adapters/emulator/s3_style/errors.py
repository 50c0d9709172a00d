"""Errors of S3: XML with a code, or nothing at all where a HEAD was asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from adapters.emulator.answers import digest
from adapters.emulator.protocol import Answer, Call, Headers, Problem, Quota

__all__ = ["S3Problem", "headers", "no_such", "problem", "soft_problem", "stream_problem"]

# Status to the code that it usually has.
_USUAL: Mapping[int, str] = {
    400: "InvalidRequest",
    401: "AccessDenied",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    409: "OperationAborted",
    412: "PreconditionFailed",
    413: "EntityTooLarge",
    416: "InvalidRange",
    429: "TooManyRequests",
    500: "InternalError",
    501: "NotImplemented",
    502: "BadGateway",
    503: "SlowDown",
    504: "GatewayTimeout",
    529: "SlowDown",
}
# Code to what it usually says.
_MESSAGES: Mapping[str, str] = {
    "AccessDenied": "Access Denied",
    "BadDigest": "The Content-MD5 or checksum value that you specified did not match what the "
    "server received.",
    "BucketAlreadyOwnedByYou": "The bucket that you tried to create already exists, and you own "
    "it.",
    "BucketNotEmpty": "The bucket you tried to delete is not empty.",
    "EntityTooSmall": "Your proposed upload is smaller than the minimum allowed object size.",
    "InternalError": "We encountered an internal error. Please try again.",
    "InvalidAccessKeyId": "The AWS access key ID that you provided does not exist in our records.",
    "InvalidBucketName": "The specified bucket is not valid.",
    "InvalidDigest": "The Content-MD5 or checksum value that you specified is not valid.",
    "InvalidPart": "One or more of the specified parts could not be found.",
    "InvalidPartOrder": "The list of parts was not in ascending order.",
    "InvalidRange": "The requested range is not satisfiable.",
    "InvalidToken": "The provided token is malformed or otherwise not valid.",
    "KeyTooLongError": "Your key is too long.",
    "MalformedXML": "The XML that you provided was not well formed or did not validate against "
    "our published schema.",
    "MethodNotAllowed": "The specified method is not allowed against this resource.",
    "NoSuchBucket": "The specified bucket does not exist.",
    "NoSuchKey": "The specified key does not exist.",
    "NoSuchUpload": "The specified multipart upload does not exist.",
    "NotImplemented": "A header or query that you provided implies functionality that is not "
    "implemented.",
    "OperationAborted": "A conflicting conditional operation is currently in progress against "
    "this resource. Try again.",
    "PreconditionFailed": "At least one of the preconditions that you specified did not hold.",
    "RequestTimeTooSkewed": "The difference between the request time and the server's time is "
    "too large.",
    "SignatureDoesNotMatch": "The request signature that the server calculated does not match "
    "the signature that you provided. Check your secret access key and signing method.",
    "SlowDown": "Please reduce your request rate.",
    "TooManyRequests": "Please reduce your request rate.",
    "XAmzContentSHA256Mismatch": "The provided 'x-amz-content-sha256' header does not match what "
    "was computed.",
}
_WORDS = {"insufficient_quota": "QuotaExceeded"}  # the emulator's word to that of S3
_NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class S3Problem(Problem):
    """A problem with more elements in its document, and more headers."""

    details: Mapping[str, str] = field(default_factory=dict)
    headers: Headers = field(default_factory=list)


def problem(problem: Problem, call: Call) -> Answer:
    """Answer with an error: its status, and a document with its code."""
    extra = tuple(problem.headers) if isinstance(problem, S3Problem) else ()
    if problem.status == _NOT_MODIFIED:
        return Answer(problem.status, headers=extra)
    return Answer(
        problem.status, _document(problem, call), content_type=b"application/xml", headers=extra
    )


def soft_problem(problem: Problem, call: Call) -> Answer:
    """Answer with an error and status 200: copying and finishing an upload may do that."""
    return Answer(200, _document(problem, call), content_type=b"application/xml")


def stream_problem(problem: Problem, call: Call, _position: int) -> bytes:
    """Write the document of an error; nothing here is a stream of events."""
    return _document(problem, call)


def _document(problem: Problem, call: Call) -> bytes:
    code = problem.code or _USUAL.get(problem.status, "InternalError")
    code = _WORDS.get(code, code)
    details = problem.details if isinstance(problem, S3Problem) else {}
    fields = {
        "Code": code,
        "Message": problem.message or _MESSAGES.get(code, code),
        **details,
        "Resource": call.target.decode("ascii", "replace"),
        "RequestId": _request_id(call),
        "HostId": _host_id(call),
    }
    inside = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inside}</Error>'.encode()


def no_such(code: str, **details: str) -> S3Problem:
    """Return the problem of a thing that there is not."""
    return S3Problem(404, code=code, details=details)


def headers(call: Call, _quota: Quota | None) -> Headers:
    """Give the headers of each answer: the server's ids of the request."""
    return [
        (b"x-amz-request-id", _request_id(call).encode()),
        (b"x-amz-id-2", _host_id(call).encode()),
        (b"server", b"AmazonS3"),
    ]


def _request_id(call: Call) -> str:
    return call.request_id.removeprefix("req_")[:16].upper()


def _host_id(call: Call) -> str:
    return digest("host", call.request_id, size=64)
