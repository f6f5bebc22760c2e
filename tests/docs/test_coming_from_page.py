"""docs/coming-from.md: the three programs run as they stand, are short, and find what there is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "coming-from.md").read_text()
PROGRAMS = dict(re.findall(r"^## ([\w ]+)\n\n```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))


def test_there_are_three_short_ones():
    assert list(PROGRAMS) == ["Katib", "Optuna", "Ray Tune"]
    for program in PROGRAMS.values():
        assert len([line for line in program.splitlines() if line.strip()]) <= 22


@pytest.mark.slow
@pytest.mark.timeout(900)  # Ray Tune starts a process for each trial
@pytest.mark.parametrize("name", ["Katib", "Optuna", pytest.param("Ray Tune", marks=pytest.mark.requires("ray"))])
def test_it_runs(name, tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAMS[name])
    environment = {**os.environ, "HOME": str(tmp_path), "RAY_AIR_NEW_OUTPUT": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=840
    )
    assert done.returncode == 0, done.stderr
    best, parameters = done.stdout.strip().splitlines()[-1].split(" ", 1)
    assert 0.1 <= float(best) < 2.1  # 20 random draws miss it once in 700 tries
    assert all(parameter in parameters for parameter in ("rate", "layers", "optimizer"))
