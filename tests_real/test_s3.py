"""The adapter of S3 against SeaweedFS, with boto3 as a second reader, and through a bad network."""

from __future__ import annotations

import hashlib
import http.client
import io
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from adapters import s3
from adapters.errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ConnectionFailedError,
    NotFoundError,
)
from resilience import _clock
from tests.adapters.flavours import Make
from tests.support.s3 import boto3_client
from tests_real.proxy import Proxy, cut, reset, stall
from tests_real.seaweed import CREDENTIALS
from tests_real.servers import Server

MEBIBYTE = 1024 * 1024
KEYS = ["plain", "a b+c.txt", "über/日本", "p%20q", "*'()!~", "dots..in/it."]
FAST = {"initial_retry_delay": 0.01, "max_retries": 5}


@pytest.fixture
def bucket(seaweed_server: Server) -> Iterator[str]:
    """The name of a new bucket."""
    name = f"b-{uuid4().hex}"
    with s3.Client(**CREDENTIALS, base_url=seaweed_server.url, name="set up") as client:
        client.request("PUT", name)
        yield name
        client.request("DELETE", name)


@pytest.fixture
def client(make: Make, seaweed_server: Server) -> Any:
    """A client of either kind."""
    return make(s3, **CREDENTIALS, base_url=seaweed_server.url, **FAST)


@pytest.fixture(scope="module")
def theirs(seaweed_server: Server) -> Iterator[Any]:
    """The vendor's client."""
    found = boto3_client(seaweed_server.url, **CREDENTIALS)
    yield found
    found.close()


