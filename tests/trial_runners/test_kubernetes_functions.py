"""Trials that are Python functions, as jobs: what is sent, and what the program in the pod makes of it."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import katib
from katib.core.errors import RunnerError, SpecError
from katib.core.trial import Attempt
from tests.contracts.runner_contract import attempt_id
from trial_runners.kubernetes.functions import MAX_BYTES, FunctionJobs
from trial_runners.kubernetes.manifest import manifest_for
from trial_runners.settings import KubernetesSettings

SETTINGS = KubernetesSettings(image="trial:1", db_manager="")
HELD = "a constant of this module"


def container_of(objective: Callable[..., Any], document: dict[str, Any] | None = None, **parameters: Any) -> Any:
    jobs = FunctionJobs(objective, "loss", document or {}, SETTINGS)
    attempt = jobs.prepared(Attempt(attempt_id(), 0, parameters))
    manifest = manifest_for(attempt, jobs.template, SETTINGS)
    assert manifest["metadata"]["name"] == "trial-a"
    assert manifest["spec"]["backoffLimit"] == 0
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    return container


def run(folder: Path, objective: Callable[..., Any], **parameters: Any) -> subprocess.CompletedProcess[str]:
    """As a kubelet would, in an image that has cloudpickle but not this project."""
    words = [word.replace("$$", "$") for word in container_of(objective, **parameters)["command"]]
    library = folder / "library"
    library.mkdir()
    (library / "cloudpickle").symlink_to(Path(sys.modules["cloudpickle"].__file__ or "").parent)
    assert words[:3] == ["python3", "-u", "-c"]
    command = [sys.executable, "-S", *words[1:]]
    return subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(library)}, capture_output=True, text=True)


def squared(parameters: dict[str, Any]) -> float:
    return float(parameters["x"]) ** 2


def reporting(parameters: dict[str, Any]) -> None:
    for step in range(2):
        katib.report_metrics(loss=parameters["x"] / (step + 1), step=step)


def typed(parameters: dict[str, Any]) -> dict[str, float]:
    kinds = [type(value) for value in parameters.values()]
    if kinds != [int, float, str, bool] or parameters["s"] != "$(HOME) $$ 'ü'":
        raise ValueError(parameters)
    return {"loss": 0.1 + 0.2, "held": len(HELD)}


def failing(parameters: dict[str, Any]) -> float:
    raise RuntimeError("went wrong")


@pytest.mark.parametrize(
    ("objective", "parameters", "printed"),
    [
        pytest.param(squared, {"x": 3}, "loss=9.0\n", id="number"),
        pytest.param(reporting, {"x": 1.0}, "step=0 loss=1.0\nstep=1 loss=0.5\n", id="reports"),
        pytest.param(
            typed,
            {"i": 1, "f": 1.0, "s": "$(HOME) $$ 'ü'", "b": True},
            f"loss=0.30000000000000004 held={len(HELD)}\n",
            id="typed parameters, a dict, what its module holds",
        ),
        pytest.param(lambda parameters: math.inf, {}, "loss=inf\n", id="a lambda"),
    ],
)
def test_metrics_are_printed(tmp_path: Path, objective: Any, parameters: dict[str, Any], printed: str) -> None:
    result = run(tmp_path, objective, **parameters)
    assert (result.stdout, result.stderr, result.returncode) == (printed, "", 0)


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        pytest.param(failing, "RuntimeError: went wrong", id="raises"),
        pytest.param(lambda parameters: "0.5", "expected a number or a dict of numbers", id="text"),
        pytest.param(lambda parameters: {"a": None}, "cannot be used: metric 'a': got None", id="no number"),
    ],
)
def test_failures_are_told(tmp_path: Path, objective: Any, said: str) -> None:
    result = run(tmp_path, objective)
    assert result.returncode == 1
    assert said in result.stderr


def test_what_the_image_lacks_is_told(tmp_path: Path) -> None:
    words = container_of(squared, x=1)["command"]
    program, arguments = words[3].replace("$$", "$"), words[4:]

    def said(*words: str) -> str:
        command = [sys.executable, "-I", "-S", "-c", program, *words]
        return subprocess.run(command, capture_output=True, text=True).stderr

    assert "pickled by Python 2.7, but this image has Python 3" in said("2.7", *arguments[1:])
    assert "no package cloudpickle" in said(*arguments)


def test_large_functions_travel_in_pieces_up_to_a_limit() -> None:
    blob = bytes(range(256)) * 1000
    command = container_of(lambda parameters: len(blob))["command"]
    assert len(command) == 4 + 4 + 4
    assert max(map(len, command)) < 128 * 1024
    blob = blob * 4
    with pytest.raises(SpecError, match=f"a job takes {MAX_BYTES}"):
        container_of(lambda parameters: len(blob))


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param(None, {}, id="none"),
        pytest.param({"cpu": 2, "memory": "4Gi"}, {"cpu": 2, "memory": 4 << 30}, id="amounts"),
        pytest.param({"cpu": 0.25, "nvidia.com/gpu": 1}, {"cpu": "250m", "nvidia.com/gpu": 1}, id="fractions"),
    ],
)
def test_resources(resources: Any, expected: Any) -> None:
    document = {"kind": "PythonFunction", "spec": {"resources": resources}}
    given = container_of(squared, document)["resources"]
    assert given == ({"requests": expected, "limits": expected} if expected else {})


def test_no_device_is_shared() -> None:
    with pytest.raises(SpecError, match="expected an integer"):
        container_of(squared, {"kind": "PythonFunction", "spec": {"resources": {"nvidia.com/gpu": 0.5}}})


def test_an_image_is_needed() -> None:
    with pytest.raises(RunnerError, match="--image"):
        FunctionJobs(squared, "loss", {}, KubernetesSettings())


def test_what_cannot_be_sent() -> None:
    lock = threading.Lock()
    with pytest.raises(SpecError, match="cannot be sent to a pod"):
        container_of(lambda parameters: lock.locked())
