"""Keys from the environment and from `.env`."""

from __future__ import annotations

import logging
import os
import pickle
import sys

import pytest

from resilience import KeyPool, MissingKeyError, SettingsError
from resilience._environment import lookup


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty working directory inside another one, and an environment without keys."""
    inner = tmp_path / "project" / "part"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    for name in list(os.environ):
        if name.startswith(("SERVICE_KEY", "OTHER_KEY")):
            monkeypatch.delenv(name)
    return inner


def keys_of(pool):
    """The keys by the names of their entries."""
    found = {}
    for name in pool.names():
        with pool.lease(name) as held:
            found[name] = held.key
    return found


def test_a_variable_and_its_numbers(monkeypatch):
    """The name, then all its numbers in their order, with gaps; nothing that only looks alike."""
    values = {
        "SERVICE_KEY_10": "ten",
        "SERVICE_KEY_2": "two",
        "SERVICE_KEY": "plain",
        "SERVICE_KEY_0": "zero",
        "SERVICE_KEY_OLD": "no number",
        "SERVICE_KEY_1_2": "no number",
        "SERVICE_KEY_": "no number",
        "SERVICE_KEYS": "another name",
        "MY_SERVICE_KEY": "another name",
        "SERVICE_KEY_٣": "no plain number",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    pool = KeyPool.from_env("SERVICE_KEY")
    expected = {name: values[f"SERVICE_KEY{name}"] for name in ("", "_0", "_2", "_10")}

    assert {f"SERVICE_KEY{name}": value for name, value in expected.items()} == keys_of(pool)
    assert list(keys_of(pool)) == [f"SERVICE_KEY{name}" for name in expected]
    assert "SERVICE_KEY" == pool.name


def test_a_number_without_the_name_will_do(monkeypatch):
    """`SERVICE_KEY_7` alone is a pool of one."""
    monkeypatch.setenv("SERVICE_KEY_7", "seven")

    assert {"SERVICE_KEY_7": "seven"} == keys_of(KeyPool.from_env("SERVICE_KEY"))


def test_several_variables(monkeypatch):
    """All keys of the first, then all of the second."""
    monkeypatch.setenv("OTHER_KEY_1", "other")
    monkeypatch.setenv("SERVICE_KEY_1", "service")
    pool = KeyPool.from_env("SERVICE_KEY", "OTHER_KEY", name="both", strategy="first")

    assert ("SERVICE_KEY_1", "OTHER_KEY_1") == pool.names()
    assert "both" == pool.name


@pytest.mark.parametrize("folders_up", [0, 1, 2])
def test_the_nearest_env_file(folder, folders_up):
    """`.env` is looked for from the working directory upwards; the environment is not touched."""
    path = [folder, *folder.parents][folders_up] / ".env"
    path.write_text('# comment\nexport SERVICE_KEY="from the file"\nSERVICE_KEY_1=more\nEMPTY=\n')
    before = dict(os.environ)
    expected = {"SERVICE_KEY": "from the file", "SERVICE_KEY_1": "more"}

    assert expected == keys_of(KeyPool.from_env("SERVICE_KEY"))
    assert before == dict(os.environ)


def test_the_environment_wins(folder, monkeypatch):
    """What stands in both is taken from the environment; an empty variable does not hide a key."""
    (folder / ".env").write_text("SERVICE_KEY=file\nSERVICE_KEY_1=file\nSERVICE_KEY_2=file\n")
    monkeypatch.setenv("SERVICE_KEY", "environment")
    monkeypatch.setenv("SERVICE_KEY_1", "")
    expected = {
        "SERVICE_KEY": "environment",
        "SERVICE_KEY_1": "file",
        "SERVICE_KEY_2": "file",
    }

    assert expected == keys_of(KeyPool.from_env("SERVICE_KEY"))


@pytest.mark.parametrize(("value", "key"), [("  key \n", "key"), ("key", "key")])
def test_white_space_around_a_key_is_none_of_it(monkeypatch, value, key):
    """A line break at the end, as files have, does not end up in a header."""
    monkeypatch.setenv("SERVICE_KEY", value)

    assert {"SERVICE_KEY": key} == keys_of(KeyPool.from_env("SERVICE_KEY"))


@pytest.mark.parametrize("value", ["sk-made-up\nX-Evil: 1", "sk-made-up\x1b[0m", "sk-\x7f-up"])
def test_a_key_with_control_characters_is_refused(monkeypatch, value):
    """It would break the header that it goes into; the error names the variable, not the key."""
    monkeypatch.setenv("SERVICE_KEY_1", "sk-fine")
    monkeypatch.setenv("SERVICE_KEY_2", value)
    with pytest.raises(SettingsError, match="'SERVICE_KEY_2': key must have no control") as caught:
        KeyPool.from_env("SERVICE_KEY")

    assert "sk-" not in f"{caught.value} {vars(caught.value)}"


def test_one_variable_may_begin_like_another(monkeypatch):
    """`_1` is not `_10`, and neither of them is a variable of its own name with a number."""
    for name in ("SERVICE_KEY_1", "SERVICE_KEY_10", "SERVICE_KEY_X", "SERVICE_KEY_X_1"):
        monkeypatch.setenv(name, f"key of {name}")

    assert ("SERVICE_KEY_1", "SERVICE_KEY_10") == KeyPool.from_env("SERVICE_KEY").names()
    assert ("SERVICE_KEY_X", "SERVICE_KEY_X_1") == KeyPool.from_env("SERVICE_KEY_X").names()
    assert ("SERVICE_KEY_1",) == KeyPool.from_env("SERVICE_KEY_1").names()
    assert 4 == len(KeyPool.from_env("SERVICE_KEY", "SERVICE_KEY_X", "SERVICE_KEY_1"))


def test_limits_go_with_the_keys_of_the_environment(monkeypatch):
    """What `KeyPool` takes, `from_env` takes too."""
    monkeypatch.setenv("SERVICE_KEY", "key")
    pool = KeyPool.from_env("SERVICE_KEY", max_concurrent_requests=2, failure_threshold=3)

    assert ["SERVICE_KEY"] == list(pool.queues) == list(pool.circuit_breakers)


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_an_empty_variable_is_no_key(monkeypatch, value):
    """The error names the variables that were looked for, and what to do."""
    monkeypatch.setenv("SERVICE_KEY", value)
    with pytest.raises(MissingKeyError, match="set one of SERVICE_KEY, SERVICE_KEY_1, …") as caught:
        KeyPool.from_env("SERVICE_KEY", "OTHER_KEY")

    assert ("SERVICE_KEY", "OTHER_KEY") == caught.value.variables
    assert caught.value.variables == pickle.loads(pickle.dumps(caught.value)).variables
    assert "OTHER_KEY" in str(caught.value)


def test_a_pool_from_the_environment_has_variables():
    """Without a name, or with an empty one, there is nothing to look for."""
    for names in ((), ("",), (None,), (5,), (b"SERVICE_KEY",)):
        with pytest.raises(SettingsError, match="variables must be one or more names"):
            KeyPool.from_env(*names)


@pytest.mark.parametrize("content", [b"SERVICE_KEY=\xff\xfe", None], ids=["no text", "no file"])
def test_a_file_that_cannot_be_read_is_none(folder, monkeypatch, caplog, content):
    """A program that has its keys in the environment starts all the same; the log says so."""
    monkeypatch.setenv("SERVICE_KEY", "key")
    if content is not None:
        (folder / ".env").write_bytes(content)
    else:
        folder.rmdir()  # there is no working directory to begin at

    assert {"SERVICE_KEY": "key"} == keys_of(KeyPool.from_env("SERVICE_KEY"))
    assert "the file .env cannot be read" in caplog.text
    assert caplog.records[0].resilience_error_type in caplog.text


def test_the_source_of_a_key_is_logged_and_not_the_key(folder, monkeypatch, caplog):
    """One line for each key says where it comes from."""
    (folder / ".env").write_text("SERVICE_KEY_1=secret of the file\n")
    monkeypatch.setenv("SERVICE_KEY", "secret of the environment")
    with caplog.at_level(logging.INFO, logger="resilience"):
        KeyPool.from_env("SERVICE_KEY")
    expected = [
        "key SERVICE_KEY comes from environment",
        "key SERVICE_KEY_1 comes from .env",
    ]

    assert expected == caplog.messages
    assert [("SERVICE_KEY", "environment"), ("SERVICE_KEY_1", ".env")] == [
        (record.resilience_key_name, record.resilience_source) for record in caplog.records
    ]


def test_a_single_variable_is_looked_up_alike(folder, monkeypatch):
    """Settings that are no keys come from the environment, then from `.env`, else from nowhere."""
    (folder / ".env").write_text("OTHER_KEY=file\nSERVICE_KEY=file\n")
    monkeypatch.setenv("SERVICE_KEY", "environment")
    monkeypatch.setenv("OTHER_KEY", " ")

    assert ("environment", "file", None) == tuple(
        lookup(name) for name in ("SERVICE_KEY", "OTHER_KEY", "OTHER_KEY_1")
    )


def test_without_a_file_nothing_is_loaded_that_reads_one(monkeypatch):
    """Most programs in production have their keys in the environment alone."""
    monkeypatch.setitem(sys.modules, "dotenv", None)  # importing it would fail
    monkeypatch.setenv("SERVICE_KEY", "sk-1")

    assert {"SERVICE_KEY": "sk-1"} == keys_of(KeyPool.from_env("SERVICE_KEY"))
    assert lookup("OTHER_KEY") is None
