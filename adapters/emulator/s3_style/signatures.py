"""Signature Version 4 as the server checks it: in the headers, or in the query of a presigned URL.

Written after the vendor's description of the protocol, and not with any client's code, so that
clients can be tested against it:
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from adapters.emulator.protocol import Call, Refusal
from adapters.emulator.s3_style.credentials import Credentials
from adapters.emulator.s3_style.documents import iso_date
from adapters.emulator.s3_style.errors import S3Problem
from adapters.emulator.s3_style.names import place_of, query_of, uri_encode
from adapters.emulator.s3_style.store import REGION, Store

__all__ = ["authenticate"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNSIGNED = "UNSIGNED-PAYLOAD"
_LONGEST_SKEW = 900  # seconds
_LONGEST_LIFE = 604_800  # seconds that a presigned URL may be good for
_HEADER = re.compile(
    rf"{_ALGORITHM}\s+Credential=(?P<credential>[^,\s]+)\s*,\s*SignedHeaders=(?P<signed>[^,\s]+)"
    r"\s*,\s*Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says about its signature."""

    access_key: str
    date: str
    region: str
    service: str
    terminator: str
    time: str
    signed: tuple[str, ...]
    signature: str
    payload: str
    token: str


def authenticate(call: Call, keys: Mapping[str, str]) -> str | None:
    """Return the name of the key that has signed a request.

    Raises:
        Refusal: if none has, or not this very request.
    """
    query = query_of(call)
    is_presigned = "X-Amz-Signature" in query
    claim = _from_query(query) if is_presigned else _from_headers(call)
    credentials = _known(claim, keys)
    _check_scope(call, claim)
    _check_time(claim, query if is_presigned else None)
    _check_signed(call, claim)
    request = _canonical_request(call, claim)
    to_sign = "\n".join([_ALGORITHM, claim.time, _scope(claim), _sha256(request.encode())])
    if not hmac.compare_digest(claim.signature, _signature(credentials.secret_key, claim, to_sign)):
        details = {
            "AWSAccessKeyId": claim.access_key,
            "StringToSign": to_sign,
            "SignatureProvided": claim.signature,
            "CanonicalRequest": request,
        }
        raise Refusal(S3Problem(403, code="SignatureDoesNotMatch", details=details))
    if claim.payload != _UNSIGNED and claim.payload != _sha256(call.body):
        raise Refusal(S3Problem(400, code="XAmzContentSHA256Mismatch"))
    return credentials.name


def _from_headers(call: Call) -> _Claim:
    given = call.header("authorization")
    if not given:
        raise _denied("Access Denied")
    match = _HEADER.fullmatch(given)
    if match is None:
        message = f"The authorization header that you provided is not valid: {_ALGORITHM} is needed"
        raise Refusal(S3Problem(400, message, code="AuthorizationHeaderMalformed"))
    payload = call.header("x-amz-content-sha256")
    if not payload:
        message = "Missing required header for this request: x-amz-content-sha256"
        raise Refusal(S3Problem(400, message, code="InvalidRequest"))
    if payload.startswith("STREAMING-"):
        raise Refusal(S3Problem(501, code="NotImplemented", details={"Header": payload}))
    date, token = call.header("x-amz-date"), call.header("x-amz-security-token")
    if not date:
        raise _denied("AWS authentication requires a valid Date or x-amz-date header")
    signed = tuple(match["signed"].split(";"))
    return _Claim(
        *_credential(match["credential"]), date, signed, match["signature"], payload, token
    )


def _from_query(query: Mapping[str, str]) -> _Claim:
    missing = [
        name
        for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders")
        if f"X-Amz-{name}" not in query
    ]
    if missing or query["X-Amz-Algorithm"] != _ALGORITHM:
        raise _bad_query("Query-string authentication version 4 requires all of its parameters")
    expires = query["X-Amz-Expires"]
    if not expires.isdecimal() or not 1 <= int(expires) <= _LONGEST_LIFE:
        raise _bad_query(f"X-Amz-Expires must be a number of seconds from 1 to {_LONGEST_LIFE}")
    return _Claim(
        *_credential(query["X-Amz-Credential"]),
        query["X-Amz-Date"],
        tuple(query["X-Amz-SignedHeaders"].split(";")),
        query["X-Amz-Signature"],
        _UNSIGNED,
        query.get("X-Amz-Security-Token", ""),
    )


