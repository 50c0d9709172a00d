"""Masking: no form of a secret gets through."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters._masking import MASK, mask, mask_causes, secret_forms

SECRET = "sk-secret/with+signs=1234"
FORMS = secret_forms([SECRET, None])


@pytest.mark.parametrize(
    "value",
    [
        f"the key {SECRET} is wrong",
        f"the key {SECRET} is wrong".encode(),
        f"GET /?key=sk-secret%2Fwith%2Bsigns%3D1234 and {SECRET}{SECRET}",
        {"error": {"message": SECRET, SECRET: [SECRET, 1, None, True]}},
        json.loads('"' + "".join(f"\\u{ord(letter):04x}" for letter in SECRET) + '"'),
    ],
    ids=["text", "bytes", "quoted for a URL", "nested", "escaped in JSON"],
)
def test_a_secret_is_masked_wherever_it_stands(value: object):
    """Text, bytes, keys and values of JSON: none shows the secret in any form."""
    masked = str(mask(value, FORMS))

    assert MASK in masked
    assert [] == [form for form in FORMS if form in masked]


def test_a_secret_that_contains_another_is_masked_whole():
    """No tail of the longer one is left over."""
    assert MASK == mask("sk-secret-long", secret_forms(["sk-secret", "sk-secret-long"]))


def test_what_is_too_short_for_a_secret_is_left_alone():
    """Masking `a` would blacken every word."""
    assert "banana" == mask("banana", secret_forms(["a", "", None]))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=12,
)


@given(json_values)
def test_what_holds_no_secret_is_unchanged(value: object):
    """Masking changes nothing else."""
    assert value == mask(value, FORMS)


def test_a_secret_is_masked_as_json_quotes_it():
    """Text that is no JSON as a whole, such as a log line, may hold a piece of it."""
    secret = 'sk-with"quotes\\1234'

    assert MASK == mask(json.dumps(secret)[1:-1], secret_forms([secret]))


@pytest.mark.parametrize("depth", [0, 1, 2], ids=["cause", "context", "argument"])
def test_a_cause_that_shows_a_secret_is_replaced(depth: int):
    """However deep it lies; its class is still told."""
    inner, outer = ValueError(SECRET), OSError("outer")
    outer.__cause__ = inner if depth == 0 else None
    outer.__context__ = inner if depth == 1 else None
    outer.args = (inner,) if depth == 2 else outer.args
    error = RuntimeError("ours")
    error.__cause__ = outer

    mask_causes(error, FORMS)

    assert f"OSError: {MASK}" == str(error.__cause__)


def test_a_cause_without_a_secret_is_kept():
    """It is what one looks for when a connection fails."""
    error, cause = RuntimeError("ours"), OSError("no route")
    error.__cause__ = cause

    mask_causes(error, FORMS)

    assert cause is error.__cause__