def fetched(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    """Ask for an address without any library that would mend it; status and body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def nothing_is_held(client: Any) -> bool:
    """Whether permits, places in line and keys are all back."""
    held = client.queue.active, client.queue.size, client.keys.get_stats()["active_requests"]
    return held == (0, 0, 0)


@pytest.mark.parametrize("key", KEYS)
def test_both_clients_mean_the_same_object(client: Any, theirs: Any, bucket: str, key: str):
    """What one has written the other reads, under the same key, with the same metadata."""
    client.put(bucket, key, b"ours", content_type="text/plain", metadata={"color": "red"})
    read = theirs.get_object(Bucket=bucket, Key=key)
    assert (b"ours", {"color": "red"}) == (read["Body"].read(), read["Metadata"])
    assert "text/plain" == read["ContentType"]

    theirs.put_object(Bucket=bucket, Key=key, Body=b"theirs", Metadata={"color": "blue"})
    found = client.get(bucket, key)
    assert (b"theirs", {"color": "blue"}) == (found.body, found.metadata)
    assert [key] == [entry.key for entry in client.list(bucket)]
    assert (200, b"theirs") == fetched(client.presign(bucket, key))


def test_dots_are_not_resolved_on_the_way(client: Any, bucket: str):
    """This server refuses such keys; had they been resolved, it would have taken them."""
    for key in ("x/../y", "./z"):
        with pytest.raises(BadRequestError, match="InvalidRequest"):
            client.put(bucket, key, b"")


@pytest.mark.parametrize(
    ("wrong", "cls", "code"),
    [
        ({"secret_key": "wrong"}, AuthenticationError, "SignatureDoesNotMatch"),
        ({"access_key": "AKIAUNKNOWN"}, AuthenticationError, "InvalidAccessKeyId"),
    ],
)
def test_wrong_credentials(
    make: Make, seaweed_server: Server, wrong: dict[str, str], cls: Any, code: str
):
    """Each half of them counts."""
    client = make(s3, **{**CREDENTIALS, **wrong}, base_url=seaweed_server.url)

    with pytest.raises(cls) as caught:
        client.buckets()

    assert (403, code, 1) == (caught.value.status_code, caught.value.code, caught.value.attempts)


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_clock_that_is_wrong(client: Any, bucket: str, monkeypatch, minutes: int):
    """The server's time is learned from its refusal, and the call succeeds."""
    real = _clock.wall
    monkeypatch.setattr(_clock, "wall", lambda: real() + 60 * minutes)

    client.put(bucket, "key", b"x")

    assert (b"x", 1) == (client.get(bucket, "key").body, client.get(bucket, "key").attempts)


def test_presigned_addresses(client: Any, bucket: str, monkeypatch):
    """They write or read one object for a time, and nothing else."""
    assert 200 == fetched(client.presign(bucket, "a b/ü", method="PUT"), "PUT", b"hello")[0]
    good = client.presign(bucket, "a b/ü", expires=60)
    real = _clock.wall
    monkeypatch.setattr(_clock, "wall", lambda: real() - 120)
    expired = client.presign(bucket, "a b/ü", expires=60)

    assert (200, b"hello") == fetched(good)
    assert 403 == fetched(good.replace("a%20b", "a%20c"))[0]
    assert 403 == fetched(good.replace("Expires=60", "Expires=61"))[0]
    assert 403 == fetched(good, "PUT", b"new")[0]
    assert 403 == fetched(expired)[0]


def test_ranges_and_conditions(client: Any, bucket: str):
    """Both as the protocol has them."""
    tag = client.put(bucket, "key", b"0123456789", if_none_match="*").etag

    part = client.get(bucket, "key", range=(2, 4), if_match=tag)
    assert (b"234", 10) == (part.body, part.size)
    assert b"789" == client.get(bucket, "key", range=(7, None)).body
    with pytest.raises(ConflictError, match="PreconditionFailed"):
        client.put(bucket, "key", b"", if_none_match="*")
    with pytest.raises(ConflictError):
        client.get(bucket, "key", if_none_match=tag)
    with pytest.raises(ConflictError):
        client.get(bucket, "key", if_match='"no"')


def test_refusals(client: Any, bucket: str):
    """They have the classes that the codes mean, with body and without."""
    client.put(bucket, "key", b"x")

    for operation in (client.get, client.head):
        with pytest.raises(NotFoundError) as caught:
            operation(bucket, "nothing")
        assert 404 == caught.value.status_code
    with pytest.raises(NotFoundError, match="NoSuchBucket"):
        client.get(f"{bucket}-none", "key")
    with pytest.raises(BadRequestError, match="InvalidRange"):
        client.get(bucket, "key", range=(5, 9))


def test_a_copy(client: Any, bucket: str):
    """The copy has the content and the metadata of its source, or those that it is given."""
    client.put(bucket, "a b+ü", b"hello", metadata={"color": "red"})

    copied = client.copy(bucket, "a b+ü", bucket, "copy")
    client.copy(bucket, "a b+ü", bucket, "other", metadata={"color": "blue"})

    found = client.get(bucket, "copy", if_match=copied.etag)
    assert (b"hello", {"color": "red"}) == (found.body, found.metadata)
    assert {"color": "blue"} == client.head(bucket, "other").metadata


def test_thousands_of_keys(client: Any, seaweed_server: Server, bucket: str):
    """A listing goes on over its pages, folders are told apart, and all are deleted."""
    keys = [f"part {number % 3}/{number:04}" for number in range(2_500)]
    settings = {**FAST, "max_concurrent_requests": 16, "name": "filler"}
    with (
        s3.Client(**CREDENTIALS, base_url=seaweed_server.url, **settings) as filler,
        ThreadPoolExecutor(16) as pool,
    ):
        list(pool.map(lambda key: filler.put(bucket, key, b""), keys))

    assert sorted(keys) == [entry.key for entry in client.list(bucket)]
    assert 834 == sum(1 for _ in client.list(bucket, "part 0/", page_size=100))
    folders = [(entry.key, entry.is_prefix) for entry in client.list(bucket, delimiter="/")]
    assert [(f"part {number}/", True) for number in range(3)] == folders

    gone = client.delete_many(bucket, [*keys, "never there"])

    assert ({*keys, "never there"}, ()) == (set(gone.deleted), gone.errors)
    assert [] == list(client.list(bucket))


class Pattern(io.RawIOBase):
    """A file of any size that takes no memory; every MiB of it is another one."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size, self.place, self.digest = size, 0, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        number, left = divmod(self.place, MEBIBYTE)
        size = min(size, self.size - self.place, MEBIBYTE - left)
        piece = hashlib.sha256(str(number).encode()).digest() * (MEBIBYTE // 32)
        self.place += size
        self.digest.update(content := piece[left : left + size])
        return content


class Digest(io.RawIOBase):
    """A file that forgets what is written, but for its sum."""

    def __init__(self) -> None:
        super().__init__()
        self.digest = hashlib.sha256()

    def write(self, content: Any) -> int:
        self.digest.update(content)
        return len(content)


def transferred(client: Any, bucket: str, size: int) -> int:
    """Send an object and fetch it back; the most memory that Python held meanwhile."""
    source, target = Pattern(size), Digest()
    tracemalloc.start()
    try:
        written = client.upload(source, bucket, "big")
        known = client.download(bucket, "big", target)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (-(-size // (8 * MEBIBYTE)), size) == (written.parts, known.size)
    assert source.digest.digest() == target.digest.digest()
    return peak


def test_memory_stays_flat(make: Make, seaweed_server: Server, bucket: str):
    """200 MB take no more of it than 50, up and down."""
    client = make(s3, **CREDENTIALS, base_url=seaweed_server.url, max_concurrent_requests=3, **FAST)

    small = transferred(client, bucket, 50 * 1_000_000)
    large = transferred(client, bucket, 200 * 1_000_000)

    assert large < 1.4 * small
    assert large < 80 * MEBIBYTE
    assert nothing_is_held(client)


def test_a_failed_upload_leaves_nothing(client: Any, theirs: Any, bucket: str):
    """No part is left behind."""

    class Broken(Pattern):
        def read(self, size: int = -1) -> bytes:
            if self.place > 40 * MEBIBYTE:
                raise OSError("broken")
            return super().read(size)

    with pytest.raises(OSError, match="broken"):
        client.upload(Broken(100 * MEBIBYTE), bucket, "big")

    assert "Uploads" not in theirs.list_multipart_uploads(Bucket=bucket)
    with pytest.raises(NotFoundError):
        client.head(bucket, "big")


# Through a bad network.


@pytest.fixture
def far(make: Make, seaweed_server: Server, proxy: Proxy) -> Any:
    """A client behind the proxy; its connections do not outlive a fault."""
    url = proxy.lead_to(seaweed_server.port)
    return make(s3, **CREDENTIALS, base_url=url, read_timeout=1, failure_threshold=100, **FAST)


def test_a_body_that_is_cut_again_and_again(client: Any, far: Any, proxy: Proxy, bucket: str):
    """It goes on where it was cut: read anew each time, it would never come to its end."""
    content = Pattern(4 * MEBIBYTE).read(MEBIBYTE) * 4
    client.put(bucket, "key", content)
    third = 3 * MEBIBYTE // 2
    proxy.play(cut(after=third), reset(after=third), cut(after=third))

    found = far.get(bucket, "key")

    assert content == found.body
    assert 2 <= found.attempts <= 4
    assert found.attempts == proxy.connections
    assert nothing_is_held(far)


def test_a_server_that_falls_silent(client: Any, far: Any, proxy: Proxy, bucket: str):
    """The wait is given up, and the rest is asked for."""
    client.put(bucket, "key", content := bytes(2 * MEBIBYTE))
    proxy.play(stall(after=MEBIBYTE))

    found = far.get(bucket, "key")

    assert (content, 2) == (found.body, found.attempts)
    assert nothing_is_held(far)


def test_transfers_over_a_bad_line(client: Any, far: Any, proxy: Proxy, bucket: str):
    """Parts are sent and fetched again one by one, and make up the same object."""
    source, target = Pattern(30 * MEBIBYTE), Digest()
    proxy.play(reset(), None, reset(), cut(), None, reset(after=10))
    far.upload(source, bucket, "big", part_size=5 * MEBIBYTE)
    proxy.play(reset(), cut(after=MEBIBYTE), None, reset(after=2 * MEBIBYTE))
    far.download(bucket, "big", target, part_size=5 * MEBIBYTE)

    assert source.digest.digest() == target.digest.digest()
    assert nothing_is_held(far)


def test_nobody_listens(far: Any, proxy: Proxy, bucket: str):
    """One clear error, and the next call works when somebody is back."""
    proxy.refuse()
    with pytest.raises(ConnectionFailedError, match="Connection refused") as caught:
        far.put(bucket, "key", b"x")
    assert 6 == caught.value.attempts

    proxy.listen()
    assert far.put(bucket, "key", b"x").etag
    assert nothing_is_held(far)
