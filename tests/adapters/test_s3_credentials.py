"""Credentials from arguments and the environment, and the addresses of regions."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import s3
from adapters._messages import Headers, Reply
from adapters._s3_places import learn, region_of, relocate
from resilience import KeyPool, MissingKeyError, SettingsError
from resilience._secrets import mask
from tests.adapters.flavours import Make

GOOD = {"access_key": "AK", "secret_key": "secret-1"}


def held(client: Any) -> dict[str, str | None]:
    """The keys of a client, by name."""
    found = {}
    for name in client.keys.names():
        with client.keys.lease(name) as lease:
            found[name] = lease.key
    return found


def test_parts_and_keys(make: Make):
    """One key in parts or packed, several as texts or mappings, or a pool."""
    pool = KeyPool({"a": s3.credentials("AK", "secret-1")})

    assert {"default": "AK:secret-1"} == held(make(s3, **GOOD))
    assert {"default": "AK:secret-1:tok"} == held(make(s3, **GOOD, session_token="tok"))
    assert {"default": "AK:secret-1"} == held(make(s3, "AK:secret-1"))
    assert {"key_1": "AK:secret-1"} == held(make(s3, keys=["AK:secret-1"]))
    assert {"a": "AK:secret-1"} == held(make(s3, keys={"a": GOOD}))
    assert {"a": "AK:secret-1"} == held(make(s3, keys=pool))
    public = {"public": {"key": None, "base_url": "https://example.com"}}
    assert {"public": None} == held(make(s3, keys=public))


def test_every_part_is_a_secret_for_the_logs(make: Make):
    """What the toolkit logs of foreign errors shows neither secret nor token, alone or packed."""
    make(s3, access_key="AKSHOWN", secret_key="hidden-secret-7", session_token="hidden-token-7")

    text = mask("AKSHOWN hidden-secret-7 hidden-token-7 AKSHOWN:hidden-secret-7:hidden-token-7")

    assert "hidden" not in text
    assert text.startswith("AKSHOWN ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"access_key": "AK"}, "secret_key must be given"),
        ({"secret_key": "secret-1"}, "access_key must be given"),
        ({**GOOD, "api_key": "AK:x"}, "cannot be given beside"),
        ({**GOOD, "keys": {"a": "AK:x"}}, "cannot be given beside"),
        ({"access_key": "", "secret_key": "secret-1"}, "access_key must be a text"),
        ({"access_key": "AK", "secret_key": b"secret-1"}, "secret_key must be a text"),
        ({"api_key": "secret-1"}, "key must be ACCESS_KEY:SECRET_KEY"),
        ({"keys": {"a": "secret-1"}}, "key must be ACCESS_KEY:SECRET_KEY"),
        ({"keys": {"a": {"access_key": "AK"}}}, "secret_key must be given"),
        ({**GOOD, "region": "eu/west"}, "region must be"),
        ({**GOOD, "regoin": "eu"}, "region"),
    ],
)
def test_what_are_no_credentials(make: Make, arguments: dict[str, Any], words: str):
    """The error names the part, and shows no secret."""
    with pytest.raises(SettingsError, match=words) as caught:
        make(s3, **arguments)

    assert "secret-1" not in str(caught.value)


def test_the_environment(make: Make, monkeypatch):
    """The vendor's variables with their numbers; the older ones where there are none of those."""
    monkeypatch.setenv("S3_ACCESS_KEY", "OLD")
    monkeypatch.setenv("S3_SECRET_KEY", "old-secret")
    monkeypatch.setenv("S3_ENDPOINT", "http://127.0.0.1:9000")
    older = make(s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-1")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "tok")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID_2", "AK2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_2", "secret-2")

    assert {"S3_ACCESS_KEY": "OLD:old-secret"} == held(older)
    assert "127.0.0.1:9000" in repr(older)
    assert {"AWS_ACCESS_KEY_ID": "AK:secret-1:tok", "AWS_ACCESS_KEY_ID_2": "AK2:secret-2"} == held(
        make(s3)
    )


