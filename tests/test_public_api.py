"""What is public: `__all__` says it, and tests/api.txt shows each change of it as a difference."""

from __future__ import annotations

import importlib

import pytest

from tests.api import ON_FILE, PACKAGES, public_api, public_modules
from tests.support.sources import sources


@pytest.mark.parametrize("name", public_modules())
def test_every_exported_name_exists(name: str):
    """What a module lists in `__all__` can be imported from it."""
    module = importlib.import_module(name)

    assert [] == [name for name in module.__all__ if not hasattr(module, name)]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_exports_what_it_shows(name: str):
    """A class or function of ours that a package shows without an underscore is in `__all__`."""
    package = importlib.import_module(name)
    shown = {
        name for name, value in vars(package).items() if not name.startswith("_") and is_ours(value)
    }

    assert set() == shown.difference(package.__all__)


@pytest.mark.parametrize("name", public_modules())
def test_a_module_exports_what_it_makes(name: str):
    """A class, function or value of a public module without an underscore is in `__all__`."""
    source = next(source for source in sources(*PACKAGES) if name == source.module)

    assert set() == source.defined.difference(source.exported or [])


def test_the_signatures_are_those_on_file():
    """The public signatures equal tests/api.txt; `make api` writes a change that is meant."""
    assert ON_FILE.read_text(encoding="utf-8") == public_api()


def is_ours(value: object) -> bool:
    """Whether it is a class or function that was made in one of the packages."""
    return (getattr(value, "__module__", None) or "").partition(".")[0] in PACKAGES
