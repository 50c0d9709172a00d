"""What a client is made of: settings of one API alone, addresses, headers, signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from adapters._addresses import an_address
from adapters._async_client import BaseAsyncClient
from adapters._client import BaseClient
from adapters._flows import Ask, Flow
from adapters._messages import Reply, Request
from adapters._operations import Operation
from adapters._provider import OwnSetting, Provider, Unsigned, one_of
from adapters._setup import Setup
from adapters.errors import AuthenticationError, SettingsError
from resilience.testing import no_waiting
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer

KEY = "access-1234:secret-5678"


def paths(setup: Setup, /, *requested: str, base_url: str | None = None) -> Flow[list[int]]:
    """Ask for paths, byte for byte."""
    found: list[int] = []
    for path in requested:
        request = Request(operation="get", method="GET", path=path, base_url=base_url)
        status = yield Ask(request, read=read_status)
        found.append(status)
    return found


def read_status(errors: Any, reply: Reply, forms: tuple[str, ...]) -> int:
    """Read the status."""
    return reply.status


def sign(setup: Setup, key: str, request: Unsigned) -> Mapping[str, str]:
    """Sign a request, as plainly as it can be done."""
    access, _ = key.split(":")
    seen = f"{request.method} {request.url} {len(request.headers)} {request.body}"
    return {"Authorization": f"{setup.own['region']} {access} {seen}"}


PROVIDER = Provider(
    name="objects",
    base_url="https://objects.example",
    base_url_variables=("OBJECTS_URL", "OLDER_URL"),
    normalize_url=lambda url: url if "://" in url else f"http://{url}",
    own_settings={
        "region": OwnSetting(default="north", variables=("OBJECTS_REGION", "OLDER_REGION")),
        "version": OwnSetting(default="2", header="X-Version", rule=one_of("1", "2")),
        "files_url": OwnSetting(rule=an_address),
    },
    headers={"Accept": "*/*", "X-Fixed": "yes"},
    server_request_id_headers=("x-first-id", "x-second-id"),
    secrets_of=lambda key: key.split(":"),
)


class Operations:
    """What the API of these tests can be asked for."""

    provider: ClassVar[Provider] = PROVIDER
    paths = Operation(paths)


class Client(Operations, BaseClient):
    """A client of the API of these tests."""


class AsyncClient(Operations, BaseAsyncClient):
    """The same, awaited."""


class Signing(Client):
    """A client whose keys sign."""

    provider = replace(PROVIDER, sign=sign)


class AsyncSigning(AsyncClient):
    """The same, awaited."""

    provider = Signing.provider


objects: Any = SimpleNamespace(Client=Client, AsyncClient=AsyncClient)
signing: Any = SimpleNamespace(Client=Signing, AsyncClient=AsyncSigning)


def own(name: str, **arguments: Any) -> Any:
    """A setting of a client."""
    return Client(KEY, **arguments)._setup.own[name]


# settings


def test_a_setting_comes_from_the_argument_else_the_environment_else_the_default(monkeypatch):
    """The first variable that is set wins over the second."""
    assert "north" == own("region")
    monkeypatch.setenv("OLDER_REGION", "west")
    assert "west" == own("region")
    monkeypatch.setenv("OBJECTS_REGION", "south")
    assert "south" == own("region")
    assert "east" == own("region", region="east")


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("version must be '1' or '2', and is '3'|version must be '1' or '2'", {"version": "3"}),
        ("files_url must be an address", {"files_url": "nowhere"}),
        ("did you mean region", {"regoin": "east"}),
        ("did you mean api_key", {"apikey": "made up"}),
        ("settings must be a Settings, or None, not '<dict>'", {"settings": {"max_retries": 1}}),
    ],
)
def test_a_bad_setting_of_one_api_is_named(words: str, arguments: dict[str, str]):
    """As every other setting is."""
    with pytest.raises(SettingsError, match=words):
        Client(KEY, **arguments)


def test_a_setting_may_be_a_header(make: Make, server: Recorder):
    """Sent with every request, as are the fixed ones, which win over those of all clients."""
    server.play(answer(b""))

    make(objects, KEY, base_url=server.url, version="1").paths("a")

    headers = server.requests[0].headers
    assert ("1", "yes", "*/*") == (headers["x-version"], headers["x-fixed"], headers["accept"])


# addresses


@pytest.mark.parametrize(
    ("expected", "variables", "given"),
    [
        ("https://objects.example", {}, None),
        ("https://older.example", {"OLDER_URL": "https://older.example/"}, None),
        ("http://new.example", {"OBJECTS_URL": "new.example", "OLDER_URL": "http://b"}, None),
        ("http://given.example:1", {"OBJECTS_URL": "new.example"}, "given.example:1"),
    ],
)
def test_an_address_is_mended_wherever_it_comes_from(monkeypatch, expected, variables, given):
    """Forms of this API's own, without a slash at the end."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert expected == Client(KEY, base_url=given)._setup.base_url


