"""Faults and when they strike: the grammar of `--fault`, of scripts and of rules in Python.

A rule is a fault, its options and its conditions, in one flat set of names:

```
429:rate=0.1,retry_after=2                          on the command line
{"fault": "429", "rate": 0.1, "retry_after": 2}     in a script and in Python
```

Everything here is data; `script` decides, `plans` carries out.
"""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from adapters.emulator._errors import settings_error
from adapters.emulator._values import CONVERTERS

__all__ = ["FAULTS", "Rule", "read_rules", "read_script"]

# The conditions, in the order in which they are checked. All that are given must hold.
_CONDITIONS = frozenset(
    {"provider", "operation", "model", "key", "stream", "from", "to", "nth", "every", "first"}
) | {"rate"}

_STATUSES = range(400, 600)
# What a limit is nothing without.
_NEEDED = frozenset({"requests", "window"})

_RETRY_AFTER = frozenset({"retry_after", "retry_after_as"})
_ERROR = frozenset({"code", "message", "should_retry"}) | _RETRY_AFTER

# Each fault but the statuses, with its own options. `delay` goes with all of them.
FAULTS: Mapping[str, frozenset[str]] = {
    "quota": _ERROR,
    "slow": frozenset({"interval"}),
    "hang": frozenset({"timeout"}),
    "reset": frozenset(),
    "truncated": frozenset({"keep"}),
    "broken_json": frozenset({"after"}),
    "wrong_type": frozenset({"shape", "after"}),
    "empty": frozenset(),
    "html": frozenset({"status"}),
    "cut": frozenset({"after", "how", "timeout"}),
    "stream_error": frozenset({"after", "status", "code", "message"}),
    "error_in_200": frozenset({"status", "code", "message"}),
    "redirect": frozenset({"location", "status"}),
    "limit": frozenset({"requests", "window", "grace", "retry_after_as"}),
}
# These need a stream to strike, those an answer that is none.
_STREAMS_ONLY = frozenset({"cut", "stream_error"})
_PLAIN_ONLY = frozenset({"truncated", "error_in_200"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One fault and when it strikes; seconds are counted from the start of the script.

    Attributes:
        fault: A key of `FAULTS`, or a status from 400 to 599.
        status: The HTTP status; its default depends on the fault.
        code: The error's code in place of the usual one.
        message: The error's message in place of the usual one.
        should_retry: The value of a header `x-should-retry`, or None for no such header.
        retry_after: Seconds that the answer tells the client to wait, or None for no header.
        retry_after_as: `seconds` (whole, rounded up), `ms` (`retry-after-ms`) or `date`.
        delay: Seconds before anything is answered, at least 0.
        interval: Seconds between two events, or between the tenths of a plain body.
        timeout: Seconds after which a hang closes the connection; None: when the client leaves.
        keep: The part of the body that is sent of a truncated one, from 0 to less than 1.
        after: How many events are sent before; a negative number counts from the end.
        how: How a stream is cut: `close`, `reset`, `hang`, or `clean` (only the end is missing).
        shape: What stands in place of the right JSON: `list`, `string`, `number`, `null`, `object`.
        location: Where a redirect leads; None: this server under another host name.
        requests: How many requests a key may send in a window.
        window: The window's length in seconds; it begins with a key's first request.
        grace: Seconds after a 429 in which requests that were on their way are not too early.
        provider: Only requests for this provider.
        operation: Only this operation.
        model: Only this model.
        key: Only the key of this name.
        stream: Only streams (True) or only plain answers (False).
        since: Only from this second on.
        until: Only before this second.
        nth: Only the nth request that meets the conditions so far, counted from 1.
        every: Only each nth of them.
        first: Only the first n of them.
        rate: Only this part of them, from 0 to 1, chosen by seed and number of the request.
    """

    fault: str
    status: int | None = None
    code: str | None = None
    message: str | None = None
    should_retry: bool | None = None
    retry_after: float | None = None
    retry_after_as: str = "seconds"
    delay: float = 0.0
    interval: float = 0.0
    timeout: float | None = None
    keep: float = 0.5
    after: int | None = None
    how: str = "close"
    shape: str = "list"
    location: str | None = None
    requests: int = 1
    window: float = 1.0
    grace: float = 0.1
    provider: str | None = None
    operation: str | None = None
    model: str | None = None
    key: str | None = None
    stream: bool | None = None
    since: float = 0.0
    until: float = math.inf
    nth: int | None = None
    every: int | None = None
    first: int | None = None
    rate: float | None = None

    @classmethod
    def parse(cls, spec: str) -> Rule:
        """Read a rule as the command line writes it: `fault` or `fault:name=value,name=value`."""
        fault, _, rest = spec.strip().partition(":")
        options: dict[str, object] = {"fault": fault}
        for part in filter(None, rest.split(",")):
            name, equals, value = part.partition("=")
            if not equals:
                raise settings_error("fault", "must be written fault:name=value,name=value", spec)
            options[name.strip()] = value.strip()
        return cls.of(options)

    @classmethod
    def of(cls, options: Mapping[str, object]) -> Rule:
        """Read a rule as a script writes it.

        Raises:
            SettingsError: names the fault or option, the rule that it breaks, and the value.
        """
        fault = str(options.get("fault", ""))
        allowed = _options_of(fault) | _CONDITIONS | {"fault", "delay"}
        values: dict[str, Any] = {"fault": fault}
        for name, value in options.items():
            if name not in allowed:
                nearest = _nearest(name, allowed)
                message = f"{fault} has no option {name!r}; {nearest}"
                raise settings_error(name, nearest, value, message)
            if name != "fault":
                values[_RENAMED.get(name, name)] = _converted(name, value)
        return cls._completed(values)

    def as_dict(self) -> dict[str, object]:
        """Give the mapping from which `of` makes an equal rule."""
        names = {new: old for old, new in _RENAMED.items()}
        needed = _NEEDED if self.fault == "limit" else frozenset[str]()
        return {
            names.get(field.name, field.name): getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) != field.default or field.name in needed
        }

    @classmethod
    def _completed(cls, values: dict[str, Any]) -> Rule:
        fault = values["fault"]
        if fault in _STREAMS_ONLY or fault in _PLAIN_ONLY:
            needed = fault in _STREAMS_ONLY
            if values.setdefault("stream", needed) is not needed:
                rule = f"must be {str(needed).lower()} for {fault}"
                raise settings_error("stream", rule, not needed)
        if fault == "limit":
            for name in sorted(_NEEDED - values.keys()):
                rule = "must be given for a limit"
                raise settings_error(name, rule, None, f"{name} {rule}")
        if fault == "slow" and not {"delay", "interval"} & values.keys():
            values["delay"] = 1.0
        if values.get("until", math.inf) <= values.get("since", 0.0):
            raise settings_error("to", "must be later than from", values["until"])
        return cls(**values)


# Two conditions are keywords of Python or say too little as an attribute.
_RENAMED = {"from": "since", "to": "until"}


def _options_of(fault: str) -> frozenset[str]:
    if fault.isdecimal() and int(fault) in _STATUSES:
        return _ERROR
    if fault not in FAULTS:
        known = ", ".join(FAULTS)
        raise settings_error("fault", f"must be a status from 400 to 599 or one of {known}", fault)
    return FAULTS[fault]


def _converted(name: str, value: object) -> object:
    rule, convert = CONVERTERS[name]
    try:
        return convert(value)
    except (TypeError, ValueError):
        raise settings_error(name, rule, value) from None


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"


def read_rules(rules: Iterable[object]) -> list[Rule]:
    """Read rules in any of their forms: a text, a mapping, or a `Rule` as it is.

    Raises:
        SettingsError: a rule is none of these, or is not right.
    """
    wanted = "must be a list of rules, each a text or a mapping"
    if isinstance(rules, str | Mapping | Rule):  # one rule alone, which iterates all the same
        raise settings_error("script", wanted, rules)
    found = []
    for rule in rules:
        if isinstance(rule, Rule):
            found.append(rule)
        elif isinstance(rule, str):
            found.append(Rule.parse(rule))
        elif isinstance(rule, Mapping):
            found.append(Rule.of(rule))
        else:
            raise settings_error("script", wanted, rule)
    return found


def read_script(path: str | Path) -> list[Rule]:
    """Read a script: a JSON list of rules, or TOML with an array of tables `[[rules]]`.

    JSON may also be an object with the list under `rules`.

    Raises:
        SettingsError: the file cannot be read, is not JSON or TOML, or holds a bad rule.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        document = tomllib.loads(text) if Path(path).suffix == ".toml" else json.loads(text)
    except OSError as error:
        rule = f"must be a file that can be read ({error.strerror})"
        raise settings_error("script", rule, str(path)) from error
    except ValueError as error:
        rule = f"must be JSON, or TOML in a file named .toml ({error})"
        raise settings_error("script", rule, str(path)) from error
    rules = document.get("rules") if isinstance(document, dict) else document
    if not isinstance(rules, list):
        rule = "must be a list of rules, or have one under 'rules'"
        raise settings_error("script", rule, str(path))
    return read_rules(rules)
