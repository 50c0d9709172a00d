"""The adapter of S3 against the emulator, which checks signatures by itself."""

from __future__ import annotations

import errno
import http.client
import io
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapters import s3
from adapters.emulator import Emulator
from adapters.errors import (
    AccessDeniedError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    ServerError,
)
from resilience import DeadlineExceededError, SettingsError, _clock
from tests.adapters.flavours import Make

MEBIBYTE = 1024 * 1024
KEYS = [
    "plain",
    "a b+c.txt",
    "x/../y",
    "./z",
    "/lead",
    "über/日本",
    "a//b",
    "p%20q",
    "*'()!",
    "t/",
    "a\nb",
]


@pytest.fixture
def client(make: Make, emulator: Emulator) -> Any:
    """A client that does not wait between attempts, and a bucket named bucket."""
    made = make(
        s3,
        base_url=emulator.base_url("s3"),
        keys=emulator.keys("s3"),
        initial_retry_delay=0,
        max_retries=2,
    )
    made.request("PUT", "bucket")
    emulator.script()
    return made


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


def operations(emulator: Emulator) -> list[tuple[str | None, int | None]]:
    """What was asked so far, and how it was answered."""
    return [(record.operation, record.status) for record in emulator.log()]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_reaches_the_server_unchanged(client: Any, key: str):
    """Dots, double slashes, blanks and foreign letters are a part of it, in every operation."""
    client.put("bucket", key, key.encode())
    client.copy("bucket", key, "bucket", key + "2")

    assert key.encode() == client.get("bucket", key).body
    assert [key, key + "2"] == [entry.key for entry in client.list("bucket")]
    assert (200, key.encode()) == fetched(client.presign("bucket", key))
    assert (key + "2",) == client.delete_many("bucket", [key + "2"]).deleted
    client.delete("bucket", key)
    assert [] == list(client.list("bucket"))


def test_an_object_has_what_it_was_given(client: Any):
    """Type, metadata, size and tag come back, with body or without."""
    written = client.put("bucket", "key", "hellö", content_type="text/plain", metadata={"A": "b"})
    found, known = client.get("bucket", "key"), client.head("bucket", "key")

    assert "hellö".encode() == bytes(found)
    assert (6, "text/plain", {"a": "b"}) == (known.size, known.content_type, known.metadata)
    assert written.etag == found.etag == known.etag
    assert found.last_modified == known.last_modified
    assert found.last_modified.utcoffset() is not None
    assert len(found.server_request_id) == 16


def test_a_range_is_inclusive(client: Any):
    """The size is that of the whole object; behind the end there is nothing."""
    client.put("bucket", "key", b"0123456789")

    part, rest = client.get("bucket", "key", range=(2, 4)), client.get("bucket", "key", (7, None))

    assert (b"234", 10, 3) == (part.body, part.size, len(part))
    assert (b"789", 10) == (rest.body, rest.size)
    with pytest.raises(BadRequestError, match="InvalidRange"):
        client.get("bucket", "key", range=(10, 11))


@pytest.mark.parametrize("wanted", [(4, 2), (-1, 2), (1,), (1, 2, 3), 5, (0, 1.5), "01", (True, 2)])
def test_what_is_no_range(client: Any, wanted: Any):
    """It is refused before anything is sent."""
    with pytest.raises(SettingsError, match="range must be"):
        client.get("bucket", "key", range=wanted)


@pytest.mark.parametrize(("bucket", "key"), [("", "k"), ("a/b", "k"), (None, "k"), ("b", "")])
def test_what_is_no_name(client: Any, bucket: Any, key: Any):
    """An empty key would be another operation altogether."""
    if bucket is None:
        bucket = 5
    with pytest.raises(SettingsError, match="must be a text"):
        client.delete(bucket, key)


@pytest.mark.parametrize("body", [None, 5, ["a"], io.BytesIO(b"a")], ids=repr)
def test_what_is_no_body(client: Any, body: Any):
    """A number is no length, and a file belongs to `upload`; nothing is written."""
    with pytest.raises(SettingsError, match=r"body must be bytes or a text \(`upload`"):
        client.put("bucket", "key", body)

    assert [] == list(client.list("bucket"))


@pytest.mark.parametrize("metadata", [{"ä": "x"}, {"x": "ä"}, {"x": 5}, {"x": "a\nb"}])
def test_what_is_no_metadata(client: Any, metadata: Any):
    """Headers are ASCII where they are signed."""
    with pytest.raises(SettingsError, match="metadata must have"):
        client.put("bucket", "key", b"x", metadata=metadata)


