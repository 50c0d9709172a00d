"""`classify` on the errors of the vendors' own SDKs: the error tables of the APIs, row by row."""

from __future__ import annotations

import io
import json
import re
from functools import cache

import aiohttp
import anthropic
import botocore.exceptions
import groq
import httpx
import httpx2
import huggingface_hub.errors
import ollama
import openai
import pytest
import requests
import urllib3
from botocore.retries.standard import ThrottledRetryableChecker
from google.genai import errors as genai_errors

from resilience import _words
from resilience.classify import Verdict, classify
from tests.support.sources import ROOT

URL = "https://api.example/v1/x"


@cache
def client_of(sdk):
    """A client of an SDK, which knows how to make an error of an answer."""
    kinds = {"openai": openai.OpenAI, "anthropic": anthropic.Anthropic, "groq": groq.Groq}
    return kinds[sdk](api_key="made-up", base_url="https://api.example")


def answered(sdk, status, body=None, headers=None):
    """The error that an SDK makes of such an answer, by its own function."""
    library = httpx if sdk == "groq" else httpx2
    request = library.Request("POST", URL)
    content = {"content": b""} if body is None else {"json": body}
    response = library.Response(status, headers=headers, request=request, **content)
    return client_of(sdk)._make_status_error_from_response(response)


def in_stream(sdk, body):
    """The error that an SDK makes of an event of a stream whose status was good."""
    if sdk == "anthropic":
        response = httpx2.Response(200, request=httpx2.Request("POST", URL))
        return client_of(sdk)._make_status_error(f"{body}", body=body, response=response)
    module, library = {"openai": (openai, httpx2), "groq": (groq, httpx)}[sdk]
    request = library.Request("POST", URL)
    return module.APIError("An error in the stream", request, body=body["error"])


def says(code=None, kind=None, message="No.", **more):
    """An error in the manner of OpenAI; Anthropic's has no code."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


def claude_says(kind, error_code=None):
    """An error in the manner of Anthropic."""
    details = {} if error_code is None else {"details": {"error_code": error_code}}
    error = {"type": kind, "message": "No.", **details}
    return {"type": "error", "error": error, "request_id": "req_1"}


OPENAI = [
    (400, says(None, "invalid_request_error"), "permanent"),
    (400, says("context_length_exceeded"), "permanent"),
    (401, says("invalid_api_key"), "key"),
    (403, says("unsupported_country_region_territory"), "key"),
    (404, says("model_not_found"), "permanent"),
    (408, None, "transient"),
    (413, None, "permanent"),
    (422, says(), "permanent"),
    (429, says("rate_limit_exceeded", "tokens"), "rate_limit"),
    (429, says("slow_down", "rate_limit_error"), "rate_limit"),
    (503, says("slow_down", "rate_limit_error"), "rate_limit"),
    (429, says("insufficient_quota", "insufficient_quota"), "key"),
    (429, says(None, "insufficient_quota"), "key"),
    (429, says("rate_limit_exceeded", "insufficient_quota"), "rate_limit"),
    (429, says("credit_balance_exhausted"), "key"),
    (429, says("organization_spend_limit_exceeded"), "key"),
    (429, says("project_spend_limit_exceeded"), "key"),
    (403, says("organization_usage_limit_exceeded"), "key"),
    (500, says(None, "server_error"), "transient"),
    (500, says(message="insufficient_quota 429 invalid_api_key"), "transient"),
    (503, says("server_is_overloaded", "service_unavailable_error"), "transient"),
    (504, None, "transient"),
]
ANTHROPIC = [
    (400, claude_says("invalid_request_error"), "permanent"),
    (401, claude_says("authentication_error"), "key"),
    (402, claude_says("billing_error"), "key"),
    (403, claude_says("permission_error"), "key"),
    (404, claude_says("not_found_error"), "permanent"),
    (413, claude_says("request_too_large"), "permanent"),
    (429, claude_says("rate_limit_error"), "rate_limit"),
    (429, claude_says("rate_limit_error", "ramp_limit_exceeded"), "rate_limit"),
    (429, claude_says("rate_limit_error", "enforced_spend_limit_reached"), "key"),
    (429, claude_says("rate_limit_error", "contract_spend_limit_reached"), "key"),
    (500, claude_says("api_error"), "transient"),
    (504, claude_says("timeout_error"), "transient"),
    (529, claude_says("overloaded_error"), "rate_limit"),
]
GROQ = [
    (400, says(None, "invalid_request_error", failed_generation="{"), "permanent"),
    (401, says("invalid_api_key"), "key"),
    (403, says(), "key"),
    (404, says("model_not_found"), "permanent"),
    (413, says(), "permanent"),
    (422, says(), "permanent"),
    (424, says(), "permanent"),
    (429, says("rate_limit_exceeded", "tokens"), "rate_limit"),
    (498, says("capacity_exceeded"), "rate_limit"),
    (499, None, "permanent"),
    (500, says(), "transient"),
    (502, None, "transient"),
    (503, says(), "transient"),
]
TABLES = [
    (sdk, *row)
    for sdk, table in (("openai", OPENAI), ("anthropic", ANTHROPIC), ("groq", GROQ))
    for row in table
]


@pytest.mark.parametrize(("sdk", "status", "body", "kind"), TABLES)
def test_the_error_table_of_an_api(sdk, status, body, kind):
    """Status and code of the SDK's own error decide; where they differ, the more exact one."""
    assert kind == classify(answered(sdk, status, body)).kind


