"""The files of a job, and what state they are in.

OUTPUT
    The results; where they come in the order of the input, it is there once all of them are.
OUTPUT.job
    Says which job OUTPUT is of. Locked while a run works on it; the lock ends with its process.
OUTPUT.part
    The journal of a job that is under way, where OUTPUT is not that itself.

A run that is killed at any moment leaves one of these states, and the next one goes on from it:
OUTPUT.job is empty or not there: nothing has been asked. OUTPUT.part is there: it is the journal.
It is not: OUTPUT is.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.bulk._journal import Journal
from resilience._rules import fail

__all__ = ["Files"]


class Files:
    """The files of one job, held by one process.

    Args:
        output: OUTPUT.
        identity: What makes it this job and no other; of JSON.
        sort: Whether the results come in the order of the input.
        overwrite: Whether to begin anew, whatever is there.

    Raises:
        SettingsError: if OUTPUT cannot be written, is of another job or of none, or if another
            process is working on it.
    """

    def __init__(
        self, output: Path, identity: Mapping[str, Any], *, sort: bool, overwrite: bool
    ) -> None:
        self.output = output
        self._sort = sort
        self._part = output.with_name(f"{output.name}.part")
        self._job = output.with_name(f"{output.name}.job")
        if output.exists() and not output.is_file():
            fail("output", "must be the name of a file", str(output))
        is_new = not self._job.exists()
        self._descriptor = self._claim()
        try:
            self._begin(identity, overwrite=overwrite)
        except BaseException:
            if is_new:
                self._job.unlink()
            self.close()
            raise

    def journal(self) -> Journal:
        """Open the journal."""
        if self._part.exists():
            return Journal(self._part)
        return Journal(self._part if self._sort and not self.output.exists() else self.output)

    def work_on(self, journal: Journal, *, is_round: bool) -> None:
        """Make the journal ready for more results; what was complete is so no more."""
        if self._sort or is_round:
            journal.move(self._part)
        if is_round and not journal.in_round:
            journal.begin_round()

    def finish(self, journal: Journal) -> None:
        """Make OUTPUT of a journal that has a result for every row."""
        if journal.path == self._part:
            journal.copy(self.output, sort=self._sort)
            self._part.unlink()

    def close(self) -> None:
        """Let other processes work on the job."""
        os.close(self._descriptor)

    def _claim(self) -> int:
        name = str(self.output)
        try:
            descriptor = os.open(self._job, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            fail("output", f"must be a file that can be written ({error.strerror})", name)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            fail("output", "must be worked on by one run at a time; another one is at it", name)
        return descriptor

    def _begin(self, identity: Mapping[str, Any], *, overwrite: bool) -> None:
        found = os.pread(self._descriptor, os.fstat(self._descriptor).st_size, 0)
        if found and not overwrite:
            self._compare(found, identity)
            return
        parts = [path for path in (self.output, self._part) if path.exists()]
        strange = [path for path in parts if path == self.output or path.stat().st_size]
        if strange and not overwrite:
            fail("output", "must not exist yet, unless it is to be overwritten", str(strange[0]))
        os.ftruncate(self._descriptor, 0)
        # An OUTPUT of old stays until there is a new one: meanwhile OUTPUT.part has to be there.
        if self._sort:
            self._part.write_bytes(b"")
        else:
            self._part.unlink(missing_ok=True)
            self.output.write_bytes(b"")
        os.pwrite(self._descriptor, json.dumps(identity).encode(), 0)
        os.fsync(self._descriptor)

    def _compare(self, found: bytes, identity: Mapping[str, Any]) -> None:
        try:
            known = dict(json.loads(found))
        except ValueError:
            fail("output", "must not stand beside another file of this name", str(self._job))
        names = sorted({*known, *identity})
        other = [name for name in names if known.get(name) != identity.get(name)]
        if other:
            rule = f"is of a job with another {' and '.join(other)}; take another, or overwrite it"
            fail("output", rule, str(self.output))
