"""Trials that misbehave, through the whole engine: each ends in the right state with a reason, and nothing is left."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from katib.core.experiment import Budget, Component, ExperimentSpec, Verdict
from katib.core.objective import Objective
from katib.core.trial import FailureClass, TrialState
from katib.engine import controller
from tests.end_to_end.experiments import command_spec, job, katib, living, run

OK, FAILED, UNAVAILABLE = TrialState.SUCCEEDED, TrialState.FAILED, TrialState.METRICS_UNAVAILABLE

DOUBLE_FORK = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.close(1), os.close(2)
        time.sleep(600)
    os._exit(0)
os.wait()
print("loss=0.5")
"""

CASES = [
    pytest.param("head -c 10000000 /dev/zero | tr '\\0' x; echo; echo loss=0.5", OK, 0.5, "", id="line of 10 MB"),
    pytest.param(
        "echo loss=0.5; printf loss=; head -c 10000000 /dev/zero | tr '\\0' 1; echo", OK, 0.5, "", id="number of 10 MB"
    ),
    pytest.param("head -c 3000000 /dev/urandom; echo; echo loss=-7", OK, -7.0, "", id="binary rubbish"),
    pytest.param("echo loss=nan", UNAVAILABLE, None, "nan", id="nan"),
    pytest.param("echo loss=-inf", UNAVAILABLE, None, "inf", id="inf"),
    pytest.param("echo loss=", UNAVAILABLE, None, "loss", id="empty value"),
    pytest.param("echo done", UNAVAILABLE, None, "loss", id="no metric"),
    pytest.param(":", UNAVAILABLE, None, "loss", id="no output"),
    pytest.param("printf 'loss=0.75'", OK, 0.75, "", id="no newline at the end"),
    pytest.param("echo loss=0.5 >&2", OK, 0.5, "", id="on standard error"),
    pytest.param("echo loss=0.5; exec 1>&- 2>&-; echo loss=0.1; exit 0", OK, 0.5, "", id="after closing its output"),
    pytest.param("echo loss=0.5; exit 3", FAILED, 0.5, "exit status 3", id="fails after its metric"),
    pytest.param("kill -SEGV $$", FAILED, None, "SIGSEGV", id="crashes"),
    pytest.param("no-such-program-here", FAILED, None, "not found", id="program missing inside a script"),
    pytest.param("cat; echo loss=0.5", OK, 0.5, "", id="reads standard input"),
    pytest.param("sleep 600 & echo loss=0.5", OK, 0.5, "", id="leaves a child"),
    pytest.param("(trap '' TERM HUP; sleep 600) & echo loss=0.5", OK, 0.5, "", id="leaves a stubborn child"),
    pytest.param("setsid sleep 600 & echo loss=0.5", OK, 0.5, "", id="leaves a child in a session of its own"),
    pytest.param('rm "$KATIB_CHECKPOINT_DIR/../stdout.log"; echo loss=1', UNAVAILABLE, None, "loss", id="log removed"),
    pytest.param(
        'cd "$KATIB_CHECKPOINT_DIR/.."; rm stdout.log; mkfifo stdout.log; echo loss=1',
        UNAVAILABLE,
        None,
        "loss",
        id="log replaced by a pipe",
    ),
]


@pytest.mark.parametrize(("script", "state", "value", "reason"), CASES)
def test_one_trial(tmp_path: Path, script: str, state: TrialState, value: float | None, reason: str) -> None:
    ran = run(tmp_path, command_spec(["/bin/sh", "-c", script]))
    (trial,) = ran.trials
    assert trial.state is state
    assert trial.attempt == 1
    assert ran.experiment.spec.objective.value(trial.observation) == value
    assert reason in trial.reason
    assert bool(trial.reason) == (state is not OK)
    assert ran.experiment.status.verdict is Verdict.MAX_TRIALS_REACHED


def test_a_double_fork_is_found(tmp_path: Path) -> None:
    ran = run(tmp_path, command_spec([sys.executable, "-c", DOUBLE_FORK]))
    assert ran.trials[0].state is OK


@pytest.mark.parametrize(
    ("spec", "state", "reason"),
    [
        pytest.param(command_spec(["no-such-program"]), FAILED, "not on this machine", id="no such program"),
        pytest.param(command_spec(["/etc"]), FAILED, "not on this machine", id="a folder"),
        pytest.param(command_spec(["echo", "loss=1\0"]), FAILED, "NUL", id="NUL in its arguments"),
        pytest.param(command_spec(["echo", "x" * 3_000_000]), FAILED, "longer than", id="too long for the system"),
        pytest.param(
            command_spec(["echo", "loss=0.5"], container={"workingDir": "/no/such/folder"}), OK, "", id="no folder"
        ),
        pytest.param(
            command_spec(
                ["/bin/sh", "-c", "sleep 600"], container={"resources": {"limits": {"nvidia.com/gpu": "0.5.0"}}}
            ),
            FAILED,
            "gpu",
            id="a limit that cannot be",
        ),
    ],
)
def test_commands_that_cannot_be(tmp_path: Path, spec: ExperimentSpec, state: TrialState, reason: str) -> None:
    ran = run(tmp_path, spec)
    (trial,) = ran.trials
    assert trial.state is state
    assert reason in trial.reason


