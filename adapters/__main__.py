"""`python -m adapters`."""

from __future__ import annotations

import sys

try:
    from adapters.cli import run
except ModuleNotFoundError as missing:
    if missing.name != "click":
        raise
    sys.exit("error: the command line needs click: pip install 'resilience-adapters[cli]'")

if __name__ == "__main__":
    run()