@pytest.mark.parametrize(
    ("sdk", "body", "kind"),
    [
        ("openai", says("rate_limit_exceeded", "tokens"), "rate_limit"),
        ("openai", says("insufficient_quota", "insufficient_quota"), "key"),
        ("openai", says(None, "server_error"), "transient"),
        ("openai", says(None, "invalid_request_error"), "permanent"),
        ("openai", says(429, "TooManyRequests"), "rate_limit"),
        ("openai", says(400, "BadRequestError"), "permanent"),
        ("openai", says(500, "InternalServerError"), "transient"),
        ("openai", says(), "transient"),
        ("groq", says("rate_limit_exceeded", "tokens"), "rate_limit"),
        ("anthropic", claude_says("overloaded_error"), "rate_limit"),
        ("anthropic", claude_says("rate_limit_error"), "rate_limit"),
        ("anthropic", claude_says("api_error"), "transient"),
        ("anthropic", claude_says("authentication_error"), "key"),
        ("anthropic", claude_says("invalid_request_error"), "permanent"),
    ],
)
def test_an_error_in_a_stream_is_known_by_its_word(sdk, body, kind):
    """The status was a good one, or is not there at all."""
    assert kind == classify(in_stream(sdk, body)).kind


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (answered("openai", 429, says(), {"retry-after-ms": "1500"}), 1.5),
        (
            answered(
                "openai",
                429,
                says(),
                {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"},
            ),
            360,
        ),
        (answered("anthropic", 429, claude_says("rate_limit_error"), {"retry-after": "17"}), 17),
        (answered("groq", 429, says(message="Please try again in 7.66s."), {}), 7.66),
        (in_stream("openai", says("rate_limit_exceeded", message="Try again in 20ms.")), 0.02),
        (in_stream("openai", says("server_error", message="Try again in 20ms.")), None),
    ],
)
def test_the_hint_of_an_sdks_error(error, seconds):
    """Headers of its response first, then what its body says."""
    assert seconds == classify(error).retry_after


def gemini(status, word, *details, message="No."):
    """An error of Gemini's SDK."""
    error = {"code": status, "status": word, "message": message, "details": list(details)}
    kind = genai_errors.ClientError if status < 500 else genai_errors.ServerError
    return kind(status, {"error": error})


def quota(*values):
    """The limits that a request has broken, with what each of them allows."""
    violations = [{"quotaId": "GenerateRequestsPerDay", "quotaValue": value} for value in values]
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}


INFO = {"@type": "type.googleapis.com/google.rpc.ErrorInfo"}
LIMITED = {**INFO, "reason": "RATE_LIMIT_EXCEEDED"}
DELAY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "38.5s"}


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (gemini(400, "INVALID_ARGUMENT"), Verdict("permanent")),
        (
            gemini(400, "INVALID_ARGUMENT", {**INFO, "reason": "API_KEY_INVALID"}),
            Verdict("key"),
        ),
        (gemini(400, "FAILED_PRECONDITION"), Verdict("permanent")),
        (gemini(401, "UNAUTHENTICATED"), Verdict("key")),
        (gemini(403, "PERMISSION_DENIED"), Verdict("key")),
        (gemini(404, "NOT_FOUND"), Verdict("permanent")),
        (gemini(429, "RESOURCE_EXHAUSTED"), Verdict("rate_limit")),
        (gemini(429, "RESOURCE_EXHAUSTED", INFO, DELAY), Verdict("rate_limit", 38.5)),
        (
            gemini(429, "RESOURCE_EXHAUSTED", message="Please retry in 46.1s."),
            Verdict("rate_limit", 46.1),
        ),
        (gemini(429, "RESOURCE_EXHAUSTED", quota("10"), DELAY), Verdict("rate_limit", 38.5)),
        (
            gemini(429, "RESOURCE_EXHAUSTED", LIMITED, quota("10", "0"), DELAY),
            Verdict("key", 38.5),
        ),
        (gemini(499, "CANCELLED"), Verdict("permanent")),
        (gemini(500, "INTERNAL"), Verdict("transient")),
        (gemini(503, "UNAVAILABLE", DELAY), Verdict("transient", 38.5)),
        (gemini(504, "DEADLINE_EXCEEDED"), Verdict("transient")),
    ],
)
def test_the_error_table_of_gemini(error, verdict):
    """A wrong key is a 400 there, a limit of 0 a 429, and the delay stands in the body."""
    assert verdict == classify(error)