def test_half_of_the_environment(make: Make, monkeypatch):
    """The error names the variable that is missing, or all of them."""
    with pytest.raises(MissingKeyError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        make(s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID_1", "AK")
    with pytest.raises(MissingKeyError, match="AWS_SECRET_ACCESS_KEY_1") as caught:
        make(s3)

    assert ("AWS_SECRET_ACCESS_KEY_1",) == caught.value.variables


def test_a_misspelt_part_is_named(make: Make):
    """And not taken for credentials that are missing."""
    with pytest.raises(SettingsError, match="'acces_key'; did you mean access_key"):
        make(s3, acces_key="AK", secret_key="made up")


def test_without_the_extra(make: Make, monkeypatch):
    """The error names it; importing the module needs none."""
    monkeypatch.setattr("adapters._s3_signing.find_spec", lambda _name: None)

    with pytest.raises(ModuleNotFoundError, match=r"resilience-adapters\[s3\]"):
        make(s3, **GOOD)


@pytest.mark.parametrize(
    ("base_url", "own", "expected"),
    [
        ("https://s3.amazonaws.com", None, "https://s3.us-east-1.amazonaws.com"),
        ("https://s3.amazonaws.com", "eu-west-1", "https://s3.eu-west-1.amazonaws.com"),
        ("https://s3.amazonaws.com", "cn-north-1", "https://s3.cn-north-1.amazonaws.com.cn"),
        ("https://s3.us-gov-west-1.amazonaws.com", None, "https://s3.us-gov-west-1.amazonaws.com"),
        ("https://s3-eu-west-1.amazonaws.com", None, "https://s3.eu-west-1.amazonaws.com"),
        ("https://s3.amazonaws.com.evil.example", "eu-west-1", None),
        ("http://127.0.0.1:9000", "eu-west-1", None),
    ],
)
def test_the_vendors_addresses(base_url: str, own: str | None, expected: str | None):
    """Each region has one; other servers stay where they are."""
    client = s3.Client(**GOOD, region=own)

    assert (expected or base_url) == relocate(client._setup, base_url, "bucket/key")


def test_what_was_learned_wins():
    """A bucket is asked for where it was found, the others where they were before."""
    setup = s3.Client(**GOOD)._setup
    setup.learned["region far"] = "eu-west-1"
    base_url = "https://s3.us-west-2.amazonaws.com"

    assert ["eu-west-1", "us-west-2"] == [
        region_of(setup, base_url, path) for path in ("far/key", "near?list-type=2")
    ]
    assert "https://s3.eu-west-1.amazonaws.com" == relocate(setup, base_url, "far")


def moved(**answer: Any) -> Reply:
    """A refusal that names the region of a bucket."""
    named = {"headers": Headers(), "body": b"", **answer}
    return Reply(status=301, **named)


@pytest.mark.parametrize("name", ["evil.example/", "x@evil.example", "eu west", "a" * 65, ""])
def test_a_region_that_is_no_name_is_not_learned(name: str):
    """It would become a part of the host that the next request is sent to."""
    setup, home = s3.Client(**GOOD)._setup, "https://s3.us-east-1.amazonaws.com"
    body = f"<Error><Region>{name}</Region></Error>".encode()

    learn(setup, "far", moved(headers=Headers({"x-amz-bucket-region": name}.items())))
    learn(setup, "far", moved(body=body))

    assert home == relocate(setup, "https://s3.amazonaws.com", "far")


def test_the_memory_for_regions_is_bounded():
    """A program may visit any number of buckets: the newest is remembered, a thousand at most."""
    setup = s3.Client(**GOOD)._setup
    reply = moved(body=b"<Error><Region>eu-west-1</Region></Error>")

    for number in range(2_500):
        learn(setup, f"bucket-{number}", reply)

    assert len(setup.learned) <= 1_001
    assert "eu-west-1" == region_of(setup, "https://s3.amazonaws.com", "bucket-2499/key")
