"""`classify`: the one place that reads errors, as a table and as properties."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import errors
from resilience._answers import by_answer
from resilience.classify import _PLACES, _SILENT, Verdict, classify
from tests.support.faults import BotoError, HttpError, Response

TRANSIENT = {408, 425} | set(range(500, 600)) - {501, 505, 506, 529}
RATE_LIMIT = {429, 498, 529}
KEY = {401, 402, 403}
PERMANENT = set(range(400, 600)) - TRANSIENT - RATE_LIMIT - KEY

REFUSALS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.RefusedError)
]


class ToldError(Exception):
    """An exception with these attributes."""

    def __init__(self, **attributes):
        super().__init__("told")
        vars(self).update(attributes)


SHAPES = {
    "status_code": lambda status: ToldError(status_code=status),
    "status": lambda status: ToldError(status=status),
    "code": lambda status: ToldError(code=status),
    "response": HttpError,
    "botocore": BotoError,
}


def kind_of(status):
    """The table of the documentation, as a function."""
    table = {"transient": TRANSIENT, "rate_limit": RATE_LIMIT, "key": KEY, "permanent": PERMANENT}
    return next((kind for kind, statuses in table.items() if status in statuses), "transient")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("status", [*range(400, 432), 498, 499, *range(500, 531), 599])
def test_a_status_decides(shape, status):
    """Wherever an error keeps it, the status says what it means."""
    assert kind_of(status) == classify(SHAPES[shape](status)).kind


@given(st.sampled_from(sorted(SHAPES)), st.integers(100, 599))
def test_every_status_is_in_the_table(shape, status):
    """What is no error at all (a redirect that nobody followed) is tried again."""
    assert kind_of(status) == classify(SHAPES[shape](status)).kind


not_a_status = (
    st.integers(max_value=99)
    | st.integers(min_value=600)
    | st.floats()
    | st.booleans()
    | st.text()
    | st.none()
    | st.binary()
)


@given(st.sampled_from(sorted(SHAPES)), not_a_status)
def test_what_is_no_status_says_nothing(shape, value):
    """A whole number from 100 to 599 is one; an exit code, a flag or a text is not."""
    assert "transient" == classify(SHAPES[shape](value)).kind


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"status_code": 503, "status": 404, "code": 400}, "transient"),
        ({"status": 404, "code": 503}, "permanent"),
        ({"status_code": "x", "status": None, "code": 404}, "permanent"),
        ({"code": 404, "response": Response(503)}, "permanent"),
        ({"code": "timeout", "response": Response(404)}, "permanent"),
    ],
)
def test_the_first_place_that_has_a_status_counts(attributes, kind):
    """The error's own attributes go before those of its response."""
    assert kind == classify(ToldError(**attributes)).kind


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"retryable": True}, "transient"),
        ({"retryable": True, "status": 404}, "transient"),
        ({"retryable": True, "status": 429}, "rate_limit"),
        ({"retryable": False}, "permanent"),
        ({"retryable": False, "status": 503}, "permanent"),
        ({"retryable": False, "status": 401}, "key"),
        ({"retryable": None, "status": 404}, "permanent"),
        ({"retryable": "yes", "status": 404}, "permanent"),
        ({"resilience_kind": "neutral"}, "neutral"),
        ({"resilience_kind": "key", "retryable": True, "status": 500}, "key"),
        ({"resilience_kind": "nonsense", "retryable": False}, "permanent"),
        ({"resilience_kind": ["key"], "status": 429}, "rate_limit"),
    ],
)
def test_what_an_error_says_of_itself_goes_first(attributes, kind):
    """`resilience_kind`, then `retryable`, then the status."""
    assert kind == classify(ToldError(**attributes)).kind


