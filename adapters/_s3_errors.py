"""Errors of S3: documents with a code, which says more than the status."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from adapters._failures import ErrorTable
from adapters._said import Said, said
from adapters.errors import (
    AccessDeniedError,
    AdapterError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    OverloadedError,
    PayloadTooLargeError,
    QuotaExceededError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
)

__all__ = ["S3_ERRORS"]

# A document may have been cut where it is very long; so it is searched and not parsed.
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9.:_-]{1,100})\s*</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,500})</Message>")

_CLASSES: Mapping[type[AdapterError], str] = {
    RateLimitError: "SlowDown Throttling ThrottlingException ThrottledException RequestThrottled "
    "RequestThrottledException RequestLimitExceeded BandwidthLimitExceeded TooManyRequests "
    "TooManyRequestsException",
    OverloadedError: "ServiceUnavailable",
    ServerError: "InternalError",
    RequestTimeoutError: "RequestTimeout RequestTimeoutException",
    AuthenticationError: "InvalidAccessKeyId SignatureDoesNotMatch ExpiredToken InvalidToken "
    "TokenRefreshRequired InvalidSecurity NotSignedUp AccountProblem AuthFailure",
    AccessDeniedError: "AccessDenied AllAccessDisabled",
    QuotaExceededError: "QuotaExceeded",
    NotFoundError: "NoSuchBucket NoSuchKey NoSuchUpload NoSuchVersion",
    ConflictError: "PreconditionFailed OperationAborted ConditionalRequestConflict "
    "PriorRequestNotComplete BucketAlreadyExists BucketAlreadyOwnedByYou BucketNotEmpty "
    "InvalidObjectState",
    PayloadTooLargeError: "EntityTooLarge",
    # The first four are mended and sent again, once: `_s3_places`.
    BadRequestError: "RequestTimeTooSkewed AuthorizationHeaderMalformed PermanentRedirect "
    "TemporaryRedirect BadDigest EntityTooSmall InvalidArgument InvalidBucketName InvalidPart "
    "InvalidPartOrder InvalidRange InvalidRequest KeyTooLongError MalformedXML",
}


def _said(body: Any) -> Said:
    """Find code and message in a document, or whatever else a proxy has answered with."""
    if not isinstance(body, str):
        return said(body)
    code, message = _CODE.search(body), _MESSAGE.search(body)
    if code is None:
        return said(body)
    return Said(message=html.unescape(message[1]).strip() if message else None, code=code[1])


S3_ERRORS = ErrorTable(
    words={word: cls for cls, words in _CLASSES.items() for word in words.split()},
    words_first=True,
    statuses={
        301: BadRequestError,
        304: ConflictError,
        307: BadRequestError,
        403: AccessDeniedError,  # a HEAD has no code: most often it is the object
        412: ConflictError,
        416: BadRequestError,
    },
    retryable_words=frozenset(
        {"BadDigest", "ConditionalRequestConflict", "OperationAborted", "PriorRequestNotComplete"}
    ),
    said=_said,
)
