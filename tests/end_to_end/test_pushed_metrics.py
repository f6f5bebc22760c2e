"""Metrics pushed over gRPC, through the whole engine: ``katib services``, ``katib run`` and trials of three processes,
any of which may be killed."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
import yaml

from katib.compose import Workshop
from katib.core.errors import NotFoundError
from katib.core.trial import TrialState
from katib.options import Options
from suggestion_service.generated import api_pb2 as pb
from tests.end_to_end.experiments import KEY, katib, nothing_left, ran, until
from tests.suggestion_service.katib_client import OPTIONS, call, rows_of

REPORTS = 40
SCRIPT = """
import os, pathlib, sys, time
import katib
os.environ.pop("KATIB_METRICS_FILE")  # as it is outside this machine
gate = pathlib.Path(sys.argv[1])
for i in range(int(sys.argv[2])):
    katib.report_metrics({"loss": 1.0 / (i + 1), "val acc": i}, step=i)
    while i >= 9 and not gate.exists():
        time.sleep(0.02)
    time.sleep(0.01)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with nothing_left(tmp_path / "home"):
        yield tmp_path / "home"


@pytest.fixture
def workshop(home: Path) -> Iterator[Workshop]:
    """Looks at the store while commands work on it."""
    workshop = Workshop(Options(home))
    yield workshop
    workshop.close()


@pytest.fixture
def ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]


def write(folder: Path, port: int, gate: Path) -> Path:
    command = [sys.executable, "-c", SCRIPT.replace("$", "$$"), str(gate), str(REPORTS)]
    variables = [{"name": "KATIB_DB_MANAGER_ADDRESS", "value": f"127.0.0.1:{port}"}]
    container = {"name": "main", "image": "none", "command": command, "env": variables}
    document = {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": KEY.name, "namespace": KEY.namespace},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss", "additionalMetricNames": ["val acc"]},
            "algorithm": {"algorithmName": "random"},
            "parallelTrialCount": 1,
            "maxTrialCount": 1,
            "metricsCollectorSpec": {"collector": {"kind": "Push"}},
            "parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [],
                "trialSpec": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "spec": {"template": {"spec": {"containers": [container]}}},
                },
            },
        },
    }
    file = folder / "experiment.yaml"
    file.write_text(yaml.safe_dump(document))
    return file


def recorded(workshop: Workshop) -> list[str]:
    with suppress(NotFoundError):
        return [item.measurement.text for _, item in workshop.store.curve(KEY)]
    return []


@pytest.fixture
def command(home: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``katib`` commands; those that still run at the end are killed."""
    begun = []

    def start(*words: object) -> subprocess.Popen[str]:
        begun.append(katib(home, *map(str, words)))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.communicate()


@pytest.fixture
def services(command: Callable[..., subprocess.Popen[str]], ports: tuple[int, int]):
    """Starts the services, and returns when they listen."""

    def start() -> subprocess.Popen[str]:
        process = command("services", "--port", ports[0], "--early-stopping-port", ports[1])
        for _ in range(2):
            assert "listening on" in process.stdout.readline()
        return process

    return start


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def test_each_row_is_recorded_once_and_in_order_whoever_is_killed(
    tmp_path: Path, workshop: Workshop, ports: tuple[int, int], command, services
) -> None:
    gate = tmp_path / "gate"
    file = write(tmp_path, ports[0], gate)
    served, first = services(), command("run", file)
    until(lambda: len(recorded(workshop)) == 20)  # they come while the trial runs
    kill(served)
    kill(first)
    gate.touch()  # the trial goes on, and waits for the service
    services()
    second = command("run", file)
    output, _ = second.communicate(timeout=120)

    assert second.returncode == 0, output
    result = ran(workshop)
    (trial,) = result.trials
    expected = [text for i in range(REPORTS) for text in (repr(1.0 / (i + 1)), str(i))]
    assert (trial.state, trial.attempt, result.lines[0]) == (TrialState.SUCCEEDED, 1, expected)
    with grpc.insecure_channel(f"127.0.0.1:{ports[0]}", OPTIONS) as channel:
        reply = call(channel, "DBManager", "GetObservationLog", pb.GetObservationLogRequest(trial_name=trial.name))
        assert [value for *_, value in rows_of(reply)] == expected
        assert command("delete", KEY.name).wait(60) == 0
        reply = call(channel, "DBManager", "GetObservationLog", pb.GetObservationLogRequest(trial_name=trial.name))
        assert rows_of(reply) == []


def test_a_trial_that_is_marked_as_stopped_early_ends_so(
    tmp_path: Path, workshop: Workshop, ports: tuple[int, int], command, services
) -> None:
    services()
    runs = command("run", write(tmp_path, ports[0], tmp_path / "gate"))
    until(lambda: len(recorded(workshop)) == 20)
    (running,) = workshop.store.trials(KEY)
    with grpc.insecure_channel(f"127.0.0.1:{ports[1]}", OPTIONS) as channel:
        mark = pb.SetTrialStatusRequest(trial_name=running.name)
        assert call(channel, "EarlyStopping", "SetTrialStatus", mark) == pb.SetTrialStatusReply()
    output, _ = runs.communicate(timeout=60)

    assert runs.returncode == 0, output
    (trial,) = ran(workshop).trials
    assert (trial.state, trial.attempt) == (TrialState.EARLY_STOPPED, 1)
    assert len(recorded(workshop)) == 20
