"""Where a request of S3 goes, and for which region and time it is signed.

A server that knows better says so in its refusal: what it says is remembered by the client, and
the request is sent once more. Pure, but for the clock and what a client has learned.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import unquote

from adapters._flows import Ask, Asks
from adapters._messages import Reply, Request
from adapters._setup import Setup
from adapters.errors import AdapterError
from resilience import _clock

__all__ = [
    "asked",
    "bucket_in",
    "describe_span",
    "knowledge",
    "learn",
    "now",
    "region_of",
    "relocate",
]

R = TypeVar("R")

_CORRECTIONS = 2  # region and clock
_REGION = "us-east-1"
# The vendor's own hosts, where each region has one; a China region ends with a label more.
_HOST = re.compile(
    r"https://s3(?:[.-](?P<region>[a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com(?:\.cn)?"
)
_BODY_REGION = re.compile(rb"<Region>([A-Za-z0-9-]+)</Region>")
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_REDIRECTS = frozenset({301, 307, 400})
_FORBIDDEN = 403
_LONGEST_SKEW = 900  # seconds, beyond which S3 refuses a signature
_MOST_BUCKETS = 1_000  # whose regions are remembered


def bucket_in(path: str) -> str:
    """Return the bucket of a path, as it is written there."""
    return re.split("[/?]", path, maxsplit=1)[0]


def describe_span(request: Request) -> tuple[str, dict[str, str]]:
    """Return name and attributes of the span of a request; no key of an object is among them.

    Source: the semantic conventions of OpenTelemetry for object stores, "AWS S3".
    """
    attributes = {"rpc.system": "aws-api", "rpc.service": "S3", "rpc.method": request.operation}
    bucket = unquote(bucket_in(request.path))
    return f"S3/{request.operation}", attributes | ({"aws.s3.bucket": bucket} if bucket else {})


def region_of(setup: Setup, base_url: str, path: str) -> str:
    """Return the region that a request is signed for: what was learned, else what was set."""
    learned = setup.learned.get(f"region {bucket_in(path)}")
    if learned is not None:
        return str(learned)
    match = _HOST.fullmatch(base_url)
    if match is not None and match["region"]:
        return match["region"]
    return str(setup.own["region"] or _REGION)


def relocate(setup: Setup, base_url: str, path: str) -> str:
    """Return the vendor's address for the region of a bucket; others have one for all regions.

    It is built here and not read from an answer, so that nobody can lead requests elsewhere.
    """
    if _HOST.fullmatch(base_url) is None:
        return base_url
    region = region_of(setup, base_url, path)
    return f"https://s3.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}"


def now(setup: Setup) -> datetime:
    """Return the time as the server has it, as far as is known."""
    return datetime.fromtimestamp(_clock.wall() + setup.learned.get("skew", 0.0), UTC)


def knowledge(setup: Setup, bucket: str) -> tuple[object, object]:
    """Return what is known of clock and region; it changes when something was learned."""
    return setup.learned.get("skew"), setup.learned.get(f"region {bucket}")


def learn(setup: Setup, bucket: str, reply: Reply) -> None:
    """Take note of what a refusal says about clock and region."""
    if reply.status == _FORBIDDEN:
        _learn_time(setup, reply)
    elif reply.status in _REDIRECTS:
        region = reply.headers.get("x-amz-bucket-region") or _region_in(reply.body)
        known = region_of(setup, setup.base_url, bucket)
        if region and _NAME.fullmatch(region) and region != known:
            if len(setup.learned) > _MOST_BUCKETS:
                setup.learned.clear()
            setup.learned[f"region {bucket}"] = region


def asked(setup: Setup, bucket: str, ask: Ask[R]) -> Generator[Asks, Any, R]:
    """Ask; where the refusal says what was wrong with region or clock, ask again."""
    for _ in range(_CORRECTIONS):
        known = knowledge(setup, bucket)
        try:
            result: R = yield ask
        except AdapterError:
            if knowledge(setup, bucket) == known:
                raise
        else:
            return result
    result = yield ask
    return result


def _learn_time(setup: Setup, reply: Reply) -> None:
    """Compare the clocks: a HEAD has no body that could say that they differ."""
    try:
        theirs = parsedate_to_datetime(reply.headers.get("date", "")).timestamp()
    except (ValueError, OverflowError):
        return
    if abs(theirs - now(setup).timestamp()) > _LONGEST_SKEW:
        setup.learned["skew"] = theirs - _clock.wall()


def _region_in(body: bytes) -> str | None:
    match = _BODY_REGION.search(body)
    return match[1].decode() if match else None
