"""Runs a program beside the adapters, in a rival's environment."""

from __future__ import annotations

import subprocess
from pathlib import Path

import benchmarks.search
from benchmarks.search.environments import python_of
from benchmarks.search.rivals import RIVALS


def run_in(rival: str, program: str) -> str:
    """What it prints; fails with what it says of its errors."""
    command = [python_of(RIVALS[rival].environment), "-c", program]
    answer = subprocess.run(command, cwd=Path(benchmarks.search.__file__).parent, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout
