"""Read all pages of a REST API that has no adapter, with several keys.

    CRAWL_KEY=… CRAWL_KEY_1=… python examples/crawl.py https://api.example.org/items

The API answers {"items": […], "next": "URL or null"} and throttles each key. A key that is
throttled rests for as long as the server says, and the page is asked for with another one at once.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import requests

from resilience import KeyPool, Settings, generate_report, resilient

pool = KeyPool.from_env("CRAWL_KEY", name="crawl")
session = requests.Session()


@resilient(Settings.high_reliability(), keys=pool, name="page")
def page(url: str, *, api_key: str = "") -> dict[str, Any]:
    response = session.get(url, headers={"Authorization": f"Bearer {api_key}"}, timeout=10)
    response.raise_for_status()
    found: dict[str, Any] = response.json()
    return found


def items(url: str | None) -> Iterator[Any]:
    while url is not None:
        found = page(url)
        yield from found["items"]
        url = found["next"]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for item in items(sys.argv[1]):
        print(json.dumps(item))
    print(generate_report("page", include_details=True), file=sys.stderr)