@pytest.mark.parametrize("status", [429, 400, 503, None])
def test_a_quota_that_is_used_up_is_of_the_key(status):
    """A 429 that no waiting can mend: another key may serve, this one cannot."""
    assert "key" == classify(ToldError(code="insufficient_quota", status_code=status)).kind


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        # The code goes before the type, and the detail before both.
        (
            {"body": {"code": "rate_limit_exceeded", "type": "insufficient_quota"}, "status": 403},
            "rate_limit",
        ),
        ({"body": {"error": {"code": "insufficient_quota"}}, "status": 429}, "key"),
        # A word that merely repeats its status says nothing where there is another one.
        ({"body": {"type": "invalid_request_error"}, "status": 500}, "transient"),
        ({"body": {"type": "invalid_request_error"}}, "permanent"),
        ({"body": {"type": "invalid_request_error"}, "status": 200}, "permanent"),
        ({"body": {"error": "busy", "error_type": "Overloaded"}}, "rate_limit"),
        # A status inside the body counts where there is none outside.
        ({"body": {"error": {"code": 404}}}, "permanent"),
        ({"body": {"error": {"code": 404}}, "status": 200}, "permanent"),
        ({"body": {"error": {"code": 404}}, "status": 503}, "transient"),
        ({"body": {"code": 1001, "type": "invalid_request_error"}}, "permanent"),
        ({"body": {"code": True}}, "transient"),
        # The first body that says something.
        ({"body": {}, "details": {"error": {"code": 429}}}, "rate_limit"),
        ({"body": None, "details": {"error": {"code": 429}}}, "rate_limit"),
        # Words for people are not searched.
        ({"body": {"message": "insufficient_quota"}, "status": 429}, "rate_limit"),
        ({"body": "insufficient_quota", "status": 429}, "rate_limit"),
    ],
)
def test_a_word_may_say_more_than_the_status(attributes, kind):
    """Read from the body, wherever a library keeps what it has parsed."""
    assert kind == classify(ToldError(**attributes)).kind


@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(503), GeneratorExit()],
    ids=lambda error: type(error).__name__,
)
def test_trap_2_what_ends_a_call_from_outside_is_neutral(error):
    """It speaks neither for nor against the service."""
    assert Verdict("neutral") == classify(error)


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_trap_2_a_refusal_is_neutral(kind):
    """It was never sent; when to come back is its hint."""
    assert Verdict("neutral", 7.0) == classify(kind("no", retry_after=7.0))


@pytest.mark.parametrize("kind", [ValueError, KeyError, TimeoutError, ConnectionError, OSError])
def test_any_other_exception_is_transient(kind):
    """Nobody said that it is permanent."""
    assert Verdict("transient") == classify(kind())


@pytest.mark.parametrize("place", sorted(_PLACES))
def test_what_stands_on_one_of_pythons_own_exceptions_is_read(place):
    """An exception of a built-in type says what its like of another type would say."""
    values = {"resilience_kind": "permanent", "retryable": False, "retry_after": 7.0}
    value = values.get(place, {"status_code": 403, "code": "slow_down", "retry_after": 7})
    plain = ConnectionError()
    setattr(plain, place, value)

    assert classify(ToldError(**{place: value})) == classify(plain)


@pytest.mark.parametrize("kind", sorted(_SILENT, key=repr), ids=lambda kind: kind.__name__)
def test_pythons_own_exceptions_say_nothing(kind):
    """Reading them in full comes to what the short way answers."""
    assert Verdict("transient") == by_answer(kind.__new__(kind))


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ([OSError(), HttpError(503)], "transient"),
        ([OSError(), HttpError(429)], "rate_limit"),
        ([HttpError(429), HttpError(401)], "key"),
        ([HttpError(401), HttpError(404)], "permanent"),
        ([errors.QueueFullError(), errors.CircuitOpenError()], "neutral"),
        ([errors.QueueFullError(), OSError()], "transient"),
        ([OSError(), ExceptionGroup("deeper", [HttpError(400)])], "permanent"),
    ],
)
def test_a_group_is_what_its_gravest_member_is(members, kind):
    """Repeating helps only where it helps all of them."""
    assert kind == classify(ExceptionGroup("group", members)).kind


@pytest.mark.parametrize(("retryable", "kind"), [(False, "permanent"), (True, "transient")])
def test_a_group_that_says_what_it_means_is_believed(retryable, kind):
    """Whoever raised it knows more than its members do, as with every other exception."""
    group = ExceptionGroup("group", [OSError(), HttpError(404)])
    group.retryable = retryable

    assert kind == classify(group).kind


def test_a_group_asks_for_the_longest_wait():
    """Whoever comes back before the last of them fails again."""
    members = [HttpError(429, {"retry-after": text}) for text in ("5", "50", "soon")]

    assert 50 == classify(ExceptionGroup("group", members)).retry_after


