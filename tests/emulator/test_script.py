"""Which rule strikes which request: time, names, numbers, chance and limits; no clock is read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.emulator import Rule
from adapters.emulator.openai import PROVIDER
from adapters.emulator.protocol import Call, Quota
from adapters.emulator.script import Script, Verdict


def call(
    key: str | None = "a", operation: str = "chat", model: str = "m", *, stream: bool = False
) -> Call:
    """Make a request with these facts."""
    return Call(
        PROVIDER, "POST", "/x", {}, operation=operation, key=key, model=model, stream=stream
    )


def struck(script: Script, count: int, now: float = 0.0, **facts: object) -> list[int]:
    """Give the numbers, counted from 1, of the requests that a rule strikes."""
    verdicts = [script.decide(call(**facts), now, 0.0) for _ in range(count)]  # type: ignore[arg-type]
    return [number for number, verdict in enumerate(verdicts, 1) if verdict.rule]


def script(*specs: str, seed: int = 0) -> Script:
    """Make a script of texts."""
    return Script([Rule.parse(spec) for spec in specs], seed=seed)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("500", [1, 2, 3, 4, 5, 6]),
        ("500:nth=2", [2]),
        ("500:every=3", [3, 6]),
        ("500:first=2", [1, 2]),
        ("500:rate=0", []),
        ("500:rate=1", [1, 2, 3, 4, 5, 6]),
        ("500:every=2,first=4", [2, 4]),
    ],
)
def test_requests_are_counted(spec: str, expected: list[int]) -> None:
    """`nth`, `every` and `first` count the requests that meet the rule's other conditions."""
    assert expected == struck(script(spec), 6)


@pytest.mark.parametrize(
    "spec",
    ["500:key=a", "500:operation=chat", "500:model=m", "500:stream=false", "500:provider=openai"],
)
def test_names_have_to_fit(spec: str) -> None:
    """A rule with a name strikes the requests that have it, and no other."""
    rules = script(spec)

    assert [1] == struck(rules, 1)
    if "provider" not in spec:
        assert [] == struck(rules, 1, key="b", operation="embeddings", model="n", stream=True)


def test_counting_leaves_out_what_does_not_concern_the_rule() -> None:
    """The second request of key a is meant, not the second request."""
    rules = script("500:key=a,nth=2")

    assert [] == struck(rules, 3, key="b")
    assert [2] == struck(rules, 3, key="a")


def test_windows_of_time_are_half_open() -> None:
    """A rule strikes from its first second on, and no more in its last."""
    rules = script("503:from=10,to=14")

    assert [False, True, True, False] == [
        rules.decide(call(), now, 0.0).rule is not None for now in (9.999, 10.0, 13.999, 14.0)
    ]


def test_the_first_rule_that_matches_strikes() -> None:
    """A later rule sees, and counts, only what no earlier rule has struck."""
    rules = script("429:nth=2", "500:nth=2")

    faults = [rules.decide(call(), 0.0, 0.0).rule for _ in range(4)]

    assert [None, "429", "500", None] == [rule and rule.fault for rule in faults]


def test_chance_is_a_function_of_seed_and_number() -> None:
    """Equal seeds strike the same requests; another seed others; the rate is kept."""
    hits = struck(script("500:rate=0.1", seed=3), 5000)

    assert hits == struck(script("500:rate=0.1", seed=3), 5000)
    assert hits != struck(script("500:rate=0.1", seed=4), 5000)
    assert 400 < len(hits) < 600


def test_chance_differs_between_keys_and_operations() -> None:
    """What happens to one key says nothing about another."""
    rules = script("500:rate=0.5")

    fates = [
        struck(rules, 64, key=key, operation=operation)
        for key in ("a", "b")
        for operation in ("chat", "embeddings")
    ]

    assert 4 == len(set(map(tuple, fates)))


@given(st.permutations(["a"] * 12 + ["b"] * 12))
def test_chance_does_not_depend_on_how_keys_take_turns(order: list[str]) -> None:
    """Threads may interleave as they like: the nth request of a key has one fate."""
    rules = script("500:rate=0.5", seed=11)
    fates: dict[str, list[bool]] = {"a": [], "b": []}
    for key in order:
        fates[key].append(rules.decide(call(key), 0.0, 0.0).rule is not None)

    alone = {key: struck(script("500:rate=0.5", seed=11), 12, key=key) for key in "ab"}

    assert alone == {
        key: [n for n, hit in enumerate(found, 1) if hit] for key, found in fates.items()
    }


