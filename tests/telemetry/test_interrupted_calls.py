"""Ctrl-C at every point of a call's telemetry: nothing of it stays behind."""

from __future__ import annotations

import math
import sys

import pytest
from opentelemetry import trace

from resilience import prioritized
from resilience.telemetry.instruments import meters
from resilience.telemetry.statistics import statistics_of
from tests.support.interrupts import interrupted_everywhere

pytestmark = pytest.mark.usefixtures("spans", "metrics")


def _fail():
    raise ValueError


@pytest.mark.parametrize("ends", [lambda: None, _fail])
def test_an_interrupted_call_is_neither_in_progress_nor_current(ends):
    """What comes after it is no child of its span, and `resilience.call.active` does not grow."""
    work = prioritized(name="work")(ends)
    statistics_of("work").due = math.inf  # what comes with time comes at no place

    def body():
        try:
            work()
        except ValueError:
            sys.settrace(None)

    before = trace.get_current_span()
    places = set()
    for place in interrupted_everywhere(body):
        places.add(place.split(":")[0])

        assert (0, before) == (len(meters().active("work")), trace.get_current_span()), place

    # A tracer in 3.13 is not told of each function that is called.
    later = {"Recorder.finish"} if sys.version_info < (3, 13) else set()
    assert {"CallSpan.enter", "Recorder.begin"} | later <= places
