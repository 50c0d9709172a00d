"""The vendor's client of S3, for whatever server: no retries and no profile of the user's own."""

from __future__ import annotations

import functools
from typing import Any

import boto3
from botocore.config import Config

__all__ = ["boto3_client"]


def boto3_client(
    base_url: str,
    *,
    access_key: str,
    secret_key: str,
    session_token: str | None = None,
    region: str = "us-east-1",
    **config: Any,
) -> Any:
    """Make a client, which somebody has to close."""
    settings: dict[str, Any] = {
        "signature_version": "s3v4",
        "s3": {"addressing_style": "path"},
        "retries": {"mode": "standard", "total_max_attempts": 1},
        **config,
    }
    return _session().client(
        "s3",
        endpoint_url=base_url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        aws_session_token=session_token,
        region_name=region,
        config=Config(**settings),
    )


@functools.cache
def _session() -> Any:
    """One for all: it reads large descriptions of the API, and keeps them."""
    return boto3.session.Session()
