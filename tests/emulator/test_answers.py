"""What the emulated models answer is a function of question and seed."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from adapters.emulator import expected_answer, expected_vector
from adapters.emulator.answers import (
    count_tokens,
    expected_thoughts,
    prompt_text,
    split_tokens,
)


def test_answers_belong_to_their_prompt() -> None:
    """Another prompt, another seed or another choice gives another answer; the same, the same."""
    answer = expected_answer("hello")

    assert answer == expected_answer("hello")
    assert 4 == len(
        {
            answer,
            expected_answer("hello!"),
            expected_answer("hello", seed=1),
            expected_answer("hello", choice=1),
        }
    )


def test_a_string_and_one_user_message_are_the_same_prompt() -> None:
    """Roles do not count, and texts in parts are put together."""
    parts = [{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {}}]
    messages = [
        {"role": "system", "content": parts},
        {"role": "assistant", "content": None},
        {"role": "user", "content": "two"},
    ]

    assert expected_answer("hi") == expected_answer([{"role": "user", "content": "hi"}])
    assert "one\ntwo" == prompt_text(messages)


@given(st.text())
def test_tokens_put_together_are_the_text(text: str) -> None:
    """No character is lost or added by cutting a text into tokens."""
    tokens = split_tokens(text)

    assert text == "".join(tokens)
    assert len(tokens) == count_tokens(text)


def test_long_words_cost_many_tokens() -> None:
    """A text without blanks fills a context as well."""
    assert 1250 == count_tokens("x" * 10_000)


@given(st.text(), st.integers(1, 300))
def test_vectors_have_length_one(text: str, dimensions: int) -> None:
    """A vector has as many numbers as were asked for, and unit length."""
    vector = expected_vector(text, dimensions)

    assert dimensions == len(vector)
    assert math.isclose(1.0, math.hypot(*vector), rel_tol=1e-5)


def test_vectors_belong_to_their_text() -> None:
    """Another text or another seed points elsewhere."""
    assert expected_vector("a", 8) == expected_vector("a", 8)
    assert 3 == len(
        {expected_vector("a", 8), expected_vector("b", 8), expected_vector("a", 8, seed=1)}
    )


def test_thoughts_are_32_tokens_of_their_own() -> None:
    """What a model thinks depends on the prompt and the seed, and is not what it says."""
    thoughts = expected_thoughts("hi", seed=7)

    assert 32 == count_tokens(thoughts)
    assert expected_thoughts([{"role": "user", "content": "hi"}], seed=7) == thoughts
    others = {expected_thoughts("ho", seed=7), expected_thoughts("hi"), expected_answer("hi")}
    assert thoughts not in others
