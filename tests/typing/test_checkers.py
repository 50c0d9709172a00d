"""mypy (strict) and pyright read the typed uses alike: the same is right, the same wrong."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sources import ROOT

USES = [ROOT / "tests" / "typing" / name for name in ("api.py", "batches.py")]
IGNORE = re.compile(r"  # type: ignore\[[\w, -]+\]$")


def wrong_lines(uses):
    """The numbers of the lines that a checker is to refuse."""
    lines = uses.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, start=1) if IGNORE.search(line)}


@pytest.fixture(params=USES, ids=lambda path: path.name)
def uses(request):
    """A file of typed uses."""
    return request.param


@pytest.fixture
def bare(uses, tmp_path):
    """The file without a word about what is wrong in it."""
    lines = uses.read_text(encoding="utf-8").splitlines()
    path = tmp_path / "uses.py"
    path.write_text("\n".join(IGNORE.sub("", line) for line in lines) + "\n", encoding="utf-8")
    return path


def run(module, *arguments):
    """What a checker prints."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is installed by `make check`, which reads the file as well")
    done = subprocess.run(  # noqa: S603 - our own tools
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env=os.environ | {"MYPYPATH": str(ROOT)},
    )

    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def test_mypy_refuses_what_is_wrong_and_nothing_else(uses, bare):
    """Exactly the marked lines are errors."""
    output = run("mypy", "--no-pretty", str(bare))
    errors = re.findall(rf"^{re.escape(str(bare))}:(\d+): error", output, re.MULTILINE)

    assert len(wrong_lines(uses)) > 5
    assert wrong_lines(uses) == {int(line) for line in errors}


def test_pyright_refuses_the_same(uses, bare):
    """Exactly the marked lines are errors; both checkers agree on every other one."""
    settings = {"extraPaths": [str(ROOT)], "typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (bare.parent / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    output = run("pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(bare.parent))
    found = json.loads(output)["generalDiagnostics"]
    errors = [each for each in found if each["severity"] == "error"]

    assert {str(bare)} == {str(Path(each["file"]).resolve()) for each in errors}
    assert wrong_lines(uses) == {each["range"]["start"]["line"] + 1 for each in errors}