@pytest.mark.parametrize("neutral", [KeyboardInterrupt(), asyncio.CancelledError()])
def test_trap_2_an_interrupted_group_is_neutral(neutral):
    """Ctrl-C or a cancellation among failures: they are its consequence as likely as not."""
    group = BaseExceptionGroup("group", [OSError(), BaseExceptionGroup("deeper", [neutral])])

    assert Verdict("neutral") == classify(group)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (ToldError(status=429, retry_after=5), 5.0),
        (ToldError(status=429, retry_after=0), 0.0),
        (ToldError(retry_after=2.5), 2.5),
        (ToldError(retryable=True, retry_after=2.5), 2.5),
        (ToldError(status=429, headers={"Retry-After": "9"}), 9.0),
        (ToldError(status=429, retry_after=5, headers={"Retry-After": "9"}), 5.0),
        (ToldError(status=429, retry_after=True, headers={"Retry-After": "9"}), 9.0),
        (ToldError(status=429, retry_after=-1, headers={"Retry-After": "9"}), 9.0),
        (ToldError(status=429, retry_after="5", headers={"Retry-After": "9"}), 9.0),
        (ToldError(status=429, retry_after=float("nan"), headers={"Retry-After": "9"}), 9.0),
        (ToldError(status=429, retry_after=float("inf")), None),
        (ToldError(status=429, retry_after=10**400), None),
        (HttpError(429, {"Retry-After": "9"}), 9.0),
        (BotoError(503, {"retry-after": "9"}), 9.0),
        (HttpError(404, {"Retry-After": "9"}), 9.0),
        (HttpError(429), None),
    ],
)
def test_the_hint_is_read_from_the_error_or_its_answer(error, seconds):
    """Seconds that the exception carries go before the headers; nonsense says nothing."""
    assert seconds == classify(error).retry_after


@pytest.mark.parametrize(("status", "seconds"), [(429, 20), (529, 20), (503, None), (401, None)])
def test_resets_of_limits_count_for_a_rate_limit_alone(status, seconds):
    """A server that broke says nothing by a limit that happens to be used up as well."""
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "20s"}

    assert seconds == classify(HttpError(status, headers)).retry_after


class Raising:
    """An object that has no attribute but raises for each."""

    def __getattr__(self, name):
        raise RuntimeError(name)


def fail(*_):
    """Raise what nobody expects."""
    raise RecursionError


class HostileError(Exception):
    """Raises wherever it is looked at."""

    def __getattr__(self, name):
        raise RuntimeError(name)

    status_code = property(fail)
    retryable = property(fail)


class OddMapping(dict):
    """A mapping that is none."""

    get = fail
    items = [1, 2, 3].copy


NAMES = [
    "body",
    "details",
    "error",
    "response",
    "headers",
    "status_code",
    "status",
    "code",
    "retryable",
    "retry_after",
]
ODD = [
    Raising(),
    object(),
    SimpleNamespace(_content="no bytes"),
    OddMapping(),
    [],
    {},
    {"ResponseMetadata": 5},
    print,
    {"items": 1},
]


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("name", NAMES)
def test_odd_attributes_say_nothing(name, value):
    """Whatever a foreign error keeps under a known name, reading it does no harm."""
    assert classify(ToldError(**{name: value})).kind in ("transient", "permanent")


def test_a_hostile_error_is_transient():
    """It could not be read, so it says nothing."""
    assert Verdict("transient") == classify(HostileError("x"))


@pytest.mark.parametrize(
    ("attribute", "kind"),
    [({"resilience_kind": "rate_limit"}, "rate_limit"), ({"code": 401}, "key")],
)
def test_what_a_hostile_error_does_say_is_read(attribute, kind):
    """A place that raises is no reason to leave the others unread."""
    error = HostileError("x")
    vars(error).update(attribute)

    assert kind == classify(error).kind


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "429", "x"])
values = plain | st.lists(plain, max_size=2) | st.dictionaries(st.just("headers"), plain)
names = st.sampled_from([*NAMES, "resilience_kind"])


@given(st.dictionaries(names, values))
def test_classify_never_raises(attributes):
    """Any attributes give one of the five kinds, and a hint that is a finite number of seconds."""
    verdict = classify(ToldError(**attributes))

    assert verdict.kind in ("transient", "rate_limit", "permanent", "key", "neutral")
    assert verdict.retry_after is None or 0 <= verdict.retry_after < float("inf")


@pytest.mark.parametrize(
    ("kind", "is_retryable", "is_failure"),
    [
        ("transient", True, True),
        ("rate_limit", True, False),
        ("key", False, False),
        ("permanent", False, False),
        ("neutral", False, False),
    ],
)
def test_who_acts_on_which_kind(kind, is_retryable, is_failure):
    """Retry repeats transient errors and rate limits; the breaker counts transient ones alone."""
    verdict = Verdict(kind)

    assert (is_retryable, is_failure) == (verdict.is_retryable, verdict.is_failure)