def _credential(text: str) -> tuple[str, str, str, str, str]:
    try:
        access_key, date, region, service, terminator = text.split("/")
    except ValueError:
        message = "The credential is malformed: it must be KEY/DATE/REGION/s3/aws4_request"
        problem = S3Problem(400, message, code="AuthorizationHeaderMalformed")
        raise Refusal(problem) from None
    return access_key, date, region, service, terminator


def _known(claim: _Claim, keys: Mapping[str, str]) -> Credentials:
    known = (Credentials.of(name, secret) for name, secret in keys.items())
    found = next((each for each in known if each.access_key == claim.access_key), None)
    if found is None:
        details = {"AWSAccessKeyId": claim.access_key}
        raise Refusal(S3Problem(403, code="InvalidAccessKeyId", details=details))
    if (found.session_token or "") != claim.token:
        raise Refusal(S3Problem(400, code="InvalidToken"))
    return found


def _check_scope(call: Call, claim: _Claim) -> None:
    store: Store = call.memory
    bucket = store.buckets.get(place_of(call.target)[0])
    expected = bucket.region if bucket is not None else REGION
    if claim.region != expected:
        message = f"The region {claim.region!r} is wrong; expecting {expected!r}"
        region = [(b"x-amz-bucket-region", expected.encode())]
        raise Refusal(
            S3Problem(
                400,
                message,
                code="AuthorizationHeaderMalformed",
                details={"Region": expected},
                headers=region,
            )
        )
    if (claim.service, claim.terminator, claim.date) != ("s3", "aws4_request", claim.time[:8]):
        message = "The credential's date, service or ending is wrong"
        raise Refusal(S3Problem(400, message, code="AuthorizationHeaderMalformed"))


def _check_time(claim: _Claim, query: Mapping[str, str] | None) -> None:
    now = time.time()
    try:
        signed_at = datetime.strptime(claim.time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _denied("AWS authentication requires a valid Date or x-amz-date header") from None
    times = {"ServerTime": iso_date(now)}
    if query is None:
        if abs(now - signed_at) > _LONGEST_SKEW:
            skew = {"RequestTime": claim.time, "MaxAllowedSkewMilliseconds": "900000"}
            raise Refusal(S3Problem(403, code="RequestTimeTooSkewed", details={**skew, **times}))
        return
    if signed_at - now > _LONGEST_SKEW:
        raise _denied("Request is not valid yet", **times)
    ends = signed_at + int(query["X-Amz-Expires"])
    if now > ends:
        raise _denied("Request has expired", Expires=iso_date(ends), **times)


def _check_signed(call: Call, claim: _Claim) -> None:
    names = [name.decode("latin-1") for name in call.headers]
    needed = {"host", *(name for name in names if name.startswith("x-amz-"))}
    if unsigned := sorted(needed - set(claim.signed)):
        message = "There were headers present in the request which were not signed"
        raise _denied(message, HeadersNotSigned=", ".join(unsigned))


def _canonical_request(call: Call, claim: _Claim) -> str:
    pairs = (pair.partition("=") for pair in call.query.decode("ascii").split("&") if pair)
    query = sorted((uri_encode(name), uri_encode(value)) for name, _, value in pairs)
    return "\n".join(
        [
            call.method,
            uri_encode(call.target.decode("ascii"), is_path=True),
            "&".join(f"{name}={value}" for name, value in query if name != "X-Amz-Signature"),
            *(f"{name}:{' '.join(call.header(name).split())}" for name in claim.signed),
            "",
            ";".join(claim.signed),
            claim.payload,
        ]
    )


def _scope(claim: _Claim) -> str:
    return f"{claim.date}/{claim.region}/{claim.service}/{claim.terminator}"


def _signature(secret: str, claim: _Claim, to_sign: str) -> str:
    key = f"AWS4{secret}".encode()
    for part in (claim.date, claim.region, claim.service, claim.terminator, to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _denied(message: str, **details: str) -> Refusal:
    return Refusal(S3Problem(403, message, code="AccessDenied", details=details))


def _bad_query(message: str) -> Refusal:
    return Refusal(S3Problem(400, message, code="AuthorizationQueryParametersError"))
