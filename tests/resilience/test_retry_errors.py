"""The error at the end of a call: the real one, with notes, and nothing else."""

from __future__ import annotations

import dataclasses
import gc
import pickle
import traceback
import weakref

import pytest

from resilience import deadline, retry
from resilience.testing import FakeClock, no_waiting
from tests.support.faults import HttpError, failing

SHARED = ConnectionError("of the module")


class FrozenAttributesError(Exception):
    """Takes no attribute, not even a note."""

    def __setattr__(self, name, value):
        raise AttributeError(name)


@dataclasses.dataclass(frozen=True)
class FrozenDataError(Exception):
    """A frozen dataclass that is an exception."""

    status_code: int = 500
    retryable: bool = True


class HostileError(Exception):
    """Fails wherever it is looked at, but for its type."""

    __notes__ = "no list"

    def __getattr__(self, name):
        raise RuntimeError(name)

    retry_after = property(lambda self: self.missing)


class MakingUpError(Exception):
    """Has every attribute that anybody asks for, as mocks do."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return MakingUpError(name)


def fail_of(run, decorator, *outcomes):
    """The exception that a call ends with."""
    fetch = run.decorate(decorator, failing(*outcomes))
    with no_waiting(), pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        fetch()
    return caught.value


def test_the_last_real_error_is_raised(run):
    """The very object, not a wrapper that hides it, nor an earlier one."""
    errors = [OSError(number) for number in range(3)]

    assert errors[2] is fail_of(run, retry(max_retries=2), *errors)


def test_earlier_failures_are_no_context(run):
    """Errors of earlier attempts are in the log, not chained to the last one."""
    error = fail_of(run, retry(max_retries=2), *[OSError(number) for number in range(3)])

    assert (None, None) == (error.__cause__, error.__context__)


@pytest.mark.parametrize(
    ("settings", "outcomes", "notes"),
    [
        ({"max_retries": 2}, [OSError] * 3, "3 attempts made; not retried: max_retries=2 is"),
        ({"max_retries": 1}, [OSError] * 2, "2 attempts made; not retried: max_retries=1 is"),
        ({}, [OSError, OSError, HttpError(404)], "3 attempts made"),
        ({}, [HttpError(429, {"Retry-After": "99"})], "1 attempt made; not retried: the server"),
    ],
)
def test_a_note_says_how_many_attempts_were_made(run, settings, outcomes, notes):
    """And why there were no more."""
    error = fail_of(run, retry(name="fetch", **settings), *outcomes)

    assert 1 == len(error.__notes__)
    assert error.__notes__[0].startswith(f"fetch: {notes}")
    assert error.__notes__[0] in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("settings", "error"), [({}, HttpError(400)), ({"max_retries": 0}, OSError("plain"))]
)
def test_an_error_that_was_never_to_be_retried_has_no_note(run, settings, error):
    """One attempt and no plan to make more: there is nothing to tell."""
    assert not hasattr(fail_of(run, retry(**settings), error), "__notes__")


def test_the_traceback_is_kept(run):
    """It leads from the caller's line to the one that raised."""

    def fetch():
        raise OSError("here")

    fetch = run.decorate(retry(max_retries=1), fetch)
    with no_waiting(), pytest.raises(OSError, match="here") as caught:
        fetch()
    frames = traceback.extract_tb(caught.tb)

    assert 'raise OSError("here")' == frames[-1].line
    assert __file__ == frames[0].filename


def test_an_exception_object_that_is_raised_again_does_not_grow(run):
    """A singleton has one note of each function, however many calls it has ended."""
    fetch = run.decorate(retry(max_retries=1, name="fetch"), failing(*[SHARED] * 200))
    other = run.decorate(retry(max_retries=1, name="other"), failing(*[SHARED] * 200))
    with no_waiting():
        for call in (fetch, other) * 50:
            with deadline(60), pytest.raises(ConnectionError):
                call()

    assert ["fetch", "other"] == [note.partition(":")[0] for note in SHARED.__notes__]
    assert 6 > len(vars(SHARED))