def boto(code, status, **headers):
    """An error of botocore."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": named, "RequestId": "1"}
    answer = {"Error": {"Code": code, "Message": "No."}, "ResponseMetadata": metadata}
    return botocore.exceptions.ClientError(answer, "GetObject")


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (boto("SlowDown", 503), Verdict("rate_limit")),
        (boto("SlowDown", 503, x_amz_retry_after="1500"), Verdict("rate_limit", 1.5)),
        (boto("Throttling", 400), Verdict("rate_limit")),
        (boto("ThrottlingException", 400), Verdict("rate_limit")),
        (boto("RequestLimitExceeded", 503), Verdict("rate_limit")),
        (boto("ProvisionedThroughputExceededException", 400), Verdict("rate_limit")),
        (boto("TooManyRequestsException", 429), Verdict("rate_limit")),
        (boto("BandwidthLimitExceeded", 509), Verdict("rate_limit")),
        (boto("ServiceUnavailable", 503, retry_after="9"), Verdict("transient", 9)),
        (boto("InternalError", 500), Verdict("transient")),
        (boto("RequestTimeout", 400), Verdict("transient")),
        (boto("PriorRequestNotComplete", 400), Verdict("transient")),
        (boto("RequestTimeTooSkewed", 403), Verdict("permanent")),
        (boto("AccessDenied", 403), Verdict("key")),
        (boto("SignatureDoesNotMatch", 403), Verdict("key")),
        (boto("ExpiredToken", 400), Verdict("key")),
        (boto("NoSuchKey", 404), Verdict("permanent")),
        (boto("404", 404), Verdict("permanent")),
        (boto("PreconditionFailed", 412), Verdict("permanent")),
        (boto("PermanentRedirect", 301), Verdict("transient")),
        (boto("NotImplemented", 501), Verdict("permanent")),
        (botocore.exceptions.EndpointConnectionError(endpoint_url=URL), Verdict("transient")),
        (botocore.exceptions.ReadTimeoutError(endpoint_url=URL), Verdict("transient")),
    ],
)
def test_the_error_table_of_object_storage(error, verdict):
    """The code decides before the status: too fast, too slow and a wrong clock are all 4xx."""
    assert verdict == classify(error)


def hub(status, **headers):
    """An error of Hugging Face's client."""
    response = httpx2.Response(status, headers=headers, request=httpx2.Request("GET", URL))
    return huggingface_hub.errors.HfHubHTTPError("No.", response=response)


def by_httpx(library, status, **headers):
    """The error of `raise_for_status`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = library.Response(status, headers=named, request=library.Request("GET", URL))
    with pytest.raises(library.HTTPStatusError) as caught:
        response.raise_for_status()
    return caught.value


def by_aiohttp(status, **headers):
    """The error of aiohttp's `raise_for_status`."""
    return aiohttp.ClientResponseError(None, (), status=status, headers=headers)


def by_requests(status, content=b"", **headers):
    """The error of the `raise_for_status` of requests; it has loaded the body."""
    response = requests.Response()
    response.status_code = status
    response.raw = io.BytesIO(content)
    response.headers.update(headers)
    assert content == response.content
    return requests.HTTPError("No.", response=response)


