"""Grafana's own types of version 11.6 know everything that the dashboard says.

Grafana itself is not to be had as a package; its library for writing dashboards is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.generator.files import FOLDER

# What a dashboard holds for its data source, and for the editor of variables: no type has it.
FOREIGN = {
    *(f".annotations.list.0.target.{key}" for key in ("refId", "expr", "interval")),
    *(f".annotations.list.0.{key}" for key in ("tagKeys", "textFormat", "titleFormat")),
    *(f".templating.list.{number}.definition" for number in range(1, 5)),
}


def test_no_part_of_the_dashboard_is_unknown():
    """Read by these types and written again, it says the same: no key is wrong, no value lost."""
    register_default_plugins()
    ours = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    theirs = json.loads(json.dumps(Dashboard.from_json(ours), cls=JSONEncoder))

    assert FOREIGN == set(lost(ours, theirs))


def test_what_is_unknown_is_found():
    """A key that is misspelt, in a panel or in its options, does not come back."""
    register_default_plugins()
    panel = {"type": "stat", "fieldConifg": {}, "options": {"graphmode": "none"}}
    found = Dashboard.from_json({"panels": [panel]}).to_json()
    theirs = json.loads(json.dumps(found, cls=JSONEncoder))

    assert {".panels.0.fieldConifg", ".panels.0.options.graphmode"} == set(
        lost({"panels": [panel]}, theirs)
    )


def lost(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Where something that we say is not said by them."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if value is not None:
                yield from lost(value, theirs.get(key), f"{path}.{key}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from lost(mine, other, f"{path}.{number}")
    elif ours != theirs:
        yield path
