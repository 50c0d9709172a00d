"""`classify` on the real exceptions of other libraries, none of which it imports."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
import urllib3

from resilience.classify import Verdict, classify


class Handler(BaseHTTPRequestHandler):
    """Answers every GET as the test said before."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Answer."""
        status, headers, code = self.server.answer
        body = json.dumps({"error": {"message": "no", "code": code}}).encode()
        self.send_response(status)
        headers = {"Content-Type": "application/json", "Content-Length": len(body), **headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Keep quiet."""


class Clients:
    """The libraries, each of which makes its own exception of an answer of the server."""

    def __init__(self, server):
        import openai

        self.server = server
        self.url = f"http://127.0.0.1:{server.server_address[1]}/"
        self.session = requests.Session()
        self.sdk = openai.OpenAI(api_key="sk-made-up", base_url=self.url, max_retries=0)

    def error_of(self, library, status, headers=None, code=None):
        """The exception that a library raises for such an answer."""
        self.server.answer = status, headers or {}, code
        with pytest.raises(Exception) as caught:  # noqa: PT011 - of whatever type
            getattr(self, library)()
        return caught.value

    def by_requests(self):
        """Make a plain request."""
        self.session.get(self.url).raise_for_status()

    def by_openai(self):
        """Make a call of the SDK."""
        self.sdk.models.list()

    def by_urllib(self):
        """Make a request of the standard library."""
        try:
            urllib.request.urlopen(self.url)  # noqa: S310 - our own server
        except urllib.error.HTTPError as error:
            error.close()
            raise


@pytest.fixture(scope="module")
def clients():
    """The libraries, and a server on this machine that answers as a test says."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        clients = Clients(server)
        yield clients
        clients.session.close()
        clients.sdk.close()
        server.shutdown()
        thread.join()


LIBRARIES = ["by_requests", "by_openai", "by_urllib"]
STATUSES = [
    (400, "permanent"),
    (401, "key"),
    (403, "key"),
    (404, "permanent"),
    (408, "transient"),
    (409, "permanent"),
    (422, "permanent"),
    (429, "rate_limit"),
    (500, "transient"),
    (501, "permanent"),
    (503, "transient"),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_status_of_a_library_decides(clients, library, status, kind):
    """Wherever requests, the OpenAI SDK and urllib keep it."""
    assert Verdict(kind) == classify(clients.error_of(library, status))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {"Retry-After": "12"}),
        (503, {"retry-after-ms": "12000"}),
        (429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "12s"}),
    ],
)
def test_a_hint_of_a_library_is_read(clients, library, status, headers):
    """The headers are where the library keeps them, in whatever case."""
    assert 12 == classify(clients.error_of(library, status, headers)).retry_after


def test_the_sdks_error_of_a_used_up_quota_is_of_the_key(clients):
    """Its status is 429, its code says more."""
    error = clients.error_of("by_openai", 429, code="insufficient_quota")

    assert "RateLimitError" == type(error).__name__
    assert "key" == classify(error).kind


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_refused_connection_is_transient(clients, library):
    """Nobody listens there: each library has its own error for it."""
    import openai

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = Clients.__new__(Clients)
        nobody.server = clients.server
        nobody.url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        nobody.session = clients.session
        with openai.OpenAI(api_key="sk-made-up", base_url=nobody.url, max_retries=0) as nobody.sdk:
            error = nobody.error_of(library, 200)

    assert Verdict("transient") == classify(error)


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("refused"),
        requests.ConnectTimeout("slow"),
        requests.ReadTimeout("slow"),
        requests.exceptions.ChunkedEncodingError("cut"),
        requests.exceptions.ContentDecodingError("broken"),
        urllib3.exceptions.ProtocolError("cut"),
        urllib3.exceptions.ReadTimeoutError(None, "/", "slow"),
        urllib.error.URLError(OSError("refused")),
        http.client.IncompleteRead(b"half"),
        http.client.RemoteDisconnected("gone"),
        socket.gaierror(-2, "unknown name"),
        ssl.SSLError("handshake"),
        TimeoutError("slow"),
        ConnectionResetError("reset"),
        json.JSONDecodeError("half", "{", 1),
        subprocess.CalledProcessError(404, "command"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "odd"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_troubles_on_the_way_are_transient(error):
    """Time-outs, connections, truncated bodies; and whatever else says nothing about itself."""
    assert Verdict("transient") == classify(error)


def test_no_library_is_imported():
    """Reading foreign errors needs none of the libraries that raise them."""
    program = (
        "import sys, resilience.classify;"
        "print([n for n in ('requests', 'httpx', 'aiohttp', 'botocore', 'openai')"
        " if n in sys.modules])"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603

    assert "[]" == done.stdout.strip()