REQUEST = httpx2.Request("GET", URL)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (hub(401), Verdict("key")),
        (hub(422), Verdict("permanent")),
        (hub(429, ratelimit='"api";r=0;t=55'), Verdict("rate_limit", 55)),
        (hub(503), Verdict("transient")),
        (huggingface_hub.errors.InferenceTimeoutError("slow"), Verdict("transient")),
        (huggingface_hub.errors.OverloadedError("busy"), Verdict("transient")),
        (ollama.ResponseError("model not found", 404), Verdict("permanent")),
        (ollama.ResponseError("unauthorized", 401), Verdict("key")),
        (ollama.ResponseError("try again in 9s", 429), Verdict("rate_limit", 9)),
        (ollama.ResponseError("runner crashed", 500), Verdict("transient")),
        (ollama.ResponseError("server busy", 503), Verdict("transient")),
        (ollama.ResponseError("in the middle of a stream"), Verdict("transient")),
        (by_httpx(httpx, 429, retry_after="5"), Verdict("rate_limit", 5)),
        (by_httpx(httpx2, 404), Verdict("permanent")),
        (httpx.ConnectTimeout("slow"), Verdict("transient")),
        (httpx2.RemoteProtocolError("cut"), Verdict("transient")),
        (by_aiohttp(429, **{"Retry-After": "5"}), Verdict("rate_limit", 5)),
        (by_aiohttp(400), Verdict("permanent")),
        (aiohttp.ServerDisconnectedError(), Verdict("transient")),
        (aiohttp.ClientPayloadError("cut"), Verdict("transient")),
        (by_requests(503, **{"Retry-After": "5"}), Verdict("transient", 5)),
        (urllib3.exceptions.MaxRetryError(None, URL), Verdict("transient")),
        (urllib3.exceptions.IncompleteRead(5, 10), Verdict("transient")),
        (openai.APITimeoutError(REQUEST), Verdict("transient")),
        (openai.APIConnectionError(request=REQUEST), Verdict("transient")),
        (anthropic.APIConnectionError(request=REQUEST), Verdict("transient")),
        (groq.APITimeoutError(httpx.Request("GET", URL)), Verdict("transient")),
    ],
)
def test_the_errors_of_other_clients(error, verdict):
    """Statuses where there are any; connections, time-outs and cut answers are transient."""
    assert verdict == classify(error)


def streamed(library):
    """An error whose body is still on its way, and says that the quota is used up."""
    body = [b'{"error": {"code": "insufficient_quota"}}']
    if library is requests:
        response = requests.Response()
        response.status_code = 429
        response.raw = io.BytesIO(*body)
        return requests.HTTPError("No.", response=response)
    request = library.Request("GET", URL)
    response = library.Response(429, content=iter(body), request=request)
    return library.HTTPStatusError("No.", request=request, response=response)


def read(error):
    """Load the body of the response."""
    return getattr(error.response, "read", lambda: error.response.content)()


@pytest.mark.parametrize("library", [requests, httpx, httpx2])
def test_a_body_counts_once_it_is_loaded(library):
    """Classifying does no input or output: what is still on its way is left alone."""
    error = streamed(library)
    before = classify(error).kind

    assert b"insufficient_quota" in read(error)
    assert ("rate_limit", "key") == (before, classify(error).kind)


@pytest.mark.parametrize(
    ("content", "verdict"),
    [
        (b'{"error": {"code": "insufficient_quota"}}', Verdict("key")),
        (b'{"error": {"details": [{"@type": "google.rpc.RetryInfo"}]}}', Verdict("rate_limit")),
        (json.dumps({"error": {"details": [DELAY]}}).encode(), Verdict("rate_limit", 38.5)),
        (b"Please try again in 2s.", Verdict("rate_limit", 2)),
        (b"{" + b" " * 70_000 + b'"code": "insufficient_quota"}', Verdict("rate_limit")),
        (b"<html>insufficient_quota</html>", Verdict("rate_limit")),
        (b"\xff\xfe", Verdict("rate_limit")),
        (b"[" * 9_999, Verdict("rate_limit")),
    ],
)
def test_a_loaded_body_is_parsed(content, verdict):
    """What requests and httpx leave to their user; a large one is not worth the time."""
    assert verdict == classify(by_requests(429, content))


def test_the_documentation_lists_every_word():
    """All but the throttling words of botocore, of which it names four."""
    page = (ROOT / "docs/reference/classification.md").read_text("utf-8")
    section = page.partition("## Words that go before the status")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    listed = {word.lower() for row in rows for word in re.findall(r"`(\w+)`", row.split(":")[0])}
    known = {**_words.ANYWHERE, **_words.WITHOUT_STATUS}
    throttling = {word.lower() for word in ThrottledRetryableChecker._THROTTLED_ERROR_CODES}

    assert set(known) <= listed | throttling
    assert listed <= set(known)
    assert throttling <= set(known)
