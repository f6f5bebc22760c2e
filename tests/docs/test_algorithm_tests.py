"""The page that names the tests of each algorithm: fresh, without gaps, and every test exists."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from algorithms import ALGORITHMS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def generator():
    path = ROOT / "docs" / "generate_algorithm_tests.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_fresh(generator):
    assert generator.PAGE.read_text() == generator.page(), "run: python docs/generate_algorithm_tests.py"


def test_no_cell_is_empty(generator):
    assert list(generator.MORE) == [name for name in ALGORITHMS if name not in ("darts", "gp-nas")]
    assert all(generator.tests_of(algorithm, column) for algorithm in generator.SHOWN for column in generator.COLUMNS)


@pytest.mark.requires("skopt")
def test_every_named_test_exists(generator):
    named = set(generator.every_test())
    files = sorted({test.partition("::")[0] for test in named})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-o", "addopts="]
    command += ["--import-mode=importlib", *files]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    collected = {line for line in listed.stdout.splitlines() if "::" in line}
    assert collected, listed.stdout + listed.stderr
    known = collected | {test.partition("[")[0] for test in collected}
    assert named <= known, sorted(named - known)
