"""A local server that speaks the providers' protocols, with faults on demand.

For tests of programs that call model APIs: it answers as the real API would, or throttles, fails,
hangs, resets and truncates as a script says, and keeps a log of every request that arrived.
It runs in a process of its own and needs the extra `emulator` (`starlette`, `uvicorn`); importing
this package needs neither.

`Emulator` starts one from Python, `python -m adapters emulate` from a shell.
`expected_answer` and `expected_vector` compute what it answers, so that a test can prove that an
answer belongs to its question.
"""

from __future__ import annotations

from adapters.emulator.answers import expected_answer, expected_vector
from adapters.emulator.faults import Rule
from adapters.emulator.process import Emulator
from adapters.emulator.records import LogRecord

__all__ = ["Emulator", "LogRecord", "Rule", "expected_answer", "expected_vector"]
