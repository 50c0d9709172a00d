"""A key shows nowhere: not in what is printed, logged, raised, pickled or measured."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import pprint
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import (
    KeyPool,
    NoKeyAvailableError,
    SettingsError,
    _secrets,
    circuit_breaker,
    explain,
    generate_report,
    get_stats,
    resilient,
    retry,
)
from resilience._secrets import fingerprint, mask, remember
from resilience.testing import FakeClock, capture_events, no_waiting
from tests.support.faults import HttpError

SECRET = "sk-made-up-0123456789"
OTHER = "sk-made-up-0123456789-and-more"


@pytest.fixture
def pool():
    """A pool with two secrets, one of which begins with the other."""
    return KeyPool({"production": SECRET, "backup": OTHER})


def assert_silent(*things):
    """No secret is in any of these texts, whole or in part."""
    for thing in things:
        assert SECRET not in str(thing)
        assert "-and-more" not in str(thing)


def test_nothing_that_is_printed_shows_a_key(pool):
    """`repr`, `str`, `vars` and their pretty forms, of pool, lease, request and entries."""
    with pool.lease() as held:
        shown = (pool, held, pool.lease(), pool._ring, *pool._ring.entries.values())
        for thing in shown:
            assert_silent(repr(thing), str(thing), f"{thing}", pprint.pformat(thing))
        assert_silent(vars(pool), pprint.pformat(vars(pool)), dir(pool), pool.names())
        assert_silent(pool.get_stats(), pool.generate_report(include_details=True))
        assert SECRET == held.key
        assert f"key {fingerprint(SECRET)}" in repr(held)


def test_nothing_of_a_decorated_function_shows_a_key(pool):
    """Neither its explanation nor its statistics, nor the wrapper itself."""

    @resilient(keys=pool, name="silent")
    def fetch(*, api_key):
        return "answer"

    fetch()
    report = generate_report("silent", include_details=True)

    assert_silent(repr(fetch), explain(fetch), get_stats("silent"), report, json.dumps(report))
    assert "backup" in str(report)


def test_a_pool_and_its_parts_do_not_pickle(pool):
    """What holds a secret stays in its process."""
    for thing in (pool, pool.take(), pool._members["production"].secret):
        with pytest.raises(TypeError) as caught:
            pickle.dumps(thing)
        assert_silent(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: KeyPool({"a": f"{SECRET}\n"}),
        lambda: KeyPool({"a": (SECRET,)}),
        lambda: KeyPool([SECRET.encode()]),
        lambda: KeyPool(SECRET, strategy="fastest"),
        lambda: KeyPool(SECRET).add("b", SECRET, weight=-1),
        lambda: KeyPool(SECRET).update("default", key=f"{SECRET}\0"),
        lambda: KeyPool(SECRET).update("default", token=SECRET),
        lambda: KeyPool(SECRET).lease("other").__enter__(),
        lambda: KeyPool(SECRET).lease(SECRET).__enter__(),
        lambda: KeyPool(SECRET).lease(strategy=SECRET),
        lambda: KeyPool(SECRET).update("default", weight=[SECRET]),
        lambda: KeyPool({"a": SECRET, "b": {"key": SECRET, "weight": SECRET}}),
        lambda: KeyPool({"a": SECRET, "b": {"key": SECRET, "token": SECRET}}),
        lambda: KeyPool(SECRET).add("b", SECRET, group="", max_concurrent_requests=SECRET),
    ],
)
def test_no_settings_error_shows_a_key(make):
    """Bad input is named by what is wrong with it, in the message and in every attribute."""
    with pytest.raises(SettingsError) as caught:
        make()

    assert_silent(caught.value, repr(caught.value), vars(caught.value), pickle.dumps(caught.value))


def test_no_refusal_shows_a_key(pool):
    """The error, its attributes, its notes and its traceback name entries."""

    @retry(max_retries=1, jitter=0)
    @pool
    def fetch(api_key):
        raise HttpError(429)

    with no_waiting(), pytest.raises(HttpError) as failed:
        fetch()
    with no_waiting(), pytest.raises(NoKeyAvailableError) as refused:
        pool.take()
    for error in (failed.value, refused.value):
        assert_silent(error, vars(error), *traceback.format_exception(error))
    assert_silent(pickle.dumps(refused.value))
    assert "production" in str(refused.value)


def test_log_lines_mask_what_an_error_says(pool, caplog):
    """A server that repeats the key in its error does not put it into the log."""

    @retry(max_retries=1)
    @pool
    def fetch(api_key):
        raise OSError(f"bad header: Bearer {api_key}")

    with caplog.at_level(logging.DEBUG), no_waiting():
        for _ in range(2):
            with pytest.raises(OSError, match="bad header"):
                fetch()

    assert "bad header: Bearer [key " in caplog.text
    for record in caplog.records:
        assert_silent(record.getMessage(), vars(record))


def test_the_log_of_the_users_own_code_is_masked(pool, caplog):
    """Tracebacks of hooks and listeners that fail show no key, wherever it stands in them."""

    class Hook:
        def __repr__(self):
            return f"<hook of {SECRET}>"

        def __call__(self, *_):
            try:
                {}[OTHER]
            except KeyError as error:
                raise ValueError(SECRET) from error

    @retry(max_retries=1, before_retry=Hook())
    @circuit_breaker(failure_threshold=2, on_transition=Hook())
    def fetch():
        raise OSError("scripted")

    with capture_events() as events, no_waiting(), pytest.raises(OSError, match="scripted"):
        fetch()

    assert 2 == caplog.text.count("ValueError: [key ")
    assert 2 == caplog.text.count("KeyError: '[key ")
    assert 2 == caplog.text.count("<hook of [key ")
    assert events
    assert_silent(caplog.text, *(vars(record) for record in caplog.records))


def test_events_hold_no_key(pool):
    """What is published names the entry."""

    @pool
    async def fetch(api_key):
        raise HttpError(401)

    with FakeClock(), capture_events() as events, pytest.raises(HttpError):
        asyncio.run(fetch())

    assert {"production", "backup"} == {getattr(each, "key_name", "backup") for each in events}
    assert_silent(*events)


# -- masking itself --------------------------------------------------------------------------


def test_a_secret_is_replaced_by_its_fingerprint():
    """Eight characters that tell two secrets apart, and are the same in every process."""
    remember(SECRET)
    remember(OTHER)
    text = f"{OTHER},{SECRET};{OTHER}{SECRET}"
    one, other = (f"[key {fingerprint(secret)}]" for secret in (SECRET, OTHER))

    assert f"{other},{one};{other}{one}" == mask(text)
    assert 8 == len(fingerprint(SECRET))
    assert fingerprint(SECRET) != fingerprint(OTHER)


def test_a_fingerprint_is_not_masked_in_its_turn():
    """A key that looks like the beginning of a fingerprint does not spoil it."""
    remember(SECRET)
    shown = f"[key {fingerprint(SECRET)}]"
    known = _secrets._known.copy()
    try:
        remember(shown[:7])
        assert shown == mask(SECRET)
    finally:
        _secrets._known.intersection_update(known)


def test_a_short_secret_is_not_replaced():
    """It would be found in words that have nothing to do with it."""
    KeyPool(["a", "word", "words"])

    assert "a few words" == mask("a few words")


@given(secrets=st.lists(st.text("ab-", min_size=6, max_size=9), max_size=4), text=st.data())
def test_no_secret_survives_masking(secrets, text):
    """Whatever they have in common, and wherever they stand."""
    parts = st.sampled_from([*secrets, "x", " "])
    said = "|".join(text.draw(st.lists(parts, max_size=6)))
    before = _secrets._known.copy()
    try:
        for secret in secrets:
            remember(secret)
        masked = mask(said)
    finally:
        _secrets._known.intersection_update(before)

    assert not any(part in masked.split("|") for part in secrets)


def test_a_secret_of_strange_characters_has_a_fingerprint():
    """Even one that cannot be encoded."""
    assert 8 == len(fingerprint("\ud800 made up"))
