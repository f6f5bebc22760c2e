"""Owners and attempts that are killed, paused or doubled, as processes."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest

from katib.compose import Workshop
from katib.core.experiment import Budget, Verdict
from katib.core.trial import FailureClass, TrialState
from katib.options import Options
from tests.end_to_end.experiments import Ran, command_spec, job, katib, nothing_left, ran, run, until

# An owner that is not heard of for a second has lost its experiment.
SHORT_LEASE = "import katib.engine.controller as controller; controller.LEASE_SECONDS = 1.0"


class House:
    """A home, a file to run in it, and the processes that run it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ledger = home / "ledger"
        self.gate = home / "gate"
        self.file = home / "experiment.yaml"
        self.started: list[subprocess.Popen[str]] = []

    def write(self, script: str, trials: int, parallel: int) -> None:
        """An experiment whose trials write a line into the ledger before ``script``."""
        log = f'echo "$KATIB_TRIAL_NAME $KATIB_ATTEMPT" >>{self.ledger}'
        spec: dict[str, Any] = {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "maxTrialCount": trials,
            "parallelTrialCount": parallel,
            "parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "x", "reference": "x"}],
                "trialSpec": job(["/bin/sh", "-c", f"{log}\n{script}\n# ${{trialParameters.x}}"]),
            },
        }
        name = {"name": "e2e"}
        document = {"apiVersion": "kubeflow.org/v1beta1", "kind": "Experiment", "metadata": name, "spec": spec}
        self.file.write_text(json.dumps(document))

    def run(self, *arguments: str, prelude: str = "") -> subprocess.Popen[str]:
        process = katib(self.home, "run", str(self.file), *arguments, prelude=prelude)
        self.started.append(process)
        return process

    def launches(self) -> list[str]:
        return self.ledger.read_text().splitlines() if self.ledger.exists() else []

    def read(self) -> Ran:
        workshop = Workshop(Options(self.home))
        try:
            return ran(workshop)
        finally:
            workshop.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    with nothing_left(tmp_path):
        yield house
        for process in house.started:
            with process:  # closes its pipe and waits for it
                process.kill()


