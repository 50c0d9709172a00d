"""What a run is to do: its arguments, checked before anything is written or sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

from adapters.bulk._concurrency import Concurrency
from adapters.bulk._requests import Requests, operation_of, template_of
from adapters.bulk._rows import InvalidInput, Row, rows_of, survey
from resilience import Settings
from resilience._record import record
from resilience._rules import check, fail
from resilience.errors import SettingsError

__all__ = ["Order", "Plan", "Source"]

Order = Literal["input", "completed"]
Source = str | Path | Iterable[Mapping[str, Any]]

_START = 4  # calls at once, before anything is known
_MOST = 64


@record
class Plan:
    """The checked arguments of a run.

    Attributes:
        source: The input.
        output: Where the results go.
        provider: The API.
        operation: Its operation.
        requests: How a row becomes a call.
        identity: What makes it this job and no other.
        total: How many rows there are, or None.
        sort: Whether the results come in the order of the input.
        concurrency: How many calls may run at once.
        client: The arguments of the client.
    """

    source: Path | Iterable[Mapping[str, Any]]
    output: Path
    provider: str
    operation: str
    requests: Requests
    identity: Mapping[str, Any]
    total: int | None
    sort: bool
    concurrency: Concurrency
    client: dict[str, Any]

    @classmethod
    def of(
        cls,
        source: Source,
        output: str | Path,
        *,
        provider: str,
        operation: str,
        model: str | None,
        column: str | None,
        template: str | Mapping[str, Any] | None,
        options: Mapping[str, Any] | None,
        id_column: str | None,
        concurrency: int | Literal["auto"],
        order: Order,
        client: dict[str, Any],
    ) -> Plan:
        """Check the arguments, and read the input once where it is a file.

        Raises:
            SettingsError: for an argument that breaks its rule, for an input that cannot be read,
                and where its first row is no request.
        """
        given = Path(source) if isinstance(source, str) else source
        target = Path(output)
        for name, value in {"model": model, "column": column, "id_column": id_column}.items():
            check(name, value, "name")
        if order not in ("input", "completed"):
            fail("order", 'must be "input" or "completed"', order)
        requests = Requests(
            operation,
            operation_of(provider, operation),
            model=model,
            column=column,
            template=template,
            options=options or {},
            id_column=id_column,
        )
        if isinstance(given, Path) and given.resolve() == target.resolve():
            fail("output", "must be another file than the input", str(target))
        limit, client = _limits(concurrency, client)
        found = survey(given) if isinstance(given, Path) else None
        first, given = (found.first, given) if found is not None else _peek(given)
        if first is not None:
            _try(requests, first)
        return cls(
            source=given,
            output=target,
            provider=provider,
            operation=operation,
            requests=requests,
            identity=_as_json(
                {
                    "input": None if found is None else found.digest,
                    "provider": provider,
                    "operation": operation,
                    "model": model,
                    "column": column,
                    "template": template_of(template),
                    "options": options or {},
                    "id_column": id_column,
                    "order": order,
                }
            ),
            total=None if found is None else found.rows,
            sort=order == "input",
            concurrency=limit,
            client=client,
        )

    def rows(self) -> Iterable[Row]:
        """Give the rows of the input."""
        return rows_of(self.source)


def _as_json(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return it as it will be read again."""
    for name, value in identity.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            fail(name, "must be something that JSON can express", value)
    read: dict[str, Any] = json.loads(json.dumps(identity))
    return read


def _limits(concurrency: Any, client: dict[str, Any]) -> tuple[Concurrency, dict[str, Any]]:
    """Return the limit of calls and the arguments of the client, which never allows fewer."""
    if concurrency != "auto":
        check("concurrency", concurrency, "max_concurrent_requests")
    settings = client.get("settings")
    usual = settings if isinstance(settings, Settings) else None
    most = _MOST if concurrency == "auto" else concurrency
    if usual is not None:
        most = min(most, usual.max_concurrent_requests)
    given = client.get("max_concurrent_requests")
    if given is not None:
        check("max_concurrent_requests", given)
        most = given if concurrency == "auto" else min(concurrency, given)
    limits = {"max_concurrent_requests": most, "queue_size": most, "enable_batching": False}
    if concurrency == "auto":
        return Concurrency(_START, maximum=most), {**limits, **client}
    return Concurrency.fixed(most), {**limits, **client}


def _peek(source: Any) -> tuple[Row | None, Iterable[Mapping[str, Any]]]:
    """Return the first row of an iterable, or None, and one that still has all of them."""
    if isinstance(source, Mapping | bytes) or not isinstance(source, Iterable):
        fail("source", "must be a path, or an iterable of mappings", type(source))
    rows = iter(source)
    first = list(islice(rows, 1))
    whole = chain(first, rows) if rows is source else source
    return next(rows_of(first), None), whole


def _try(requests: Requests, first: Row) -> None:
    """Refuse a job whose first row is no request: a wrong option would spoil all of them."""
    try:
        requests.arguments(first)
    except InvalidInput as problem:
        msg = f"the first row is no request: {problem}"
        raise SettingsError(msg, setting="source", rule="must fit", value=None) from None
