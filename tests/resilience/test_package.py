"""The package itself: what it hands on, and that importing it does nothing else."""

from __future__ import annotations

import pytest

import resilience
from tests.support.programs import run_program


def test_every_public_name_is_there():
    """`__all__` is sorted and complete: classes and functions, no modules by accident."""
    assert sorted(resilience.__all__) == sorted(set(resilience.__all__))
    assert all(hasattr(resilience, name) for name in resilience.__all__)


def test_the_version_is_that_of_the_distribution(monkeypatch):
    """It is looked up when somebody asks for it."""
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"the version of {name}")

    assert "the version of resilience-adapters" == resilience.__version__


def test_an_unknown_name_is_an_attribute_error():
    """As for any module."""
    with pytest.raises(AttributeError, match="has no attribute 'absent'"):
        _ = resilience.absent


def test_trap_9_importing_and_decorating_start_no_thread():
    """Nor do they look for `.env`: a program may import first, and fork or set up afterwards."""
    assert ["1", "[]"] == run_program("""
        import sys
        import asyncio, dotenv, logging, wrapt
        opened = []

        def watch(event, args):
            if event == "open" and str(args[0]).endswith(".env"):
                opened.append(args[0])

        sys.addaudithook(watch)
        import threading
        from resilience import KeyPool, resilient

        pool = KeyPool({"a": "made up"})
        fetch = resilient(keys=pool, attempt_timeout=1)(lambda api_key: api_key)
        print(threading.active_count(), opened)
    """)