def pause(house: House, process: subprocess.Popen[str]) -> None:
    """Stop it where it holds no lock of the database: a paused writer would hold up everybody."""
    while True:
        process.send_signal(signal.SIGSTOP)
        until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        try:
            with closing(sqlite3.connect(house.home / "katib.db", timeout=0, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")
            return
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)
            time.sleep(0.05)


def test_a_paused_owner_is_replaced_and_fenced(house: House) -> None:
    house.write(f"for i in 1 2 3; do echo loss=$i; done; until [ -e {house.gate} ]; do sleep 0.05; done", 5, 2)
    first = house.run(prelude=SHORT_LEASE)
    until(lambda: len(house.launches()) == 2)  # one that is being started belongs to its starter until it runs
    time.sleep(0.3)
    pause(house, first)
    time.sleep(1.5)
    house.gate.touch()
    second = house.run(prelude=SHORT_LEASE)
    output, _ = second.communicate(timeout=120)
    assert second.returncode == 0, output
    before = house.read()
    first.send_signal(signal.SIGCONT)
    complaint, _ = first.communicate(timeout=60)
    assert first.returncode == 1, complaint
    assert "error: experiment default/e2e" in complaint
    assert house.read() == before
    assert before.experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    assert [(t.state, t.attempt) for t in before.trials] == [(TrialState.SUCCEEDED, 1)] * 5
    assert sorted(house.launches()) == sorted(f"{trial.name} 1" for trial in before.trials)
    assert before.lines == {number: ["1", "2", "3"] for number in range(5)}


def test_a_second_owner_is_refused_while_the_first_lives(house: House) -> None:
    house.write(f"echo loss=1; until [ -e {house.gate} ]; do sleep 0.05; done", 3, 2)
    first = house.run()
    until(lambda: house.launches())
    second = house.run()
    output, _ = second.communicate(timeout=60)
    assert second.returncode not in (0, None)
    assert "is run by" in output
    house.gate.touch()
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert len(house.launches()) == 3


def test_a_killed_run_takes_its_suggestion_service_along(house: House) -> None:
    house.write(f"echo loss=1; until [ -e {house.gate} ]; do sleep 0.05; done", 3, 2)
    first = house.run("--suggestion", "process")
    until(lambda: house.launches())
    services = [p for p in psutil.Process(first.pid).children() if "suggestion_service" in " ".join(p.cmdline())]
    assert len(services) == 1
    first.kill()
    first.communicate()
    until(lambda: not services[0].is_running() or services[0].status() == psutil.STATUS_ZOMBIE)
    house.gate.touch()
    second = house.run("--suggestion", "process")
    output, _ = second.communicate(timeout=120)
    assert second.returncode == 0, output
    assert sorted(house.launches()) == sorted(f"{trial.name} 1" for trial in house.read().trials)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_asked_twice_to_end_it_ends_its_trials_and_goes_on_later(house: House, first: signal.Signals) -> None:
    house.write(f"echo loss=1; until [ -e {house.gate} ]; do sleep 0.05; done", 3, 2)
    process = house.run()
    until(lambda: len(house.launches()) == 2)
    until(lambda: sum(t.state is TrialState.RUNNING for t in house.read().trials) == 2)
    process.send_signal(first)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert {(trial.state, trial.attempt) for trial in house.read().trials} == {(TrialState.PENDING, 2)}
    house.gate.touch()
    again = house.run()
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 0, output
    assert sorted(trial.attempt for trial in house.read().trials) == [1, 2, 2]
    assert len(house.launches()) == len(set(house.launches())) == 5


@pytest.mark.parametrize("victim", ["$PPID", "$$"], ids=["wrapper", "command"])
def test_a_killed_attempt_is_followed_by_the_next(tmp_path: Path, victim: str) -> None:
    """Its wrapper killed from outside, an attempt has no exit status: what it left is ended, and it runs again."""
    script = (
        f'echo loss=$KATIB_ATTEMPT; if [ "$KATIB_ATTEMPT" = 1 ]; then (kill -KILL {victim}; sleep 600) & sleep 600; fi'
    )
    found = run(tmp_path, command_spec(["/bin/sh", "-c", script], budget=Budget(2, 4)))
    assert [(t.state, t.attempt, dict(t.failures)) for t in found.trials] == [
        (TrialState.SUCCEEDED, 2, {FailureClass.LOST: 1})
    ] * 4
    assert found.lines == {number: ["1", "2"] for number in range(4)}
    assert found.experiment.status.verdict is Verdict.MAX_TRIALS_REACHED


def test_an_owner_that_dies_in_the_middle_of_a_start_leaves_nothing_twice(house: House) -> None:
    """Death by the owner's own hand, right after the wrapper was launched and before anything was recorded."""
    house.write("echo loss=1; sleep 0.3", 4, 2)
    prelude = (
        "import os, trial_runners.local.wrapper as wrapper; spawn = wrapper.RunningCommand.spawn\n"
        "def deadly(*arguments): spawn(*arguments); os.kill(os.getpid(), 9)\n"
        "wrapper.RunningCommand.spawn = deadly"
    )
    deaths = 0
    while True:
        process = house.run(prelude=prelude)
        process.communicate(timeout=60)
        if process.returncode != -signal.SIGKILL:
            break
        deaths += 1
    assert (process.returncode, deaths) == (0, 4)
    trials = house.read().trials
    assert [(trial.state, trial.attempt) for trial in trials] == [(TrialState.SUCCEEDED, 1)] * 4
    assert sorted(house.launches()) == sorted(f"{trial.name} 1" for trial in trials)
    assert os.listdir(house.home / "trials" / "default" / "e2e") != []