def test_conditions(client: Any):
    """An object is written once, or over what is known; a read may need nothing new."""
    tag = client.put("bucket", "key", b"x", if_none_match="*").etag

    with pytest.raises(ConflictError, match="PreconditionFailed"):
        client.put("bucket", "key", b"y", if_none_match="*")
    client.put("bucket", "key", b"y", if_match=tag)
    with pytest.raises(ConflictError) as caught:
        client.get("bucket", "key", if_none_match=client.head("bucket", "key").etag)
    assert (304, False) == (caught.value.status_code, caught.value.retryable)


def test_listing_asks_for_each_page_when_it_is_needed(client: Any, emulator: Emulator):
    """The items of all pages come in order, with folders among them."""
    for number in range(5):
        client.put("bucket", f"a/{number}", b"")
    client.put("bucket", "b/1", b"12")
    before = len(emulator.log())

    listed = client.list("bucket", page_size=2)
    first = [next(listed).key, next(listed).key]
    asked = operations(emulator)[before:]
    rest = [entry.key for entry in listed]

    assert [("list", 200)] == asked
    assert [f"a/{number}" for number in range(5)] + ["b/1"] == first + rest
    assert 3 == len(operations(emulator)[before:])
    folders = list(client.list("bucket", delimiter="/"))
    assert [("a/", True), ("b/", True)] == [(each.key, each.is_prefix) for each in folders]
    (last,) = client.list("bucket", "b/")
    assert (2, "STANDARD") == (last.size, last.storage_class)


def test_buckets(client: Any):
    """They have names and dates."""
    found = client.buckets()

    assert ("bucket", "demo") == found.names
    assert ["bucket", "demo"] == [str(bucket) for bucket in found]
    assert found.buckets[0].created.utcoffset() is not None


def test_deleting_what_is_not_there(client: Any):
    """It counts as deleted; nothing to delete asks nothing."""
    assert not client.delete("bucket", "nothing").is_marker
    assert ("a", "b") == client.delete_many("bucket", iter(["a", "b"])).deleted
    assert ((), (), 0) == (
        client.delete_many("bucket", []).deleted,
        client.delete_many("bucket", []).errors,
        client.delete_many("bucket", []).attempts,
    )
    with pytest.raises(SettingsError, match="keys must be texts"):
        client.delete_many("bucket", ["a", "\x01"])


def test_many_keys_are_split(client: Any, emulator: Emulator):
    """1,000 with each request, side by side, and one answer in their order."""
    keys = [f"key-{number}" for number in range(2_001)]

    result = client.delete_many("bucket", keys)

    assert (tuple(keys), ()) == (result.deleted, result.errors)
    assert 3 == len([name for name, _ in operations(emulator) if name == "delete_many"])
    assert (3, 3) == (len(result.raw), result.attempts)


def test_a_small_upload_is_one_request(client: Any, emulator: Emulator, tmp_path: Path):
    """A file that fits into one part is put."""
    (tmp_path / "file").write_bytes(b"hello")

    written = client.upload(tmp_path / "file", "bucket", "key", content_type="text/plain")

    assert (0, written.etag) == (written.parts, client.head("bucket", "key").etag)
    assert ("put", 200) == operations(emulator)[1]
    assert "text/plain" == client.head("bucket", "key").content_type


