"""``katib stop`` and ``delete`` where no owner lives; with one, see test_run.py."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from contextlib import contextmanager

import psutil
import pytest

from katib.cli.exits import NOT_FOUND, OK, TIME_OUT, USAGE
from katib.compose import Workshop
from katib.core.trial import Key
from katib.options import Options
from tests.cli.command_line import document, running_trials, started, until, write


@pytest.fixture
def orphaned(katib, tmp_path, home):
    """An experiment whose owner was killed while a trial ran; the trial lives on."""
    with started(tmp_path, "run", write(tmp_path, document(script="echo loss=1; sleep 60"))) as run:
        until(lambda: running_trials(home), "a trial")
        run.said("Running")
        run.signal(signal.SIGKILL)
        run.end()
    assert running_trials(home)
    return "exp"


def test_stop_ends_what_a_dead_owner_left(katib, home, orphaned):
    answer = katib("stop", orphaned)
    assert (answer.status, answer.out) == (OK, "experiment.kubeflow.org/exp stopped\n")
    assert not running_trials(home)
    assert "Stopped" in katib("get", "experiment", orphaned).out
    assert json.loads(katib("get", "exp", orphaned, "-o", "json").out)["status"]["trialsPending"] == 1
    assert katib("stop", "experiment", orphaned).out == answer.out


def test_delete_ends_what_a_dead_owner_left(katib, home, orphaned):
    answer = katib("delete", f"exp/{orphaned}")
    assert (answer.status, answer.out) == (OK, "experiment.kubeflow.org/exp deleted\n")
    until(lambda: not running_trials(home), "the trial's end")
    assert katib("get", "experiment", orphaned).status == NOT_FOUND
    assert not [path for path in (home / "trials").rglob("*") if path.is_file() and "exp-" in str(path)]


def test_finished_experiment(katib, home, tmp_path, finished):
    answer = katib("stop", finished)
    assert (answer.status, answer.out) == (
        OK,
        "experiment.kubeflow.org/exp has ended before (ExperimentMaxTrialsReached)\n",
    )
    assert katib("delete", finished).status == OK
    assert katib("delete", finished).status == NOT_FOUND
    assert katib("run", write(tmp_path, document())).status == OK  # the name is free again


def test_delete_without_its_files(katib, home, finished):
    shutil.rmtree(home / "trials")
    assert katib("delete", finished).status == OK


@contextmanager
def foreign_owner(home, name):
    """Another living process, this one's parent, owns the experiment."""
    workshop, parent = Workshop(Options(home)), psutil.Process(os.getppid())
    holder = f"{socket.gethostname()}:{parent.pid}:{parent.create_time():.2f}"
    lease = workshop.leases.acquire(Key("default", name), holder, 60.0)
    yield
    workshop.leases.release(lease)
    workshop.close()


def test_owner_that_does_not_answer(katib, home, orphaned):
    with foreign_owner(home, orphaned):
        for verb, said in (("stop", "stopped"), ("delete", "deleted")):
            answer = katib(verb, orphaned, "--timeout", "0.3")
            assert (answer.status, answer.out) == (TIME_OUT, f"experiment.kubeflow.org/exp is being {said}\n")
        assert katib("get", "exp", orphaned).status == OK
    assert katib("delete", orphaned).status == OK


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        pytest.param(("stop", "nope"), NOT_FOUND, "no experiment 'nope'", id="stop"),
        pytest.param(("delete", "nope"), NOT_FOUND, "no experiment 'nope'", id="delete"),
        pytest.param(("resume", "nope"), NOT_FOUND, "no experiment 'nope'", id="resume"),
        pytest.param(("stop", "trial/x"), USAGE, "only experiments can be stopped, got trial 'x'", id="stop trial"),
        pytest.param(("delete", "trials", "x"), USAGE, "only experiments can be deleted", id="delete trial"),
        pytest.param(("resume", "trial/x"), USAGE, "only experiments can be resumed", id="resume trial"),
        pytest.param(("delete", "--timeout", "-1", "x"), USAGE, "-1", id="time"),
    ],
)
def test_errors(katib, words, status, message):
    answer = katib(*words)
    assert (answer.status, answer.out) == (status, "")
    assert message in answer.err