def test_one_that_is_killed_again_and_again_is_lost_at_last(tmp_path: Path) -> None:
    ran = run(tmp_path, replace(command_spec(["/bin/sh", "-c", "echo loss=1; kill -KILL $$"]), budget=Budget(1, 1, 1)))
    (trial,) = ran.trials
    assert (trial.state, trial.failure, trial.attempt) == (FAILED, FailureClass.LOST, 4)
    assert "SIGKILL" in trial.reason
    assert ran.lines == {0: ["1"] * 4}
    assert ran.experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    assert [event.reason for event in ran.events].count("TrialRetried") == 3


def test_one_that_removes_its_folder_is_lost_at_last(tmp_path: Path) -> None:
    script = 'rm -rf "$KATIB_CHECKPOINT_DIR/.."; echo loss=1'
    ran = run(tmp_path, command_spec(["/bin/sh", "-c", script]))
    assert ran.trials[0].state.finished
    assert ran.experiment.status.verdict is Verdict.MAX_TRIALS_REACHED


def test_one_that_ignores_sigterm_is_stopped_early_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first trial is good; the others get worse for ever and will not go."""
    monkeypatch.setattr(controller, "STOP_GRACE_SECONDS", 0.5)
    script = (
        f"if mkdir {tmp_path}/first 2>/dev/null; then echo loss=1; exit; fi; "
        "trap '' TERM INT HUP; (while :; do sleep 600; done) & while :; do echo loss=9; sleep 0.05; done"
    )
    stopper = Component("medianstop", {"min_trials_required": "1", "start_step": "1"})
    ran = run(tmp_path, command_spec(["/bin/sh", "-c", script], stopper=stopper, budget=Budget(1, 3)))
    assert [trial.state for trial in ran.trials] == [OK, TrialState.EARLY_STOPPED, TrialState.EARLY_STOPPED]
    assert "median" in ran.trials[1].reason
    assert ran.experiment.status.best == 0


def test_running_trials_are_killed_when_the_goal_is_reached(tmp_path: Path) -> None:
    script = f"if mkdir {tmp_path}/first 2>/dev/null; then echo loss=0; else echo loss=5; sleep 600; fi"
    spec = command_spec(["/bin/sh", "-c", script], objective=Objective("loss", goal=0.5), budget=Budget(3, 9))
    ran = run(tmp_path, spec)
    assert ran.experiment.status.verdict is Verdict.GOAL_REACHED
    assert sorted(trial.state for trial in ran.trials) == [TrialState.KILLED, TrialState.KILLED, OK]


def peak_memory(home: Path, script: str) -> tuple[int, str]:
    """KiB that ``katib run`` of one trial used at most, and the state of the trial."""
    home.mkdir()
    file = home / "experiment.yaml"
    trial = {
        "primaryContainerName": "main",
        "trialParameters": [{"name": "x", "reference": "x"}],
        "trialSpec": job(["/bin/sh", "-c", f"{script} # ${{trialParameters.x}}"]),
    }
    spec = {
        "objective": {"type": "minimize", "objectiveMetricName": "loss"},
        "algorithm": {"algorithmName": "random"},
        "maxTrialCount": 1,
        "parallelTrialCount": 1,
        "parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}],
        "trialTemplate": trial,
    }
    document = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": {"name": "e2e"}, "spec": spec}
    file.write_text(json.dumps(document))
    with (home / "output").open("w+") as output:
        process = katib(home, "run", str(file), stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        assert process.returncode == 0, output.read()
    assert living(home) == []
    return usage.ru_maxrss, (home / "output").read_text()


def test_a_flood_costs_no_memory(tmp_path: Path) -> None:
    """30 MB in one line, then 50 MB in short ones."""
    flood = "head -c 30000000 /dev/zero; echo; yes 'epoch 1, all is well' | head -c 50000000; echo; echo loss=1"
    plain, _ = peak_memory(tmp_path / "plain", "echo loss=1")
    flooded, output = peak_memory(tmp_path / "flooded", flood)
    assert flooded < plain + 64 * 1024
    assert "Succeeded" in output