class Pipe(io.RawIOBase):
    """A source that gives little at a time and cannot go back."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self.content.read(min(size, 100_000))


@pytest.mark.parametrize("kind", ["path", "pipe"])
def test_a_large_upload_goes_in_parts(client: Any, emulator: Emulator, tmp_path: Path, kind: str):
    """The parts are those of the file, in their order, and one key sends all of them."""
    content = os.urandom(11 * MEBIBYTE)
    (tmp_path / "file").write_bytes(content)
    source = str(tmp_path / "file") if kind == "path" else Pipe(content)

    written = client.upload(
        source, "bucket", "a b/../ü", part_size=5 * MEBIBYTE, metadata={"color": "red"}
    )
    back = io.BytesIO()
    known = client.download("bucket", "a b/../ü", back, part_size=5 * MEBIBYTE)

    assert (3, content) == (written.parts, back.getvalue())
    assert written.etag.endswith('-3"')
    assert (written.etag, len(content), {"color": "red"}) == (
        known.etag,
        known.size,
        known.metadata,
    )
    log = emulator.log()[1:]
    assert 5 == sum(
        record.operation in {"begin_upload", "put_part", "finish_upload"} for record in log
    )
    assert 1 == len({record.key for record in log[:5]})
    assert 3 == sum(record.operation == "get" for record in log)
    assert 1 == len({record.key for record in log[5:]})


def test_an_upload_that_fails_leaves_nothing(client: Any, emulator: Emulator):
    """Its parts are given up, whatever went wrong."""
    emulator.script(["400:operation=put_part,code=InvalidRequest"])

    with pytest.raises(BadRequestError, match="InvalidRequest"):
        client.upload(io.BytesIO(bytes(6 * MEBIBYTE)), "bucket", "key", part_size=5 * MEBIBYTE)

    assert ("abort_upload", 204) == operations(emulator)[-1]


def test_an_upload_that_cannot_be_given_up(client: Any, emulator: Emulator):
    """The first error is told, with a note that parts are left."""
    emulator.script(["400:operation=put_part", "500:operation=abort_upload"])

    with pytest.raises(BadRequestError) as caught:
        client.upload(io.BytesIO(bytes(6 * MEBIBYTE)), "bucket", "key", part_size=5 * MEBIBYTE)

    assert any("could not be aborted" in note for note in caught.value.__notes__)


def test_a_source_that_fails(client: Any, emulator: Emulator):
    """An error of the file gives up the upload as well."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 11 * MEBIBYTE:
                raise OSError(errno.EIO, "broken")
            return super().read(size)

    source = Broken(bytes(100 * MEBIBYTE))

    with pytest.raises(OSError, match="broken"):
        client.upload(source, "bucket", "key", part_size=5 * MEBIBYTE)

    assert ("abort_upload", 204) == operations(emulator)[-1]


def test_an_upload_is_given_up_when_its_time_is_over(client: Any, emulator: Emulator, monkeypatch):
    """Giving up has a little time of its own."""
    real, passed = _clock.now, []
    monkeypatch.setattr(_clock, "now", lambda: real() + sum(passed))

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() >= 60 * MEBIBYTE and not passed:
                passed.append(3600)
            return super().read(size)

    with pytest.raises(DeadlineExceededError):
        client.upload(
            Slow(bytes(100 * MEBIBYTE)), "bucket", "key", part_size=5 * MEBIBYTE, timeout=600
        )

    assert ("abort_upload", 204) == operations(emulator)[-1]


@pytest.mark.parametrize("source", [io.StringIO("text"), 5, None])
def test_what_is_no_file(client: Any, source: Any):
    """Text has no bytes, and a number none either."""
    with pytest.raises(SettingsError, match="path_or_file must be"):
        client.upload(source, "bucket", "key")


@pytest.mark.parametrize("size", [0, 5 * MEBIBYTE - 1, 5 * 1024**3 + 1, "8 MiB", True])
def test_what_is_no_size_of_a_part(client: Any, size: Any):
    """S3 takes parts from 5 MiB to 5 GiB."""
    with pytest.raises(SettingsError, match="part_size must be"):
        client.upload(io.BytesIO(b""), "bucket", "key", part_size=size)


@pytest.mark.parametrize("size", [0, 1, 5 * MEBIBYTE, 5 * MEBIBYTE + 1])
def test_a_download_of_any_size(client: Any, tmp_path: Path, size: int):
    """An empty object is a file as well."""
    client.put("bucket", "key", content := os.urandom(size))

    known = client.download("bucket", "key", tmp_path / "file", part_size=5 * MEBIBYTE)

    assert (content, size) == ((tmp_path / "file").read_bytes(), known.size)
    assert ["file"] == [each.name for each in tmp_path.iterdir()]


