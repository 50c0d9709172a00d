"""A report as one web page: what it shows, that it needs nothing else, that text stays text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from resilience import KeyPool, generate_report, resilient, retry
from resilience.telemetry.report import Report
from resilience.telemetry.statistics import statistics_of
from resilience.testing import FakeClock
from tests.support.faults import HttpError, failing

NAME = "<script>alert('of a page')</script>"
SECRET = "sk-secret-of-the-page-0123456789"
ALONE = {"meta"}


class Page(HTMLParser):
    """The elements of a page: their tags, classes and texts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)

    def count(self, kind):
        """How many elements are of this class."""
        return self.attributes.count(("class", kind))


@pytest.fixture(scope="module")
def report():
    """Of a function that did all that there is a plot or a table for."""
    keys = {"one": SECRET, "<b>two</b>": f"{SECRET}-too"}
    pool = KeyPool(keys, name="<i>pool</i>")
    body = failing("fine", HttpError(429), "fine", HttpError(401), "fine", *[OSError] * 3)

    @resilient(keys=pool, name=NAME, max_retries=1, failure_threshold=3, jitter=0)
    def fetch(*, api_key):
        clock.advance(0.2)
        return body()

    with FakeClock() as clock:
        for _ in range(3):
            fetch()
            clock.advance(3)
        for _ in range(2):
            with pytest.raises(Exception, match=r"scripted|is OPEN"):
                fetch()
        statistics_of(NAME).used("<u>model</u>", total_tokens=5, input_tokens=3, output_tokens=2)
        return generate_report(fetch, include_details=True)


def test_a_page_is_well_formed(report):
    """Each element is closed where it should be, and there is one of those that frame the rest."""
    page = Page(report.to_html())

    assert [] == page.open
    assert [1, 1, 1, 1] == [page.tags.count(tag) for tag in ("html", "head", "body", "h1")]
    assert ("lang", "en") in page.attributes
    assert ("name", "viewport") in page.attributes


def test_text_is_nothing_but_text(report):
    """Names of functions, pools, keys, models and errors may be anything."""
    page = Page(report.to_html())
    shown = [*page.texts, *(value for _, value in page.attributes)]

    assert not {"script", "u"} & set(page.tags)
    assert 4 == sum("alert('of a page')" in each for each in shown)
    for text in (NAME, "<i>pool</i>[<b>two</b>]", "<u>model</u>", "<b>two</b>"):
        assert text in page.texts


def test_what_a_saved_report_calls_a_state_is_nothing_but_text(report):
    """A file may hold anything in the place of a state, and still puts no element into the page."""
    saved = Report(json.loads(json.dumps(report)))
    saved["circuits"][NAME][-1]["to"] = '"><script>alert(1)</script><i class="'
    page = Page(saved.to_html())

    assert "script" not in page.tags
    assert 1 == page.count('"><script>alert(1)</script><i class="')


def test_a_page_needs_nothing_else(report):
    """No script, no style sheet, no font, no picture, no address of anything."""
    html = report.to_html()
    page = Page(html)

    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    assert not {"src", "href", "xlink:href", "srcset", "action"} & {
        each for each, _ in page.attributes
    }
    assert None is re.search(r"https?:|//|url\(|@import", html)


def test_no_key_gets_into_a_page(report):
    """Neither into the page nor into what a notebook shows."""
    assert SECRET[:8] not in report.to_html() + report._repr_html_() + str(report)


def test_a_page_shows_what_happened(report):
    """A bar for each range of latencies, interval, state and rest; the percentiles are marked."""
    page, timeline = Page(report.to_html()), report["timeline"]
    changes = report["circuits"][NAME]

    assert len(report["latency_distribution"]) == page.count("bar")
    assert 3 == page.count("mark")
    assert sum(map(bool, timeline["success"])) == page.count("success") - 1  # one in the legend
    assert sum(map(bool, timeline["failure"])) == page.count("failure") - 1
    assert 2 == page.count("retries")
    assert ["CLOSED", "OPEN"] == [changes[0]["from"], changes[-1]["to"]]
    assert (2, 2) == (page.count("closed"), page.count("open"))
    assert ["<i>pool</i>[<b>two</b>]"] == list(report["cooldowns_of_keys"])
    assert (2, 2, 1) == (page.count("resting"), page.count("rejected"), page.count("ready"))
    for text in ("p50 ", "Models", "Endpoints", "Attempt errors by type", "HttpError"):
        assert any(each.startswith(text) for each in page.texts), text


def test_shapes_stay_in_their_frame(report):
    """Whatever the figures are: places and sizes are shares of a hundred."""
    numbers = [
        float(value)
        for name, value in Page(report.to_html()).attributes
        if name in {"x", "y", "width", "height"}
    ]

    assert numbers
    assert all(0 <= number <= 100.2 for number in numbers)


def test_what_was_saved_as_json_makes_the_same_page(report):
    """The dictionary is all that there is to a report."""
    assert report.to_html() == Report(json.loads(json.dumps(report))).to_html()


def test_a_notebook_gets_the_same_without_the_frame(report):
    """Its style concerns nothing else on the page."""
    shown = report._repr_html_()
    rules = re.search("<style>(.*?)</style>", shown, re.DOTALL)[1]

    assert shown in report.to_html()
    assert "<html" not in shown
    selectors = re.findall(r"(?:^|[}{])\s*([^@{}]+)\{", rules)
    assert all(".resilience-report" in each for each in selectors), selectors


@pytest.mark.parametrize("include_details", [False, True])
def test_a_page_of_next_to_nothing(run, request, include_details):
    """A function that nobody called, or whose calls took no time, has a page as well."""
    name = f"{request.node.name} {run.flavour}"
    fetch = run.decorate(retry(name=name), failing())
    page = Page(generate_report(name, include_details=include_details).to_html())

    assert [] == page.open
    with FakeClock():
        fetch()
        report = generate_report(name, include_details=include_details)
    assert include_details == ("Nothing took any time." in report.to_html())


def test_a_crowd_of_circuits_is_cut_short():
    """A page with thousands of lines would help nobody."""
    change = {"at": 1.0, "from": "CLOSED", "to": "OPEN", "reason": "manual"}
    report = generate_report(include_details=True)
    report["circuits"] = {f"circuit {number}": [change] for number in range(70)}
    report["cooldowns_of_keys"] = {}
    page = Page(report.to_html())

    assert 60 == page.count("band")
    assert "and 10 more" in page.texts
