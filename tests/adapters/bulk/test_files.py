"""The states in which a killed run may leave the files of a job."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from resilience import SettingsError
from tests.adapters.bulk.conftest import Job


def beside(job: Job, end: str) -> Path:
    """One of the files beside the output."""
    return job.output.with_name(f"{job.output.name}.{end}")


def test_killed_before_anything_was_asked(job: Job):
    """Empty files are those of a run that had hardly begun."""
    job.write(3)
    beside(job, "job").touch()
    beside(job, "part").touch()

    assert 3 == job.run().succeeded


def test_killed_when_the_output_was_there(job: Job):
    """Between making OUTPUT and removing the journal: nothing is asked again."""
    job.write(5)
    job.run()
    shutil.copy(job.output, beside(job, "part"))
    before = job.output.read_bytes()
    job.emulator.reset()
    job.run()

    assert ([], before) == (job.emulator.log(), job.output.read_bytes())
    assert {"out.jsonl", "out.jsonl.job"} == job.left()


def test_killed_while_the_output_was_made(job: Job):
    """A draft of the output is made anew."""
    job.write(5)
    job.run()
    job.output.rename(beside(job, "part"))
    beside(job, "tmp").write_text("half")
    job.emulator.reset()
    job.run()

    assert ([], 5) == (job.emulator.log(), len(job.lines()))
    assert {"out.jsonl", "out.jsonl.job"} == job.left()


def test_killed_while_an_output_was_to_be_replaced(job: Job):
    """The output of old is there until there is a new one, and is not taken for it."""
    job.write(5)
    job.run()
    old = job.output.read_bytes()
    job.emulator.script(["401:from=0"])
    with pytest.raises(Exception, match="every key was rejected"):
        job.run(overwrite=True)

    assert old == job.output.read_bytes()

    job.emulator.script()
    job.emulator.reset()
    job.run()

    assert 5 == len(job.emulator.log())


def test_a_job_without_its_output_begins_anew(job: Job):
    """Whoever has moved the results away gets them made again."""
    job.write(5)
    job.run()
    job.output.unlink()
    job.emulator.reset()
    job.run()

    assert (5, 5) == (len(job.emulator.log()), len(job.lines()))


def test_a_torn_end_is_cut(job: Job):
    """What was written by half is asked again."""
    job.write(5)
    job.run(order="completed")
    job.output.write_bytes(job.output.read_bytes()[:-20])
    job.emulator.reset()
    job.run(order="completed")

    assert (1, 5) == (len(job.emulator.log()), len(job.lines()))


def test_a_journal_of_somebody_else_is_refused(job: Job):
    """A file of that name that no run has made is not overwritten."""
    job.write(1)
    beside(job, "part").write_text("a download")
    with pytest.raises(SettingsError, match=r"output must not exist yet, .*out\.jsonl\.part"):
        job.run()

    assert {"out.jsonl.part"} == job.left()


def test_a_job_file_of_somebody_else_is_refused(job: Job):
    """A file of that name that says nothing of a job is left as it is."""
    job.write(1)
    beside(job, "job").write_text("work to do")
    with pytest.raises(SettingsError, match="must not stand beside another file of this name"):
        job.run()

    assert "work to do" == beside(job, "job").read_text()


def test_an_output_that_was_edited_is_refused(job: Job):
    """A line that no run has written is named by its place, and nothing is lost."""
    job.write(3)
    job.run()
    job.output.write_text("note\n" + job.output.read_text("utf-8"), encoding="utf-8")
    before = job.output.read_bytes()
    with pytest.raises(SettingsError, match=r"must be left as it was written, .*at byte 0"):
        job.run()

    assert before == job.output.read_bytes()
