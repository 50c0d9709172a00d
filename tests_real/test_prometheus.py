"""Prometheus scrapes a busy program, and every panel and every rule of `deploy` finds its data."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.deploy.expressions import asked_by
from tests_real.prometheus import DEPLOY, ask, serving
from tests_real.servers import FOLDER, Server, answers, free_port, started

PATIENCE = 30.0  # seconds until a query that finds nothing has failed
DASHBOARD = json.loads((DEPLOY / "dashboard.json").read_text("utf-8"))
QUERIES = {
    f"{panel['title']}: {target['legendFormat']}": target["expr"]
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", ())
}
CHOSEN = {each["name"]: ".*" for each in DASHBOARD["templating"]["list"]}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Prometheus with the rules, and the program that it scrapes each second."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    command = [sys.executable, FOLDER / "programs" / "busy.py", str(port)]
    with (
        started(command, port=port, log=folder / "busy.log", ready=answers(port, "/metrics")),
        serving(folder, port) as server,
    ):
        yield server


@pytest.mark.parametrize("title", QUERIES)
def test_a_panel_shows_something(prometheus: Server, title: str):
    """With every variable at “All”, its query gives values, each under a whole legend."""
    found = results(prometheus, filled(QUERIES[title]))

    assert found
    for each in found:
        assert set() == labels_of(title) - set(each["metric"]) - {"error_type"}


@pytest.mark.parametrize("variable", ["job", "name", "pool", "model"])
def test_a_variable_offers_something(prometheus: Server, variable: str):
    """What can be chosen above the panels are the values of a label."""
    expected = {"job": "app", "name": "weather", "pool": "shop", "model": "gpt-4o-mini"}
    (found,) = [each for each in DASHBOARD["templating"]["list"] if each["name"] == variable]
    series, _, label = found["definition"][len("label_values(") : -1].rpartition(", ")
    values = ask(prometheus, f"label/{label}/values", **{"match[]": filled(series)})

    assert expected[variable] in values


@pytest.mark.parametrize("alert", ["ResilienceCircuitOpen", "ResilienceKeyRejected"])
def test_an_alert_that_fires_is_marked_on_the_panels(prometheus: Server, alert: str):
    """These two do at once: the program has much bad luck."""
    (marks,) = DASHBOARD["annotations"]["list"]
    query = filled(marks["target"]["expr"])

    assert results(prometheus, f'{query} and on (alertname) ALERTS{{alertname="{alert}"}}')


def test_every_rule_is_evaluated(prometheus: Server):
    """Without an error, of series that are there; one has another name behind a collector."""
    asked = {name for rule in rules(prometheus) for name, _ in asked_by(rule["query"]).series}
    asked.remove("resilience_circuit_breaker_state_ratio")

    assert [] == [name for name in asked if not results(prometheus, name)]
    assert {"ok"} == {rule["health"] for rule in rules(prometheus)}


def rules(server: Server) -> list[dict[str, Any]]:
    """The rules as Prometheus has read them."""
    (group,) = ask(server, "rules")["groups"]
    return list(group["rules"])


def results(server: Server, query: str) -> list[Mapping[str, Any]]:
    """What a query gives as soon as there is something, without what is not a number yet."""
    end = time.monotonic() + PATIENCE
    while True:
        found = ask(server, "query", query=query)["result"]
        numbers = [each for each in found if not math.isnan(float(each["value"][1]))]
        if numbers or time.monotonic() > end:
            return numbers
        time.sleep(0.2)


def filled(query: str) -> str:
    """The query as Grafana sends it."""
    query = query.replace("$__rate_interval", "10s")
    for name, value in CHOSEN.items():
        query = query.replace(f"${name}", value)
    return query


def labels_of(legend: str) -> set[str]:
    """The labels that a legend shows."""
    return {part.partition("}}")[0] for part in legend.split("{{")[1:]}
