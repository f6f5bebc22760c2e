"""How a run in the foreground is left: signals, wishes of other processes, a second owner, a reader that goes away.

Runs are processes of their own here.
"""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from katib.cli.exits import FAILED, INTERRUPTED, OK
from tests.cli.command_line import KATIB, document, started, trial_counts, until, write

# Kubernetes takes $$ for $, so this is the shell's process id.
SCRIPT = "echo loss=${trialParameters.x}; touch started-$$$$; sleep 1"
LONG = "echo loss=1; touch started-$$$$; sleep 60"


def trial_started(folder):
    until(lambda: list(folder.glob("started-*")), "a trial's start")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_once_drains(katib, tmp_path, number):
    with started(tmp_path, "run", write(tmp_path, document(script=SCRIPT))) as process:
        trial_started(tmp_path)
        process.signal(number)
        answer = process.end()
    assert answer.status == INTERRUPTED
    assert "letting running trials finish; Ctrl-C again ends them now" in answer.err
    assert answer.out.count("Succeeded [") == 1
    assert "exp was interrupted after 1 finished trial; go on with: katib resume exp" in answer.out
    assert trial_counts(katib) == {"trials": 1, "trialsSucceeded": 1}
    assert "Stopped" in katib("get", "experiment", "exp").out


def test_twice_ends_running_trials(katib, tmp_path):
    script = f"test -e go && exec echo loss=1; {LONG}"
    with started(tmp_path, "run", write(tmp_path, document(script=script)), "-o", "json") as process:
        trial_started(tmp_path)
        process.signal(signal.SIGINT)
        process.said("letting running trials finish")
        process.signal(signal.SIGINT)
        answer = process.end()
    assert answer.status == INTERRUPTED
    assert json.loads(answer.out)["status"]["trialsPending"] == 1
    (tmp_path / "go").touch()
    resumed = katib("resume", "exp")
    assert resumed.status == OK
    assert "Running attempt 2" in resumed.out
    assert trial_counts(katib) == {"trials": 3, "trialsSucceeded": 3}


@pytest.mark.parametrize(
    ("verb", "done", "status", "said"),
    [
        pytest.param("stop", "stopped", INTERRUPTED, "experiment exp was stopped after 0", id="stop"),
        pytest.param("delete", "deleted", FAILED, "experiment exp was deleted while it ran", id="delete"),
    ],
)
def test_wish_of_another_process(katib, tmp_path, verb, done, status, said):
    file = write(tmp_path, document(script=LONG))
    with started(tmp_path, "run", file) as process:
        trial_started(tmp_path)
        answer = katib(verb, "exp", "--timeout", "20")
        assert (answer.status, answer.out) == (OK, f"experiment.kubeflow.org/exp {done}\n")
        owner = process.end()
    assert owner.status == status
    assert said in owner.out + owner.err


def test_second_owner_is_refused(katib, tmp_path):
    file = write(tmp_path, document(script=LONG))
    with started(tmp_path, "run", file) as process:
        trial_started(tmp_path)
        answer = katib("run", file)
        assert answer.status == FAILED
        assert "error: experiment default/exp is run by" in answer.err
        assert "watch it with: katib get trials" in answer.err
        assert katib("stop", "exp").status == OK
        process.end()


def test_reader_that_leaves_does_not_end_the_run(katib, tmp_path):
    file = write(tmp_path, document())
    shell = 'set -o pipefail; "$@" | head -1'
    done = subprocess.run(
        ["bash", "-c", shell, "bash", *KATIB, "run", str(file)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (OK, "")
    assert trial_counts(katib) == {"trials": 3, "trialsSucceeded": 3}