class Raw(io.RawIOBase):
    """A file without a buffer, which takes little at a time, and in the end nothing."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.content = bytearray()
        self.room = room

    def write(self, content: Any) -> int:
        taken = bytes(content[: min(100_000, self.room)])
        self.content += taken
        self.room -= len(taken)
        return len(taken)


def test_a_download_into_a_file_without_a_buffer(client: Any):
    """All of the object is written, whatever the file takes at a time; else it is an error."""
    client.put("bucket", "key", content := os.urandom(MEBIBYTE))

    client.download("bucket", "key", file := Raw(room=MEBIBYTE))
    with pytest.raises(OSError, match="takes no more"):
        client.download("bucket", "key", Raw(room=MEBIBYTE - 1))

    assert content == file.content


def test_a_download_into_what_does_not_tell_how_much_it_took(client: Any):
    """It is taken for a file that takes everything."""
    client.put("bucket", "key", b"content")

    class Untold:
        def __init__(self) -> None:
            self.content = b""

        def write(self, content: bytes) -> None:
            self.content += content

    client.download("bucket", "key", file := Untold())

    assert b"content" == file.content


def test_a_download_into_a_pipe(client: Any, tmp_path: Path):
    """What stands at the path and is no file stays there, and gets the bytes."""
    client.put("bucket", "key", b"content")
    os.mkfifo(pipe := tmp_path / "pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        client.download("bucket", "key", pipe)

        assert (b"content", True) == (os.read(reader, 100), pipe.is_fifo())
    finally:
        os.close(reader)


def test_a_download_to_a_long_name(client: Any, tmp_path: Path):
    """Every name that the folder takes will do: the unfinished file has a short one."""
    client.put("bucket", "key", b"content")

    client.download("bucket", "key", tmp_path / ("n" * 250))

    assert b"content" == (tmp_path / ("n" * 250)).read_bytes()


def test_a_download_that_fails_leaves_nothing(client: Any, emulator: Emulator, tmp_path: Path):
    """The file is there when all of it is there; what was there before stays."""
    (tmp_path / "file").write_bytes(b"old")
    client.put("bucket", "key", bytes(11 * MEBIBYTE))
    emulator.script(["404:operation=get,nth=3"])

    with pytest.raises(NotFoundError):
        client.download("bucket", "key", tmp_path / "file", part_size=5 * MEBIBYTE)
    with pytest.raises(NotFoundError, match="NoSuchKey"):
        client.download("bucket", "nothing", tmp_path / "other")

    assert b"old" == (tmp_path / "file").read_bytes()
    assert ["file"] == [each.name for each in tmp_path.iterdir()]


def test_an_object_that_changes_while_it_is_downloaded(
    client: Any, emulator: Emulator, tmp_path: Path
):
    """No file is made of the parts of two objects."""
    client.put("bucket", "key", bytes(11 * MEBIBYTE))

    class Changing(io.BytesIO):
        def write(self, content: Any) -> int:
            other.put("bucket", "key", bytes(12 * MEBIBYTE))
            return super().write(content)

    with (
        s3.Client(base_url=emulator.base_url("s3"), keys=emulator.keys("s3")) as other,
        pytest.raises(ConflictError, match="PreconditionFailed"),
    ):
        client.download("bucket", "key", Changing(), part_size=5 * MEBIBYTE)


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        ("truncated:keep=0.5,nth=1,operation=get", 2),
        ("reset:nth=1,operation=get", 2),
        ("503:nth=1,operation=get", 2),
        ("500:nth=1,operation=get", 2),
        ("400:code=RequestTimeout,nth=1,operation=get", 2),
        ("409:code=OperationAborted,nth=1,operation=get", 2),
    ],
)
def test_what_passes_is_tried_again(client: Any, emulator: Emulator, fault: str, attempts: int):
    """Errors of the service and of the network, whatever their status."""
    client.put("bucket", "key", b"0123456789")
    emulator.script([fault])

    found = client.get("bucket", "key")

    assert (b"0123456789", attempts) == (found.body, found.attempts)


def test_an_error_inside_a_200_is_an_error(client: Any, emulator: Emulator):
    """A copy may fail after its status was sent; it is tried again."""
    client.put("bucket", "key", b"x")
    emulator.script(["error_in_200:operation=copy,nth=1", "error_in_200:operation=finish_upload"])

    assert 2 == client.copy("bucket", "key", "bucket", "other").attempts
    with pytest.raises(ServerError, match="InternalError"):
        client.upload(io.BytesIO(bytes(6 * MEBIBYTE)), "bucket", "key", part_size=5 * MEBIBYTE)
    assert ("abort_upload", 204) == operations(emulator)[-1]


def test_an_object_may_be_a_document_of_an_error(client: Any):
    """Its content is its content."""
    document = b"<Error><Code>InternalError</Code></Error>"
    client.put("bucket", "key", document)

    assert document == client.get("bucket", "key").body


def test_an_object_comes_as_it_is_stored(client: Any):
    """What is stored compressed is not decompressed on the way."""
    headers = {"Content-Encoding": "gzip"}
    client.put("bucket", "key", b"not gzip at all", extra_headers=headers)
    back = io.BytesIO()

    client.download("bucket", "key", back)

    assert b"not gzip at all" == client.get("bucket", "key").body == back.getvalue()


def test_a_bucket_of_another_region(client: Any, emulator: Emulator):
    """The server names the region once; from then on requests are signed for it."""
    location = b"<LocationConstraint>eu-west-1</LocationConstraint>"
    body = b"<CreateBucketConfiguration>" + location + b"</CreateBucketConfiguration>"
    client.request("PUT", "far-away", data=body)

    client.put("far-away", "key", b"x")
    client.head("far-away", "key")

    assert [("put", 400), ("put", 200), ("head", 200)] == operations(emulator)[-3:]
    assert 200 == client.request("GET", "far-away?location").status_code
    assert [] == list(client.list("bucket"))


@pytest.mark.parametrize("minutes", [-20, 20])
@pytest.mark.parametrize("operation", ["get", "head", "request"])
def test_a_clock_that_is_wrong(
    client: Any, emulator: Emulator, monkeypatch, minutes: int, operation: str
):
    """The server's clock is taken from its refusal, once; a HEAD has no body to say so."""
    client.put("bucket", "key", b"x")
    real = _clock.wall
    monkeypatch.setattr(_clock, "wall", lambda: real() + 60 * minutes)

    for _ in range(2):
        if operation == "request":
            client.request("GET", "bucket/key")
        else:
            getattr(client, operation)("bucket", "key")

    assert [403, 200, 200] == [status for _, status in operations(emulator)[-3:]]
    assert (200, b"x") == fetched(client.presign("bucket", "key"))


