"""What clients of S3 have beside the operations: credentials in parts, and presigned addresses."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from adapters._base_client import CommonClient
from adapters._exchange import CallOptions
from adapters._s3_credentials import credentials, from_environment, packed_keys
from adapters._s3_places import relocate
from adapters._s3_requests import is_count, request
from adapters._s3_signing import presign, require_extra
from adapters._setup import reject_unknown_settings
from resilience import KeyPool, Settings
from resilience._pool_entries import reject_unknown_entry
from resilience._rules import fail
from resilience.errors import SettingsError

__all__ = ["S3Client", "region_rule"]

_LONGEST_LIFE = 604_800  # seconds; S3, reference of presigned requests
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_METHODS = ("GET", "PUT", "HEAD", "DELETE")


def region_rule(value: object) -> str | None:
    """Be the rule of the setting `region`."""
    is_name = isinstance(value, str) and _REGION.fullmatch(value)
    return None if is_name else "must be a name such as us-east-1, of letters, digits and hyphens"


class S3Client(CommonClient):
    """What both clients of S3 have beside the operations.

    Each is a client as the others are, but that its keys have parts.
    `key_name` chooses an entry for a call, where `key` is that of an object.

    Args:
        api_key: `access:secret` or `access:secret:token`, where there is one key.
        access_key: In its place, the access key id.
        secret_key: The secret that belongs to it.
        session_token: The token of temporary credentials.
        keys: In their place, names and keys as above, or mappings with `access_key`, `secret_key`,
            `session_token` and the other arguments of `KeyPool.add`; or a `KeyPool`.
        base_url: Where the service stands; buckets are named in the path.
        settings: A `Settings` of the stack.
        timeout: Seconds for a whole call, retries and all parts included (None: no limit).
        more: As for every client, and `region` (us-east-1; where the service names another one for
            a bucket, that one is used).

    Raises:
        MissingKeyError: if no credentials are given or found; it names the variables.
        ModuleNotFoundError: without the extra `s3`.
        SettingsError: for an unknown setting, and for a value that breaks its rule.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        access_key: str | None = None,
        secret_key: str | None = None,
        session_token: str | None = None,
        keys: KeyPool | Mapping[str, Any] | list[str] | None = None,
        base_url: str | None = None,
        settings: Settings | None = None,
        timeout: float | None = None,
        **more: Any,
    ) -> None:
        require_extra()
        parts = {"access_key": access_key, "secret_key": secret_key, "session_token": session_token}
        reject_unknown_settings(self.provider, more, *parts)
        given = {name: value for name, value in parts.items() if value is not None}
        if given and not (api_key is None and keys is None):
            msg = "access_key cannot be given beside api_key or keys: which should be used?"
            raise SettingsError(msg, setting="access_key", rule="cannot be given beside keys")
        if given:
            for name in ("access_key", "secret_key"):
                if name not in given:
                    fail(name, "must be given beside the other parts", None)
            api_key = credentials(**given)
        elif api_key is None and keys is None:
            keys = from_environment()
        super().__init__(
            packed_keys(api_key)[0] if api_key is not None else None,
            keys=packed_keys(keys),
            base_url=base_url,
            settings=settings,
            timeout=timeout,
            **more,
        )

    def presign(
        self,
        bucket: str,
        key: str,
        expires: int = 3600,
        method: str = "GET",
        *,
        version_id: str | None = None,
        key_name: str | None = None,
    ) -> str:
        """Return an address with which anybody may do one thing to one object; sends nothing.

        Whoever has it needs no credentials; with temporary credentials it holds their token.

        Args:
            bucket: The bucket.
            key: The key of the object.
            expires: Seconds for which it is good, from 1 to 604,800; less where temporary
                credentials end before.
            method: "GET", "PUT", "HEAD" or "DELETE".
            version_id: A version other than the newest, for reading.
            key_name: The name of the entry that signs.

        Raises:
            NoKeyAvailableError: if no entry can sign.
            SettingsError: for a value that breaks its rule.
        """
        if not is_count(expires) or not 1 <= expires <= _LONGEST_LIFE:
            fail("expires", f"must be a number of seconds from 1 to {_LONGEST_LIFE:,}", expires)
        if method not in _METHODS:
            fail("method", f"must be one of {', '.join(_METHODS)}", method)
        path = request("presign", method, bucket, key, query={"versionId": version_id}).path
        with self.keys.lease(key_name) as lease:
            base_url = relocate(self._setup, lease.base_url or self._setup.base_url, path)
            if lease.key is None:
                fail("key", "must be given: an entry without one cannot sign", None)
            return presign(self._setup, lease.key, method, (base_url, path), expires=expires)

    def _call(self, options: dict[str, Any], named: Collection[str] = ()) -> CallOptions:
        """Take the options of every call; the key's own has another name here."""
        entry = options.pop("key_name", None)
        call = super()._call(options, named)
        if entry is not None:
            reject_unknown_entry(self.keys, entry)
            call.key = entry
        return call
