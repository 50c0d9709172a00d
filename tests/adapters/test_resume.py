"""A body that is cut goes on where it ended, if it is still the same."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import s3
from adapters._messages import Headers
from adapters._resume import Arrived
from adapters.errors import ConflictError, ConnectionFailedError
from tests.adapters.flavours import Make
from tests.adapters.recorder import Do, Recorder, Script, answer

CONTENT = b"0123456789"
TAG, OTHER = {"ETag": '"one"'}, {"ETag": '"two"'}


def cut(size: int, headers: dict[str, str] | None = None) -> Script:
    """An answer that promises all of the content, and ends after `size` bytes of it."""
    whole = answer(CONTENT, headers=TAG if headers is None else headers)
    return [whole[: len(whole) - len(CONTENT) + size], Do.CLOSE]


def rest(start: int, headers: dict[str, str] | None = None) -> bytes:
    """What a server answers that is asked for the rest."""
    fields = {"Content-Range": f"bytes {start}-9/10", **(TAG if headers is None else headers)}
    return answer(CONTENT[start:], 206, fields)


@pytest.fixture
def client(make: Make, server: Recorder) -> Any:
    """A client that does not wait between attempts."""
    host = server.url.removesuffix("/v1")
    credentials = {"access_key": "AKIATEST", "secret_key": "secret-0123456789"}
    return make(s3, **credentials, base_url=host, initial_retry_delay=0, max_retries=3)


def asked(server: Recorder) -> list[tuple[str | None, str | None]]:
    """Range and condition of each request."""
    return [(each.headers.get("range"), each.headers.get("if-match")) for each in server.requests]


def test_the_rest_is_asked_for(client: Any, server: Recorder):
    """Each attempt begins where the last one ended; the result is that of the first answer."""
    server.play(cut(4), [rest(4)[:-3], Do.CLOSE], rest(7))

    found = client.get("bucket", "key")

    assert (CONTENT, 10, 3, '"one"') == (found.body, found.size, found.attempts, found.etag)
    ranges = [(None, None), ("bytes=4-", '"one"'), ("bytes=7-", '"one"')]
    assert ranges == asked(server)


def test_the_rest_of_a_range(client: Any, server: Recorder):
    """Its places are those of the object, and its end is kept."""
    first = answer(CONTENT[2:9], 206, {**TAG, "Content-Range": "bytes 2-8/10"})
    second = answer(CONTENT[5:9], 206, {**TAG, "Content-Range": "bytes 5-8/10"})
    server.play([first[:-4], Do.CLOSE], second)

    found = client.get("bucket", "key", range=(2, 8))

    assert (CONTENT[2:9], 10) == (found.body, found.size)
    assert [("bytes=2-8", None), ("bytes=5-8", '"one"')] == asked(server)


def test_a_server_without_ranges_sends_all_again(client: Any, server: Recorder):
    """What has arrived is forgotten."""
    server.play(cut(4), answer(CONTENT, headers=TAG))

    assert CONTENT == client.get("bucket", "key").body


def test_an_object_that_has_changed_is_read_anew(client: Any, server: Recorder):
    """No result is made of two objects."""
    server.play(cut(4), answer(b"", 412), answer(b"another", headers=OTHER))

    found = client.get("bucket", "key")

    assert (b"another", '"two"', 3) == (found.body, found.etag, found.attempts)
    assert [(None, None), ("bytes=4-", '"one"'), (None, None)] == asked(server)


@pytest.mark.parametrize(
    "wrong", [rest(5), rest(4, OTHER), answer(CONTENT[4:], 206, TAG), rest(4, {})]
)
def test_another_part_than_was_asked_for(client: Any, server: Recorder, wrong: bytes):
    """It is thrown away with what it does not fit, and all is read anew."""
    server.play(cut(4), wrong, answer(CONTENT, headers=TAG))

    found = client.get("bucket", "key")

    assert (CONTENT, 3) == (found.body, found.attempts)
    assert (None, None) == asked(server)[-1]


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"one"'}])
def test_without_a_strong_tag_all_is_read_anew(
    client: Any, server: Recorder, headers: dict[str, str]
):
    """Nothing could promise that the rest belongs to the beginning."""
    server.play(cut(4, headers), answer(CONTENT, headers=TAG))

    assert CONTENT == client.get("bucket", "key").body
    assert [(None, None)] * 2 == asked(server)


def test_a_condition_of_the_callers_own(client: Any, server: Recorder):
    """It fails as it would without a cut."""
    server.play(answer(b"", 412))

    with pytest.raises(ConflictError):
        client.get("bucket", "key", if_match='"none"')

    assert 1 == len(server.requests)


def test_a_body_that_is_cut_for_good(client: Any, server: Recorder):
    """At the end it is the connection that failed."""
    server.play(cut(4))

    with pytest.raises(ConnectionFailedError, match="cut the answer off") as caught:
        client.get("bucket", "key")

    assert 4 == caught.value.attempts


@pytest.mark.parametrize("wanted", ["bytes=-5", "bytes=1-2,4-5", "lines=1-2"])
def test_what_is_no_single_range_does_not_go_on(wanted: str):
    """Where it would have to go on is not known."""
    arrived = Arrived({"Range": wanted})

    arrived.begin(206, Headers([("ETag", '"one"'), ("Content-Range", "bytes 5-9/10")]))
    arrived.add(b"5")

    assert {} == arrived.headers
