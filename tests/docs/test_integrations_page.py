"""docs/integrations.md: every program whose libraries are installed runs as it stands, and prints what stands below."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "integrations.md").read_text()
PROGRAMS = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
LIBRARY = re.compile(r"katib\.integrations\.(\w+)")


def test_each_program_has_its_output():
    assert len(PROGRAMS) == PAGE.count("```python\n")
    assert all(LIBRARY.search(program) for program, _ in PROGRAMS)


@pytest.mark.slow
@pytest.mark.parametrize(("program", "output"), PROGRAMS, ids=[LIBRARY.search(program)[1] for program, _ in PROGRAMS])
def test_program(program, output, tmp_path):
    for library in LIBRARY.findall(program):
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    script = tmp_path / "program.py"
    script.write_text(program)
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == output
