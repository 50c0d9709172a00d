"""Building requests: JSON, headers, ids and paths."""

from __future__ import annotations

import json

import pytest

from adapters._build import (
    checked_headers,
    checked_request_id,
    is_sendable,
    json_request,
    merged_headers,
    relative_path,
)
from adapters._json import encode_json
from adapters._request_ids import new_request_id, part_of
from adapters.errors import SettingsError
from resilience.testing import FakeClock


def test_every_option_goes_into_the_body_as_it_is():
    """None is sent as null, and unknown names are sent too: nothing is dropped."""
    options = {
        "temperature": None,
        "not_yet_invented": [1],
        "extra_body": {"seed": 7, "model": "b"},
    }

    request = json_request("chat", "chat", {"model": "a"}, options)

    assert {"model": "b", "temperature": None, "not_yet_invented": [1], "seed": 7} == json.loads(
        request.body or b""
    )


def test_building_leaves_the_callers_options_alone():
    """The dictionaries of a caller are not changed."""
    options = {"extra_body": {"a": 1}, "extra_headers": {"X-A": "b"}}

    json_request("chat", "chat", {}, options)

    assert {"extra_body": {"a": 1}, "extra_headers": {"X-A": "b"}} == options


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        ("Grüße 😀".encode(), "Grüße 😀"),
        (rb"\ud83d", "\ud83d"),
        (rb"\ud83d\ude00", "\ud83d\ude00"),
        (rb"\u0000\t".replace(rb"\t", b"\\t"), "\x00\t"),
    ],
    ids=["unicode", "half a pair", "two halves", "control characters"],
)
def test_any_text_can_be_sent(sent: bytes, text: str):
    """Also what has no UTF-8: as escapes, which say the same."""
    assert b'{"a":"' + sent + b'"}' == encode_json({"a": text})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"bytes", object()])
def test_what_json_cannot_express_is_refused_before_anything_is_sent(value: object):
    """The error is Python's own: it names what is wrong."""
    with pytest.raises((TypeError, ValueError), match="JSON"):
        encode_json({"a": value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "one\r\nX-Evil: 1"),
        ("X-A", "one\nX-Evil: 1"),
        ("X-A", "one\rX-Evil: 1"),
        ("X-A", "nul\x00"),
        ("X-A", "Ωmega"),
        ("X-A", 7),
        ("X-A\r\nX-Evil", "1"),
        ("X A", "1"),
        ("", "1"),
        (7, "1"),
        ("Content-Length", "0"),
        ("transfer-encoding", "chunked"),
    ],
)
def test_a_header_cannot_smuggle_in_another_one(name: str, value: str):
    """Line breaks, bad names and what frames the request are refused; the value is not shown."""
    with pytest.raises(SettingsError, match="extra_headers") as caught:
        checked_headers({name: value})

    assert "Evil" not in str(caught.value).replace(repr(name), "")


def test_a_callers_header_replaces_ours_whatever_its_case():
    """No header is sent twice."""
    merged = merged_headers({"Authorization": "a", "Accept": "b"}, {"authorization": "c"})

    assert {"Accept": "b", "authorization": "c"} == merged


@pytest.mark.parametrize("bad", ["", "a b", "a\nb", "ä", "x" * 513])
def test_a_request_id_is_one_visible_word(bad: str):
    """What a server might refuse, or read as another header, is not sent."""
    with pytest.raises(SettingsError, match="request_id"):
        checked_request_id(bad)


@pytest.mark.parametrize("bad", ["", "sk-a\n", "sk-a b", "sk-ä", "sk\x00", None, 7])
def test_a_key_is_one_visible_word(bad: object):
    """A key that no header can carry is found out before it is sent."""
    assert not is_sendable(bad)
    assert is_sendable("sk-proj_1234")


@pytest.mark.parametrize(
    ("expected", "path", "params"),
    [
        ("models", "models", None),
        ("models", "/models", {}),
        ("files?purpose=batch&limit=2", "/files", {"purpose": "batch", "limit": 2}),
        ("files?a=1&b=2&b=3", "files?a=1", {"b": [2, 3]}),
        ("files?q=a%26b", "files", {"q": "a&b"}),
    ],
)
def test_a_path_stays_below_the_base_url(expected: str, path: str, params: dict | None):
    """Parameters are quoted and added to what the path has."""
    assert expected == relative_path(path, params)


@pytest.mark.parametrize("path", ["https://evil.example/v1", "//evil.example/v1", "file:///etc"])
def test_a_path_cannot_name_another_host(path: str):
    """The key goes with the request, so it must not go elsewhere."""
    with pytest.raises(SettingsError, match="path must be relative"):
        relative_path(path)


def test_a_request_id_tells_its_second_and_is_unique():
    """`req_{timestamp}_{hash}`, and never twice the same."""
    with FakeClock():
        ids = [new_request_id() for _ in range(1_000)]

    assert 1_000 == len(set(ids))
    assert {3} == {len(one.split("_")) for one in ids}
    assert [] == [one for one in ids if not one.split("_")[1].isdigit()]


def test_the_parts_of_a_split_call_have_ids_of_their_own():
    """The first part keeps the id of the call."""
    assert ["req_1_a", "req_1_a-2"] == [part_of("req_1_a", number) for number in (1, 2)]
