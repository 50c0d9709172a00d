"""Rules: what the command line, scripts and Python may write, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from adapters.emulator import Rule
from adapters.emulator.faults import FAULTS, read_rules, read_script
from resilience.errors import SettingsError


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ("429", {"fault": "429"}),
        ("429:rate=0.1,retry_after=2", {"fault": 429, "rate": 0.1, "retry_after": 2}),
        (
            "429:retry_after=1.5,retry_after_as=ms",
            {"fault": "429", "retry_after": 1.5, "retry_after_as": "ms"},
        ),
        ("401:key=backup,from=5", {"fault": "401", "key": "backup", "from": 5}),
        ("503:from=10,to=14", {"fault": 503, "from": 10.0, "to": 14.0}),
        ("hang:rate=0.01,timeout=3", {"fault": "hang", "rate": 0.01, "timeout": 3}),
        ("cut:after=-1,how=clean", {"fault": "cut", "after": -1, "how": "clean"}),
        ("500:should_retry=false,nth=2", {"fault": "500", "should_retry": False, "nth": 2}),
        (
            "redirect:location=http://x:1/a?b=c",
            {"fault": "redirect", "location": "http://x:1/a?b=c"},
        ),
        (
            "limit:requests=5,window=2,key=a",
            {"fault": "limit", "requests": 5, "window": 2, "key": "a"},
        ),
        (" reset:stream=true ", {"fault": "reset", "stream": True}),
    ],
)
def test_a_text_and_a_mapping_say_the_same(spec: str, options: dict[str, Any]) -> None:
    """The command line and a script write the same rule each in its way."""
    assert Rule.of(options) == Rule.parse(spec)


@pytest.mark.parametrize("fault", [*FAULTS, "429"])
def test_a_rule_survives_the_way_to_the_process(fault: str) -> None:
    """The mapping of a rule, also as JSON, makes the same rule again."""
    more = {"requests": 3, "window": 0.5} if fault == "limit" else {}
    rule = Rule.of({"fault": fault, "from": 1, "to": 2, "rate": 0.5, "key": "a", **more})

    assert rule == Rule.of(json.loads(json.dumps(rule.as_dict())))


def test_a_limit_that_looks_like_the_default_survives() -> None:
    """What has to be given is always handed on."""
    rule = Rule.parse("limit:requests=1,window=1")

    assert rule == Rule.of(rule.as_dict())


@pytest.mark.parametrize(
    ("spec", "setting", "message"),
    [
        (
            "nonsense",
            "fault",
            "fault must be a status from 400 to 599 or one of quota, .*'nonsense'",
        ),
        ("200", "fault", "fault must be a status from 400 to 599 or one of .*, not '200'"),
        ("", "fault", "fault must be .*, not ''"),
        ("429:rate", "fault", "fault must be written fault:name=value,.*, not '429:rate'"),
        ("429:rate=2", "rate", "rate must be a number from 0 to 1, not '2'"),
        ("429:rate=nan", "rate", "rate must be a number from 0 to 1, not 'nan'"),
        ("429:retry_after=-1", "retry_after", "retry_after must be a number, at least 0, not '-1'"),
        (
            "429:retry_after_as=days",
            "retry_after_as",
            "retry_after_as must be one of seconds, ms, date",
        ),
        ("429:nth=0", "nth", "nth must be a whole number, at least 1, not '0'"),
        ("429:nth=x", "nth", "nth must be a whole number, at least 1, not 'x'"),
        ("html:status=99", "status", "status must be a whole number from 200 to 599, not '99'"),
        ("cut:after=x", "after", "after must be a whole number, not 'x'"),
        ("hang:timeout=0", "timeout", "timeout must be a number, more than 0, not '0'"),
        ("hang:timeout=inf", "timeout", "timeout must be a number, more than 0, not 'inf'"),
        (
            "500:should_retry=maybe",
            "should_retry",
            "should_retry must be true or false, not 'maybe'",
        ),
        ("500:key=", "key", "key must be a text that is not empty, not ''"),
        ("429:rat=1", "rat", "429 has no option 'rat'; did you mean 'rate'?"),
        ("hang:retry_after=1", "retry_after", "hang has no option 'retry_after'"),
        ("limit:requests=3", "window", "window must be given for a limit"),
        ("cut:stream=false", "stream", "stream must be true for cut"),
        ("500:from=5,to=5", "to", "to must be later than from, not 5.0"),
    ],
)
def test_a_bad_rule_names_option_rule_and_value(spec: str, setting: str, message: str) -> None:
    """What is wrong is said in one line, before anything starts."""
    with pytest.raises(SettingsError, match="^" + message.replace("?", r"\?")) as caught:
        Rule.parse(spec)

    assert setting == caught.value.setting
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [{"fault": "429", "rate": True}, {"fault": "429", "nth": 1.5}, {"fault": "429", "key": 3}],
)
def test_types_of_a_script_are_checked(value: dict[str, object]) -> None:
    """A value of the wrong JSON type is refused, and is not bent into shape."""
    with pytest.raises(SettingsError, match="must be"):
        Rule.of(value)


def test_rules_come_in_any_form() -> None:
    """Texts, mappings and rules may stand side by side; anything else is refused."""
    rule = Rule.parse("500")

    assert [rule, rule, rule] == read_rules(["500", {"fault": 500}, rule])
    with pytest.raises(SettingsError, match="script must be a list of rules"):
        read_rules([5])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", '[{"fault": "429", "nth": 2}, "reset:rate=0.5"]'),
        ("b.json", '{"rules": [{"fault": 429, "nth": 2}, {"fault": "reset", "rate": 0.5}]}'),
        ("c.toml", 'rules = [{fault = 429, nth = 2}, "reset:rate=0.5"]'),
        ("d.toml", '[[rules]]\nfault = "429"\nnth = 2\n[[rules]]\nfault = "reset"\nrate = 0.5\n'),
    ],
)
def test_scripts_are_json_or_toml(tmp_path: Path, name: str, text: str) -> None:
    """Both formats give the same rules."""
    (tmp_path / name).write_text(text)

    assert [Rule.parse("429:nth=2"), Rule.parse("reset:rate=0.5")] == read_script(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "missing.json",
            None,
            "script must be a file that can be read (No such file or directory)",
        ),
        ("a.json", "{", "script must be JSON, or TOML in a file named .toml"),
        ("a.toml", "=", "script must be JSON, or TOML in a file named .toml"),
        ("a.json", "{}", "script must be a list of rules, or have one under 'rules'"),
        ("a.json", "[3]", "script must be a list of rules, each a text or a mapping, not 3"),
        ("a.json", '["429:rate=9"]', "rate must be a number from 0 to 1, not '9'"),
    ],
)
def test_a_bad_script_is_explained(
    tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    """A script that cannot be read, parsed or understood says which of these it is."""
    if text is not None:
        (tmp_path / name).write_text(text)

    with pytest.raises(SettingsError, match="^" + re.escape(message)):
        read_script(tmp_path / name)
