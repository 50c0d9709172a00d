"""Signature Version 4, by botocore's signer: the importer of botocore.

botocore's own entry point is left out: it reads the clock itself, and writes the session token
into its log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from adapters._provider import Unsigned
from adapters._s3_credentials import Credentials
from adapters._s3_places import now, region_of
from adapters._setup import Setup

__all__ = ["presign", "require_extra", "sign"]

# What is signed: all that S3 gives a meaning to. Proxies may change the others.
_MEANT = ("cache-control", "content-", "expires", "if-", "range", "x-amz-")
_TIME = "%Y%m%dT%H%M%SZ"


def require_extra() -> None:
    """Raise `ModuleNotFoundError` with what to install, where the signer is missing."""
    if find_spec("botocore") is None:
        msg = "adapters.s3 needs botocore: pip install 'resilience-adapters[s3]'"
        raise ModuleNotFoundError(msg, name="botocore")


def sign(setup: Setup, key: str, unsigned: Unsigned) -> Mapping[str, str]:
    """Return the headers that sign a request: body, query, and every header with a meaning."""
    credentials = Credentials.of(key)
    added = {
        "X-Amz-Date": now(setup).strftime(_TIME),
        "X-Amz-Content-SHA256": hashlib.sha256(unsigned.body or b"").hexdigest(),
    }
    if credentials.session_token is not None:
        added["X-Amz-Security-Token"] = credentials.session_token
    headers = {name: value for name, value in unsigned.headers.items() if _is_meant(name)} | added
    region = region_of(setup, unsigned.base_url, unsigned.path)
    request = _request(unsigned.method, unsigned.url, headers, added["X-Amz-Date"])
    signer = _signer("S3SigV4Auth", credentials, region)
    signed = signer.signed_headers(signer.headers_to_sign(request))
    added["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={signed}, "
        f"Signature={_signature(signer, request)}"
    )
    return added


def presign(setup: Setup, key: str, method: str, place: tuple[str, str], *, expires: int) -> str:
    """Return an address that is good for `expires` seconds without further credentials.

    `place` is the base URL, and the path below it.
    """
    base_url, path = place
    region = region_of(setup, base_url, path)
    signer = _signer("S3SigV4QueryAuth", Credentials.of(key), region, expires=expires)
    request = _request(method, f"{base_url}/{path}", {}, now(setup).strftime(_TIME))
    signer._modify_request_before_signing(request)  # noqa: SLF001 - writes the query, and no log
    return f"{request.url}&X-Amz-Signature={_signature(signer, request)}"


def _request(method: str, url: str, headers: Mapping[str, str], time: str) -> Any:
    module: Any = import_module("botocore.awsrequest")
    request = module.AWSRequest(method=method, url=url, headers=headers)
    request.context["timestamp"] = time
    return request


def _signer(kind: str, credentials: Credentials, region: str, **more: Any) -> Any:
    module: Any = import_module("botocore.credentials")
    parts = (credentials.access_key, credentials.secret_key, credentials.session_token)
    signers: Any = import_module("botocore.auth")
    return getattr(signers, kind)(module.Credentials(*parts), "s3", region, **more)


def _signature(signer: Any, request: Any) -> str:
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(to_sign, request))


def _is_meant(name: str) -> bool:
    return name.lower().startswith(_MEANT)
