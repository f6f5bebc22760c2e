"""The floors hold, and the top of the package stays light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = (
    "numpy",
    "scipy",
    "pydantic",
    "yaml",
    "sqlalchemy",
    "grpc",
    "skopt",
    "sklearn",
    "optuna",
    "cmaes",
    "rich",
    "click",
    "ray",
    "kubernetes",
    "fsspec",
)


def loaded_by(statement: str, names: tuple[str, ...] = HEAVY) -> list[str]:
    code = f"{statement}\nimport sys; import json; print(json.dumps([n for n in {names!r} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def test_imports_go_downward_only():
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("statement", ["import katib", "import katib.report", "import suggestion_service"])
def test_light_imports(statement):
    assert loaded_by(statement) == []


METRIC_LIBRARIES = ("google.protobuf", "google_crc32c", "prometheus_client", "tensorboard", "torch")


@pytest.mark.parametrize(
    ("kind", "loaded"),
    [
        ("StdOut", []),
        ("Push", []),
        ("TensorFlowEvent", ["google.protobuf", "google_crc32c"]),
        ("PrometheusMetric", ["prometheus_client"]),
    ],
)
def test_a_collector_loads_what_its_format_needs(kind, loaded):
    make = (
        "from katib.core.collector import CollectorSpec; from katib.core.objective import Objective; "
        f"from katib.metrics import create_collector; create_collector(CollectorSpec({kind!r}), Objective('loss'))"
    )
    assert loaded_by(make, METRIC_LIBRARIES) == loaded


def test_programs_beside_a_trial_load_little():
    imports = "import trial_runners.beside.scraper, trial_runners.beside.custom_command"
    assert loaded_by(imports, (*HEAVY, *METRIC_LIBRARIES, "katib")) == []


def test_help_page_loads_no_heavy_library():
    heavy = tuple(name for name in HEAVY if name != "click")
    assert loaded_by("from katib.cli.main import main; main(['--help'])", heavy) == []


def test_public_names_exist():
    code = "import katib; print(all(getattr(katib, name) is not None for name in katib.__all__))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "True"
