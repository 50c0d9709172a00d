"""The files that are made, and what is in each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from deploy.generator import alerts, alerts_models
from deploy.generator.cases import tests_of
from deploy.generator.dashboard import ROWS, VARIABLES
from deploy.generator.grafana import dashboard_of
from deploy.generator.page import PAGE, page_of
from deploy.generator.rules import groups_of
from deploy.generator.scenes import SCENES

__all__ = ["ALERTS", "FOLDER", "made"]

FOLDER = Path(__file__).parents[1]
ALERTS = (*alerts.ALERTS, *alerts_models.ALERTS)

_HEAD = "# Written by `make deploy`: a change here is lost at its next run.\n"


def made() -> dict[Path, str]:
    """The text of each file, and of the page that tells of them."""
    return {
        FOLDER / "alerts.yaml": _HEAD + _yaml(groups_of(ALERTS)),
        PAGE: page_of(ALERTS),
        FOLDER / "dashboard.json": _json(dashboard_of(ROWS, VARIABLES)),
        FOLDER / "alerts_test.yaml": _HEAD + _yaml(tests_of(SCENES, ALERTS)),
    }


class _Dumper(yaml.SafeDumper):
    """Writes what has several lines as it is."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """A string, as a block where it has several lines."""
        style = "|" if "\n" in data else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_str)


def _yaml(content: Any) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