def test_a_limit_lets_so_many_requests_through_in_a_window() -> None:
    """Beyond it comes 429, with the time until the window ends; each key has its own window."""
    rules = script("limit:requests=2,window=10")

    assert [3, 4] == struck(rules, 4, now=0.0, key="a")
    assert [] == struck(rules, 2, now=4.0, key="b")
    assert 6.0 == rules.decide(call("a"), 4.0, 0.0).retry_after
    assert 10.0 == rules.decide(call("b"), 4.0, 0.0).retry_after


def test_asking_early_is_refused_again_and_noted() -> None:
    """A key that was told to wait is too early until then, and welcome from then on."""
    rules = script("limit:requests=1,window=10,key=a")
    rules.decide(call(), 0.0, 0.0)

    told = rules.decide(call(), 1.0, 0.0)
    on_its_way = rules.decide(call(), 1.05, 0.0)
    early = rules.decide(call(), 9.99, 0.0)
    after = rules.decide(call(), 10.0, 0.0)

    assert (9.0, False) == (told.retry_after, told.too_early)
    assert not on_its_way.too_early
    assert (1.0, True) == (early.retry_after, early.too_early)
    assert after.rule is None


def test_a_wait_that_was_rounded_up_is_kept() -> None:
    """Told to wait 3 s for the 2.5 s that are left, the key stays closed for 3 s."""
    rules = script("limit:requests=1,window=2.5")
    rules.decide(call(), 0.0, 0.0)

    assert 3.0 == rules.decide(call(), 0.0, 0.0).retry_after
    assert rules.decide(call(), 2.9, 0.0).too_early
    assert rules.decide(call(), 3.0, 0.0).rule is None


@pytest.mark.parametrize(("form", "expected"), [("seconds", 3.0), ("ms", 2.346), ("date", 2.5)])
def test_a_wait_is_rounded_up_to_what_its_form_can_say(form: str, expected: float) -> None:
    """Whole seconds, milliseconds, or the next whole second of the calendar."""
    rules = script(f"limit:requests=1,window=2.3456,retry_after_as={form}")
    rules.decide(call(), 0.0, 100.5)

    wait = rules.decide(call(), 0.0, 100.5).retry_after

    assert wait == pytest.approx(expected)


def test_a_limit_tells_what_is_left() -> None:
    """Requests within a limit know how many are left, and when the window ends."""
    rules = script("limit:requests=2,window=10")

    quotas = [rules.decide(call(), now, 0.0).quota for now in (0.0, 4.0, 4.5)]

    assert [Quota(2, 1, 10.0), Quota(2, 0, 6.0), Quota(2, 0, 5.5)] == quotas


def test_a_limit_of_nothing_serves_nobody() -> None:
    """Zero requests is a limit too."""
    assert [1, 2] == struck(script("limit:requests=0,window=5"), 2)


def test_a_stranger_has_no_limit() -> None:
    """A key that nobody knows is refused for that, and uses nobody's window."""
    rules = script("limit:requests=1,window=10")

    assert [Verdict(), Verdict()] == [rules.decide(call(None), 0.0, 0.0) for _ in range(2)]


@given(
    st.integers(1, 5),
    st.floats(0.5, 5),
    st.lists(st.floats(0, 2), min_size=1, max_size=60),
)
def test_who_waits_as_told_is_never_refused_twice(
    requests: int, window: float, pauses: list[float]
) -> None:
    """The promise of a limit: after the wait that it names, the next request is served."""
    rules = Script([Rule(fault="limit", requests=requests, window=window)])

    for now, verdict in _patient_client(rules, pauses):
        if verdict.retry_after is not None:
            again = rules.decide(call(), now + verdict.retry_after, 0.0)

            assert again.rule is None
            assert not verdict.too_early


def _patient_client(rules: Script, pauses: list[float]) -> Iterator[tuple[float, Verdict]]:
    now = 0.0
    for pause in pauses:
        now += pause
        verdict = rules.decide(call(), now, 0.0)
        yield now, verdict
        now += verdict.retry_after or 0.0
