"""A layer's closure that is handed the arguments as they are."""

from __future__ import annotations

import pytest

from resilience._passing import taking_packed


def layer(inner):
    """A layer that does nothing, as layers are written."""

    def call(*args, **kwargs):
        return inner(*args, **kwargs)

    return call


def returned(*args, **kwargs):
    """What arrived."""
    return args, kwargs


def test_the_arguments_arrive():
    """The tuple and the dict are unpacked by the innermost closure alone."""
    call = taking_packed(layer(layer(returned)))

    assert ((1, 2), {"key": 3}) == call((1, 2), {"key": 3})
    assert ((), {}) == call((), {})


def test_the_closure_itself_stays_as_it_was():
    """Whoever has it goes on calling it with arguments."""
    call = layer(returned)
    taking_packed(call)

    assert ((1,), {}) == call(1)


def test_layers_of_one_kind_share_their_code():
    """A decorated function more takes no code more."""
    codes = {taking_packed(layer(each)).__code__ for each in (returned, layer(returned))}

    assert 1 == len(codes)


def one_more(first, *args, **kwargs):
    """A layer that takes the first argument by name."""
    return returned(first, *args, **kwargs)


def a_keyword(*args, one=1, **kwargs):
    """A layer that takes a keyword by name."""
    return returned(*args, one=one, **kwargs)


@pytest.mark.parametrize("call", [taking_packed(layer(returned)), one_more, a_keyword, print])
def test_another_closure_is_refused(call):
    """With other parameters its frame looks otherwise: so nobody gets that far."""
    with pytest.raises(AssertionError):
        taking_packed(call)
