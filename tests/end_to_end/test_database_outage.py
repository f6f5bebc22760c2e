"""A database server that goes away in the middle of an experiment and comes back: ``katib run`` waits for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from katib.compose import Workshop
from katib.core.trial import TrialState
from katib.options import Options
from katib.storage import check_store
from tests.database_servers import SERVERS
from tests.end_to_end.experiments import job, katib, nothing_left, ran, until


def write(home: Path, gate: Path) -> Path:
    """Four trials, two at a time, that wait for the gate between their two lines."""
    script = f"echo loss=1; until [ -e {gate} ]; do sleep 0.05; done; echo loss=0.${{trialParameters.n}}"
    spec = {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "algorithm": {"algorithmName": "random"},
        "maxTrialCount": 4,
        "parallelTrialCount": 2,
        "parameters": [{"name": "n", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "9999"}}],
        "trialTemplate": {
            "primaryContainerName": "main",
            "trialParameters": [{"name": "n", "reference": "n"}],
            "trialSpec": job(["/bin/sh", "-c", script]),
        },
    }
    file = home / "experiment.yaml"
    document = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": {"name": "e2e"}, "spec": spec}
    file.write_text(json.dumps(document))
    return file


@pytest.mark.parametrize("kind", SERVERS)
def test_an_outage_is_waited_for(kind: str, tmp_path: Path) -> None:
    from benchmarks.servers import installed

    gate = tmp_path / "gate"
    with installed(kind) as installation, nothing_left(tmp_path):
        with installation.started() as server:
            url, port = server.new_database(), server.port
            owner = katib(tmp_path, "run", str(write(tmp_path, gate)), "--store", url)
            until(lambda: len(list(tmp_path.glob("trials/default/e2e/*/1/stdout.log"))) == 2)
        gate.touch()  # trials end while nothing can be recorded
        assert owner.poll() is None
        with installation.started(port):
            output, _ = owner.communicate(timeout=120)
            assert owner.returncode == 0, output
            workshop = Workshop(Options(tmp_path, url))
            found = ran(workshop)
            workshop.close()
            assert check_store(url).damages == ()
    assert [(trial.state, trial.attempt) for trial in found.trials] == [(TrialState.SUCCEEDED, 1)] * 4
    assert all(lines[0] == "1" and len(lines) == 2 for lines in found.lines.values())