def test_a_note_with_changing_numbers_replaces_the_last_one(run):
    """Seconds in a note differ each time; that does not make it another note."""
    error = OSError("shared")
    fetch = run.decorate(retry(jitter=0.9), failing(*[error] * 99))
    for seconds in range(1, 20):
        with FakeClock(), deadline(seconds / 1e3), pytest.raises(OSError, match="shared"):
            fetch()

    assert 1 == len(error.__notes__)


def test_notes_of_the_user_stay(run):
    """What somebody else has written on the error is never touched."""
    error = OSError("noted")
    error.add_note("fetch: written by hand")
    fetch = run.decorate(retry(max_retries=1, name="fetch"), failing(*[error] * 4))
    with no_waiting():
        for _ in range(2):
            with pytest.raises(OSError, match="noted"):
                fetch()

    assert "fetch: written by hand" == error.__notes__[0]
    assert 2 == len(error.__notes__)


@pytest.mark.parametrize(
    "kind", [FrozenAttributesError, FrozenDataError, HostileError, MakingUpError]
)
def test_an_exception_that_resists_comes_out_as_it_is(run, kind):
    """Whatever a foreign class does with attributes, the call ends with that very error."""
    error = kind()
    body = failing(*[error] * 3)
    fetch = run.decorate(retry(max_retries=2), body)
    with no_waiting(), pytest.raises(kind) as caught:
        fetch()

    assert caught.value is error
    assert 3 == len(body.times)


@pytest.mark.parametrize("kind", [FrozenAttributesError, FrozenDataError])
def test_an_exception_that_takes_no_attribute_has_its_note(run, kind):
    """Also where `add_note` itself would fail."""
    error = kind()
    raised = fail_of(run, retry(max_retries=1, name="fetch"), *[error] * 2)

    assert raised.__notes__[0].startswith("fetch: 2 attempts made")


def test_an_exception_that_takes_no_attribute_carries_its_hint(run):
    """A frozen class, too, says when to come back."""
    error = FrozenDataError(429)
    object.__setattr__(error, "headers", {"Retry-After": "99"})

    assert 99 == fail_of(run, retry, error).retry_after


def test_an_exception_whose_cause_is_itself_is_raised(run):
    """A circle of causes, which Python allows, ends like any other error."""
    first, second = OSError("first"), OSError("second")
    first.__cause__, second.__cause__ = second, first

    assert second is fail_of(run, retry(max_retries=1), first, second)


def test_a_failed_call_can_be_pickled(run):
    """What is written on an error never keeps it from travelling to another process."""
    error = fail_of(run, retry(max_retries=1), OSError("one"), OSError("two"))

    assert ("two", error.__notes__) == (
        str(pickle.loads(pickle.dumps(error))),
        pickle.loads(pickle.dumps(error)).__notes__,
    )


class Cargo:
    """Something that a call holds on to."""


@pytest.mark.parametrize("outcomes", [2, 3], ids=["recovered", "failed"])
def test_a_call_leaves_no_reference_cycle(outcomes):
    """What a call held is free as soon as it has ended, without the garbage collector."""

    @retry(max_retries=2, before_retry=lambda record: None)
    def fetch(cargo, left=[outcomes]):  # noqa: B006 - counts down over the attempts
        left[0] -= 1
        if left[0] >= 0:
            raise OSError
        return "done"

    assert _is_freed(lambda cargo: _swallow(fetch, cargo))


@pytest.mark.parametrize("outcomes", [2, 3], ids=["recovered", "failed"])
def test_an_awaited_call_leaves_no_reference_cycle(outcomes):
    """The same of a coroutine function, whose frames live in another way."""
    left = [outcomes]

    @retry(max_retries=2, before_retry=lambda record: None)
    async def fetch(cargo):
        left[0] -= 1
        if left[0] >= 0:
            raise OSError
        return "done"

    def drive(cargo):
        coroutine = fetch(cargo)
        while True:  # as a loop does, but without its own references
            coroutine.send(None)

    assert _is_freed(lambda cargo: _swallow(drive, cargo))


def _swallow(function, cargo):
    try:
        function(cargo)
    except (OSError, StopIteration):
        return


def _is_freed(call):
    cargo = Cargo()
    alive = weakref.ref(cargo)
    gc.collect()
    gc.disable()
    try:
        with no_waiting():
            call(cargo)
        del cargo
        return alive() is None
    finally:
        gc.enable()