def test_an_operation_may_have_an_address_of_its_own(make: Make, server: Recorder):
    """It wins over that of the client, and the key goes with it: the user has set both."""
    server.play(answer(b""))
    client = make(objects, KEY, base_url="http://127.0.0.1:1")

    client.paths("elsewhere", base_url=server.url)

    assert "/v1/elsewhere" == server.requests[0].target


EXACT = ["a/../b", "a/./b", "//a", "a%2fb", "a%2Fb", "~!$&'()*+,;=:@-._", "q?x=a/../b&y=%20+"]


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "through a proxy"])
def test_a_path_is_sent_byte_for_byte(make: Make, server: Recorder, monkeypatch, proxied):
    """Names of objects are not folders: whoever tidies them asks for another object."""
    base_url = "http://objects.test" if proxied else server.url
    if proxied:
        monkeypatch.setenv("http_proxy", server.url)
    server.play(answer(b""))

    make(objects, KEY, base_url=base_url).paths(*EXACT)

    begin = base_url if proxied else "/v1"
    assert [f"{begin}/{path}" for path in EXACT] == [request.target for request in server.requests]


@pytest.mark.parametrize("path", ["a b", "a\r\nX-Evil: 1", "ä", "a#b", "a\x00"])
def test_a_path_that_is_not_quoted_is_not_sent(make: Make, server: Recorder, path: str):
    """It would break the request line, or lose its end; whoever builds it has to quote it."""
    with pytest.raises(ValueError, match="visible ASCII"):
        make(objects, KEY, base_url=server.url).paths(path)

    assert [] == server.requests


# ids and signatures


@pytest.mark.parametrize(
    ("expected", "headers"),
    [
        ("a", {"x-first-id": "a", "x-second-id": "b"}),
        ("b", {"X-Second-Id": "b"}),
        (None, {}),
    ],
)
def test_the_servers_id_is_in_the_first_header_that_is_there(
    make: Make, server: Recorder, expected: str | None, headers: dict[str, str]
):
    """Servers of one API name it differently."""
    server.play(answer(b"", status=403, headers=headers))

    with pytest.raises(AuthenticationError) as caught:
        make(objects, KEY, base_url=server.url).paths("a")

    assert expected == caught.value.server_request_id


def test_a_signature_is_over_the_request_as_it_is_sent(make: Make, server: Recorder):
    """It gets method, exact address, all headers, body and key, anew at each attempt."""
    server.play(answer(b"", status=500), answer(b""))
    client = make(signing, KEY, base_url=server.url, region="east")
    with no_waiting():
        client.paths("a/../b?x=1")

    first, second = (request.headers["authorization"] for request in server.requests)
    assert f"east access-1234 GET {server.url}/a/../b?x=1 5 None" == first
    assert first == second


def test_no_part_of_a_key_is_shown(make: Make, server: Recorder):
    """A server that echoes one of them is masked as if it had echoed all."""
    server.play(answer({"error": {"message": "no secret-5678 of access-1234"}}, status=403))

    with pytest.raises(AuthenticationError, match=r"no \[masked\] of \[masked\]") as caught:
        make(signing, KEY, base_url=server.url).paths("a")

    assert "5678" not in str(vars(caught.value))