def test_an_object_that_is_denied(client: Any, emulator: Emulator):
    """One object that is not for this key says nothing about the key."""
    client.put("bucket", "key", b"x")
    emulator.script(["403:operation=get,first=1", "403:operation=head,first=1"])

    for operation in (client.get, client.head):
        with pytest.raises(AccessDeniedError) as caught:
            operation("bucket", "key")
        assert "permanent" == caught.value.resilience_kind

    assert b"x" == client.get("bucket", "key").body
    assert {"production", "backup"} == {record.key for record in emulator.log()}


def test_wrong_credentials(make: Make, emulator: Emulator):
    """A wrong secret is an error of the key: another entry takes over."""
    good = emulator.credentials()["production"]
    wrong = {**good, "secret_key": "wrong-secret-0123"}
    url = emulator.base_url("s3")
    alone = make(s3, base_url=url, **wrong)
    both = make(s3, base_url=url, keys={"wrong": wrong, "good": good}, max_retries=0)

    with pytest.raises(AuthenticationError, match="SignatureDoesNotMatch") as caught:
        alone.buckets()
    assert "wrong-secret-0123" not in f"{caught.value!r} {caught.value} {caught.value.body}"
    assert {"good"} == {both.buckets().key_name for _ in range(3)}


def test_an_entry_by_name(client: Any, emulator: Emulator):
    """`key` is that of an object here; `key_name` chooses the entry."""
    for name in ("backup", "backup", "production"):
        client.put("bucket", "key", b"x", key_name=name)

    assert ["backup", "backup", "production"] == [record.key for record in emulator.log()[-3:]]
    with pytest.raises(SettingsError, match="backups"):
        client.put("bucket", "key", b"x", key_name="backups")


def test_replicas(make: Make, emulator: Emulator):
    """Entries may be servers, each with its own credentials; what one has begun it finishes."""
    url, names = emulator.base_url("s3"), ("production", "backup")
    keys = {name: {**emulator.credentials()[name], "base_url": url} for name in names}
    client = make(s3, keys=keys, base_url="http://127.0.0.1:9", max_retries=0)
    client.request("PUT", "bucket")

    client.upload(io.BytesIO(bytes(6 * MEBIBYTE)), "bucket", "key", part_size=5 * MEBIBYTE)

    assert 1 == len({record.key for record in emulator.log()[1:]})
    assert url in client.presign("bucket", "key")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"expires": 0}, "expires must be"),
        ({"expires": 604_801}, "expires must be"),
        ({"expires": 1.5}, "expires must be"),
        ({"method": "POST"}, "method must be"),
        ({"key_name": "nobody"}, "nobody"),
    ],
)
def test_what_cannot_be_presigned(client: Any, arguments: dict[str, Any], words: str):
    """It is refused at once."""
    with pytest.raises(SettingsError, match=words):
        client.presign("bucket", "key", **arguments)


def test_a_presigned_upload(client: Any):
    """An address to write with does not read."""
    address = client.presign("bucket", "a b", 60, "PUT")

    assert (200, b"") == fetched(address, "PUT", b"hello")
    assert b"hello" == client.get("bucket", "a b").body
    assert 403 == fetched(address)[0]
