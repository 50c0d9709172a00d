"""What the environment says about requests: proxies and certificates, as requests reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from adapters._network_errors import FAILURES
from adapters._network_words import not_set_up

__all__ = ["Surroundings", "look_around"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the environment says about requests to one address.

    Attributes:
        url: The address as it is asked for, without a slash at its end.
        proxy: The proxy that they go through, or None.
        bundle: The file or folder of the certificates that are trusted.
    """

    url: str
    proxy: str | None
    bundle: str


def look_around(base_url: str) -> Surroundings:
    """Read the environment as requests does, for whoever sends without it.

    Raises:
        ConnectionFailedError: if the address is none, or the environment cannot be used.
    """
    with requests.Session() as session:
        try:
            url = str(requests.Request("GET", base_url).prepare().url)
            session.get_adapter(url)
            found = session.merge_environment_settings(
                url, {}, stream=False, verify=None, cert=None
            )
        except (*FAILURES, ValueError) as error:
            raise not_set_up(base_url, error) from error
    proxy = requests.utils.select_proxy(url, found["proxies"])
    named: Any = found["verify"]
    bundle = named if isinstance(named, str) else requests.utils.DEFAULT_CA_BUNDLE_PATH
    return Surroundings(url.rstrip("/"), proxy, bundle)
