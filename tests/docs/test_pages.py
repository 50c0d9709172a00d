"""Documentation that runs: every Python block is a test, and every command exists."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs import telemetry_tables
from tests.docs.diagrams import DIAGRAMS, IMAGES, transitions
from tests.support.pages import Page, blocks_of, pages
from tests.support.sources import ROOT

PAGES = pages()
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "optional-dependencies"
]


def each(chosen: list[Page]) -> pytest.MarkDecorator:
    """Run a test for each of these pages, named by its path."""
    return pytest.mark.parametrize("page", chosen, ids=[page.name for page in chosen])


@each([page for page in PAGES if page.programs()])
@pytest.mark.usefixtures("surroundings")
def test_python_blocks_run(page: Page):
    """The Python blocks of a page run one after another, as one program in an empty folder."""
    namespace = {"__name__": "__main__"}

    for block in page.programs():
        # Empty lines in front make a traceback show the line of the page.
        source = "\n" * (block.line - 1) + block.text
        exec(compile(source, page.path, "exec"), namespace)  # noqa: S102 - our own pages


@pytest.mark.parametrize("place", ["docs/index.md", "mkdocs.yml"])
def test_every_page_can_be_found(place: str):
    """The front page and the navigation of the site lead to each."""
    text = (ROOT / place).read_text("utf-8")
    found = {path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md")}

    assert set() == {page for page in found - {"index.md"} if page not in text}


def test_the_readme_leads_to_every_way_of_doing_a_thing():
    """Each page of the how-to guides is one click away."""
    text = (ROOT / "README.md").read_text("utf-8")
    guides = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/how-to/*.md")]

    assert [] == [guide for guide in guides if guide not in text]


@each(PAGES)
def test_commands_exist(page: Page):
    """Each `make` target, command of `python -m adapters` and extra that a page names is there."""
    for words in page.commands():
        match words:
            case ["make", *rest]:
                assert {word for word in rest if "=" not in word} <= TARGETS
            case [("python" | "python3"), "-m", "adapters", *arguments] | [
                ("resilient" | ".venv/bin/resilient"),
                *arguments,
            ]:
                parse_command(arguments)
            case [*_, "install", requirement] if "[" in requirement:
                assert set(re.split(r"[\[\],]", requirement)[1:-1]) <= set(EXTRAS)


@pytest.mark.parametrize("name", DIAGRAMS)
def test_diagrams_are_those_of_the_code(name: str):
    """A picture is what its program draws; that of the breaker is drawn from the machine."""
    assert DIAGRAMS[name]() == (IMAGES / name).read_text("utf-8")


def test_the_tables_of_telemetry_are_those_of_the_definitions():
    """`python -m tests.docs.telemetry_tables` writes them."""
    text = telemetry_tables.PAGE.read_text("utf-8")

    assert telemetry_tables.written(text) == text


def test_the_breaker_does_what_its_page_says():
    """Every reason that leads to another state is on the page, and no other."""
    page = (ROOT / "docs/images/circuit.svg").read_text("utf-8")
    shown = set(re.findall(r'class="small">(\w+)<', page))

    assert shown == {each.reason for each in transitions()}
    assert {"CLOSED", "OPEN", "HALF-OPEN"} == {each.source for each in transitions()}


def test_a_fragment_has_a_reason():
    """A block that is not run says why; a mark without a reason is no mark, and the block runs."""
    blocks = blocks_of(
        "<!-- fragment: needs a model -->\n```python\nask()\n```\n"
        "<!-- fragment: -->\n  ```python title='x'\n  ask()\n  ```\n"
    )

    assert ["needs a model", None] == [block.fragment for block in blocks]
    assert ["ask()\n", "ask()\n"] == [block.text for block in blocks]
    assert [3, 7] == [block.line for block in blocks]


def parse_command(arguments: list[str]) -> None:
    """Let the command line read the arguments, without running anything."""
    from adapters.cli import main

    with main.make_context("adapters", arguments, resilient_parsing=True) as context:
        name, command, rest = main.resolve_command(context, arguments)
        command.make_context(name, rest, parent=context).close()
