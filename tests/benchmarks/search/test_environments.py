"""Environments are made once, aside, and their failures are remembered with what pip said."""

from __future__ import annotations

import sys
import zipfile

import pytest

from benchmarks.search import environments
from benchmarks.search.environments import (
    Environment,
    NoEnvironmentError,
    State,
    Status,
    folder_of_environments,
    install,
    path_of,
    python_of,
    status_of,
)
from benchmarks.search.rivals import RIVALS

TINY = Environment("tiny", ("tiny",))


@pytest.fixture
def pins(tmp_path, monkeypatch):
    """The pins of TINY, to be written."""
    folder = tmp_path / "pins"
    folder.mkdir()
    monkeypatch.setattr(environments, "_PINS", folder)
    return folder / "tiny.txt"


def wheel(folder, source: str):
    """A package ``tiny`` of one module."""
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", source)
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")
    return path


@pytest.mark.slow
def test_an_environment_is_made_once(tmp_path, pins):
    pins.write_text(f"tiny @ {wheel(tmp_path, 'ANSWER = 42').as_uri()}\n")
    root = tmp_path / "made"
    assert install(TINY, root) == Status(State.INSTALLED)
    assert python_of(TINY, root) == str(path_of(TINY, root) / "bin" / "python")
    assert {path.suffix for path in root.iterdir()} == {"", ".log"}
    made = path_of(TINY, root).stat().st_ctime_ns
    install(TINY, root)
    assert path_of(TINY, root).stat().st_ctime_ns == made


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "pin", "message"),
    [
        pytest.param("import nowhere_to_be_found", None, "No module named 'nowhere_to_be_found'", id="broken"),
        pytest.param("", "tiny @ file:///nowhere/tiny-1.0-py3-none-any.whl", "ERROR: .*nowhere", id="not-there"),
    ],
)
def test_a_failure_is_remembered_until_the_next_try(tmp_path, pins, source, pin, message):
    root, path = tmp_path / "made", wheel(tmp_path, source)
    pins.write_text(f"{pin or f'tiny @ {path.as_uri()}'}\n")
    assert install(TINY, root).state is State.FAILED
    assert not path_of(TINY, root).exists()
    with pytest.raises(NoEnvironmentError, match=message):
        python_of(TINY, root)
    if pin is None:
        wheel(tmp_path, "")
        assert install(TINY, root) == status_of(TINY, root) == Status(State.INSTALLED)


def test_other_pins_are_another_environment(tmp_path, pins):
    pins.write_text("tiny==1.0\n")
    first = path_of(TINY, tmp_path)
    first.mkdir()
    assert status_of(TINY, tmp_path).state is State.INSTALLED
    pins.write_text("tiny==1.1\n")
    assert path_of(TINY, tmp_path) != first
    assert status_of(TINY, tmp_path).state is State.ABSENT
    with pytest.raises(NoEnvironmentError, match="'tiny' is absent: install it with"):
        python_of(TINY, tmp_path)


@pytest.mark.parametrize(
    ("output", "pip", "cause"),
    [
        pytest.param("Collecting x\nERROR: no x\nERROR: not one\nbye\n", True, "ERROR: no x\nERROR: not one", id="pip"),
        pytest.param("ERROR: of pip before\nImportError: no y\n\n", False, "ImportError: no y", id="import"),
        pytest.param("killed\n", True, "killed", id="pip-without-errors"),
        pytest.param("", True, "", id="nothing"),
    ],
)
def test_the_cause_is_what_the_last_program_said(output, pip, cause):
    assert environments._cause(output, pip) == cause


def test_the_own_environment_is_this_one(tmp_path):
    assert python_of(Environment("own", ("json",), own=True), tmp_path) == sys.executable
    lacking = Environment("own", ("json", "nowhere_to_be_found"), own=True)
    assert status_of(lacking, tmp_path) == Status(State.ABSENT, "not installed: nowhere_to_be_found")
    with pytest.raises(NoEnvironmentError, match="nowhere_to_be_found"):
        install(lacking, tmp_path)


@pytest.mark.parametrize(
    ("environ", "end"),
    [
        pytest.param({"KATIB_BENCH_ENVIRONMENTS": "/somewhere"}, "/somewhere", id="named"),
        pytest.param({"KATIB_BENCH_ENVIRONMENTS": ""}, ".cache/katib-bench", id="empty"),
        pytest.param({}, ".cache/katib-bench", id="default"),
    ],
)
def test_the_folder(environ, end):
    assert str(folder_of_environments(environ)).endswith(end)


def test_every_pin_is_one_version():
    made = {kind.environment for kind in RIVALS.values() if not kind.environment.own}
    assert len(made) >= 7
    for environment in made:
        lines = [line for line in environment.pins.splitlines() if not line.startswith("#")]
        assert all(line.count("==") == 1 and "+" not in line and "@" not in line for line in lines)


def test_environments_are_installed_by_names_of_rivals():
    """What is absent says how to install it by its environment's name."""
    assert {kind.environment.name for kind in RIVALS.values() if not kind.environment.own} <= RIVALS.keys()
