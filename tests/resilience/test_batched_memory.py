"""What a batch leaves behind in the memory: nothing."""

from __future__ import annotations

import gc
import weakref

import pytest

from resilience import batched

pytestmark = pytest.mark.usefixtures("_ways_into_a_batch")


class Result:
    """One that can be watched."""


@pytest.fixture
def _no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("size", [1, 9], ids=["full", "in time"])
@pytest.mark.parametrize("way", ["call", "map", "submit"])
@pytest.mark.usefixtures("_no_collector")
def test_a_result_is_freed_with_its_last_owner(run, way, size):
    """Without the garbage collector: nothing of a batch that has ended holds on to itself."""
    kept = []

    def fetch(items):
        results = [Result() for _ in items]
        kept.extend(map(weakref.ref, results))
        return results

    function = batched(max_batch_size=size, batch_timeout=0)(run.function(fetch))
    if way == "submit":
        function.submit(1).result()
        run.until(lambda: kept[0]() is None)  # the worker lets go a moment later
    else:
        run.call({"call": function, "map": lambda _: function.map([1])}[way], 1)

    assert [None] == [each() for each in kept]
