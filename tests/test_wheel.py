"""What the wheel holds: five packages, their data, no tests."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"katib", "algorithms", "suggestion_service", "trial_runners", "benchmarks"}


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> list[str]:
    out = tmp_path_factory.mktemp("wheel")
    source = out / "source"
    subprocess.run(["git", "-C", str(ROOT), "checkout-index", "-a", f"--prefix={source}/"], check=True)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(source)], check=True, capture_output=True
    )
    (wheel,) = out.glob("*.whl")
    return zipfile.ZipFile(wheel).namelist()


def test_top_level_names(names):
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES


def test_every_package_is_typed(names):
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param("suggestion_service/proto/api.proto", id="proto"),
        pytest.param("suggestion_service/generated/api_pb2.pyi", id="types-of-generated-code"),
        pytest.param("katib/metrics/proto/event.proto", id="proto-of-event-files"),
        pytest.param("katib/metrics/generated/event_pb2.pyi", id="types-of-event-files"),
        pytest.param("katib/storage/migrations/env.py", id="migrations"),
    ],
)
def test_data_files(names, wanted):
    assert wanted in names


def test_every_module_is_there(names):
    tracked = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", *(f"{package}/*.py" for package in PACKAGES)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(tracked) <= set(names)
