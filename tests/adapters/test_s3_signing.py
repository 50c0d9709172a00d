"""Signatures are those of botocore's own entry points, byte for byte."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from freezegun import freeze_time

from adapters import s3
from adapters._provider import Unsigned
from adapters._s3_places import now
from adapters._s3_requests import request
from adapters._s3_signing import presign, sign
from adapters._setup import Setup
from adapters.errors import SettingsError

ACCESS, SECRET, TOKEN = (
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCY=",
    "FwoGZXIvYXdz//+=",
)
MOMENT = "2026-03-04 05:06:07"
PLACES = [
    "http://127.0.0.1:9000",
    "http://localhost:9000/s3",
    "https://s3.eu-west-1.amazonaws.com",
    "https://example.com:443",
]
KEYS = ["plain", "dir/a b+c.txt", "x/../y", "a//b/", "über/日本", "p%20q~", "*'()!"]


def setup_of(**own: Any) -> Setup:
    """The checked arguments of a client."""
    more = {"region": "eu-west-1", **own}
    return Setup.of(s3.Client.provider, base_url=None, settings=None, timeout=None, more=more)


def unsigned(base_url: str, key: str, **more: Any) -> Unsigned:
    """A request as it will be sent."""
    built = request("put", more.pop("method", "PUT"), "bucket", key, **more)
    headers = {"Accept": "*/*", "User-Agent": "test", **built.headers}
    if built.body is not None:
        headers["Content-Type"] = built.content_type
    return Unsigned(
        method=built.method,
        base_url=base_url,
        path=built.path,
        headers=headers,
        body=built.body,
    )


def expected(asked: Unsigned, token: str | None) -> dict[str, str]:
    """The headers that botocore adds; it is not told of those that proxies may change."""
    headers = {n: v for n, v in asked.headers.items() if n not in {"Accept", "User-Agent"}}
    made = AWSRequest(asked.method, asked.url, headers, asked.body)
    S3SigV4Auth(Credentials(ACCESS, SECRET, token), "s3", "eu-west-1").add_auth(made)
    return {name.lower(): made.headers[name] for name in made.headers if name not in headers}


@pytest.mark.parametrize("base_url", PLACES)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("token", [None, TOKEN])
@freeze_time(MOMENT)
def test_headers(base_url: str, key: str, token: str | None):
    """Each place, each kind of key, and the token of temporary credentials."""
    asked = unsigned(
        base_url,
        key,
        query={"partNumber": 3, "uploadId": "a/b+c==", "uploads": True},
        headers={"x-amz-meta-name": "  two  spaces ", "If-Match": '"tag"', "Range": "bytes=1-2"},
        body=b"hello",
    )

    signed = sign(setup_of(), s3.credentials(ACCESS, SECRET, token), asked)

    assert expected(asked, token) == {name.lower(): value for name, value in signed.items()}


@freeze_time(MOMENT)
def test_a_request_without_a_body():
    """The sum of nothing is signed."""
    asked = unsigned(PLACES[0], "key", method="GET")

    signed = sign(setup_of(), s3.credentials(ACCESS, SECRET), asked)

    assert expected(asked, None) == {name.lower(): value for name, value in signed.items()}
    assert signed["X-Amz-Content-SHA256"].startswith("e3b0c44298fc1c149afb")


@pytest.mark.parametrize("base_url", PLACES)
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("token", [None, TOKEN])
@freeze_time(MOMENT)
def test_presigned_addresses(base_url: str, key: str, method: str, token: str | None):
    """The whole address is that of botocore, whatever else stands in its query."""
    path = request("presign", method, "bucket", key, query={"versionId": "v 1"}).path
    made = AWSRequest(method, f"{base_url}/{path}")
    credentials = Credentials(ACCESS, SECRET, token)
    S3SigV4QueryAuth(credentials, "s3", "eu-west-1", expires=60).add_auth(made)

    packed = s3.credentials(ACCESS, SECRET, token)
    address = presign(setup_of(), packed, method, (base_url, path), expires=60)

    assert made.url == address


@freeze_time(MOMENT)
def test_the_time_is_that_of_the_server():
    """A client whose clock was found to be wrong signs for the right time."""
    setup = setup_of()
    asked = unsigned(PLACES[0], "key")
    setup.learned["skew"] = 3600.0

    late = sign(setup, s3.credentials(ACCESS, SECRET), asked)

    assert "20260304T060607Z" == late["X-Amz-Date"]
    with freeze_time(now(setup)):
        assert expected(asked, None)["authorization"] == late["Authorization"]
    assert timedelta(hours=1) == now(setup) - now(setup_of())


def test_nothing_is_logged(caplog):
    """The library writes what it signs into its log, token and all; this does not."""
    caplog.set_level(logging.DEBUG)

    sign(setup_of(), s3.credentials(ACCESS, SECRET, TOKEN), unsigned(PLACES[0], "key"))

    assert [] == [record for record in caplog.records if record.name.startswith("botocore")]


@pytest.mark.parametrize("key", ["no-colon", "a:b:c:d", ":secret", "access:"])
def test_what_is_no_key(key: str):
    """Half of a key is none; the error does not show it."""
    with pytest.raises(SettingsError, match="ACCESS_KEY:SECRET_KEY") as caught:
        sign(setup_of(), key, unsigned(PLACES[0], "key"))

    assert key not in str(caught.value)


def test_a_part_may_hold_anything():
    """Colons, percent signs, blanks and foreign letters survive the packing."""
    parts = ("AK:1", "se%3Acret: ü", "to:ken")

    packed = s3.credentials(*parts)

    assert packed.isascii()
    assert " " not in packed
    found = s3.Client(packed)._setup.provider.secrets_of(packed)
    assert (packed, *parts[1:]) == found
