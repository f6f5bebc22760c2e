"""``katib wait``: conditions of experiments and trials, in time, too late and never."""

from __future__ import annotations

import json
import re
import signal

import psutil
import pytest

from katib.cli.exits import FAILED, NOT_FOUND, OK, TIME_OUT, USAGE
from katib.cli.values import Duration
from katib.cli.wait import CONDITIONS
from tests.cli.command_line import document, started, until, write


@pytest.fixture
def trial(katib, finished):
    return katib("get", "trials", finished, "-o", "name").out.split()[0].rpartition("/")[2]


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ("condition=Succeeded", OK),
        ("condition=succeeded", OK),
        ("Condition=Succeeded=true", OK),
        ("condition=Running=false", OK),
        ("complete", OK),
        ("condition=complete", OK),
        ("condition=Created", OK),
        ("create", OK),
        ("condition=Failed", FAILED),
        ("condition=Running", FAILED),
        ("condition=Succeeded=false", FAILED),
        ("condition=Restarting", FAILED),
        ("delete", TIME_OUT),
    ],
)
def test_of_an_ended_experiment(katib, finished, wish, status):
    answer = katib("wait", finished, "--for", wish, "--timeout", "0.2s")
    assert answer.status == status
    if status == OK:
        word = "created" if wish == "create" else "condition met"
        assert answer.out == f"experiment.kubeflow.org/exp {word}\n"
    else:
        said = "cannot come true any more" if status == FAILED else "timed out waiting for delete on"
        assert said in answer.err


@pytest.mark.parametrize("wish", ["condition=Succeeded", "complete", "condition=running=false"])
def test_of_a_trial(katib, trial, wish):
    for words in ((f"trial/{trial}",), ("trials", trial), (trial,)):
        assert katib("wait", *words, f"--for={wish}").out == f"trial.kubeflow.org/{trial} condition met\n"


def test_of_a_trial_that_ended_otherwise(katib, trial):
    answer = katib("wait", trial, "--for=condition=EarlyStopped", "--timeout=1h")
    assert answer.status == FAILED
    assert "has ended (Succeeded)" in answer.err


def test_of_several(katib, finished, trial):
    answer = katib("wait", "exp/exp", f"trial/{trial}", "--for=complete")
    assert answer.out.splitlines() == [
        "experiment.kubeflow.org/exp condition met",
        f"trial.kubeflow.org/{trial} condition met",
    ]
    assert katib("wait", finished, "nope", "--for=complete").status == NOT_FOUND


def test_output(katib, finished, trial):
    assert json.loads(katib("wait", finished, "--for=complete", "-o", "json").out)["kind"] == "Experiment"
    assert json.loads(katib("wait", trial, "--for=complete", "-o", "json").out)["kind"] == "Trial"
    assert katib("wait", finished, "--for=complete", "-o", "name").out == "experiment.kubeflow.org/exp\n"


def test_from_its_creation_to_its_deletion(katib, tmp_path):
    """Each step is waited for by a process of its own that has begun before."""
    file = write(tmp_path, document(script="sleep 1; echo loss=1"))
    create_it = ("wait", "exp", "--for=create", "--timeout=1m")
    with started(tmp_path, *create_it) as create, started(tmp_path, "run", file) as run:
        assert create.end().out == "experiment.kubeflow.org/exp created\n"
        assert katib("wait", "exp", "--for=condition=Running").status == OK
        with started(tmp_path, "wait", "exp", "--for=condition=Stopped") as stopped:
            assert katib("stop", "exp").status == OK
            assert stopped.end().status == OK
        run.end()
    with started(tmp_path, "wait", "exp", "--for=delete") as deleted:
        assert katib("delete", "exp").status == OK
        assert deleted.end().out == "experiment.kubeflow.org/exp deleted\n"


def test_of_one_that_fails_it_does_not_wait_for_the_time_to_pass(katib, tmp_path):
    file = write(tmp_path, document(script="sleep 1; exit 3", maxFailedTrialCount=1))
    with started(tmp_path, "run", file) as run:
        until(lambda: katib("get", "exp", "exp").status == OK, "the experiment")
        answer = katib("wait", "exp", "--for=condition=Succeeded", "--timeout=-1s")
        assert answer.status == FAILED
        assert "has ended (ExperimentFailed); condition=Succeeded cannot come true any more" in answer.err
        run.end()


def test_interrupted(katib, tmp_path, finished):
    with started(tmp_path, "wait", finished, "--for=delete", "--timeout=-1s") as wait:
        files = psutil.Process(wait.popen.pid).open_files
        until(lambda: any("katib.db" in file.path for file in files()), "its look at the store")
        wait.signal(signal.SIGINT)
        assert wait.end().status == 130


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        pytest.param(("nope", "--for=complete"), NOT_FOUND, "no experiment 'nope'", id="unknown"),
        pytest.param(("trial/nope", "--for=complete"), NOT_FOUND, "no trial 'nope'", id="unknown trial"),
        pytest.param(("exp", "--for=condition=Succeded"), USAGE, "(did you mean 'Succeeded'?)", id="misspelt"),
        pytest.param(("exp", "--for=ready"), USAGE, "expected condition=TYPE, complete", id="no condition"),
        pytest.param(("exp", "--for=condition=Failed=maybe"), USAGE, "expected condition=TYPE", id="no status"),
        pytest.param(("exp",), USAGE, "--for", id="nothing asked for"),
        pytest.param(("exp", "--for=complete", "--timeout=soon"), USAGE, "such as 90s, 5m or 1h30m", id="time"),
        pytest.param(("jobs/x", "--for=complete"), USAGE, "unknown kind 'jobs'", id="kind"),
    ],
)
def test_errors(katib, words, status, message):
    answer = katib("wait", *words)
    assert (answer.status, answer.out) == (status, "")
    assert message in answer.err


def test_what_is_not_there_is_deleted(katib):
    assert katib("wait", "nope", "--for=delete").out == "experiment.kubeflow.org/nope deleted\n"
    assert katib("wait", "trial/nope", "--for=delete").out == "trial.kubeflow.org/nope deleted\n"


def test_every_condition_is_in_the_help(katib):
    text = re.sub(r"\s+", " ", katib("wait", "--help").out)
    assert all(condition in text for condition in CONDITIONS)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("0", 0), ("1.5", 1.5), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25)],
)
def test_durations(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "s", "5x", "1h30", "nan", "inf", "1 m", "-5s", "-1"])
def test_no_durations(text):
    with pytest.raises(Exception, match="expected a length of time"):
        Duration().convert(text, None, None)
    if text.startswith("-"):
        assert Duration(endless=True).convert(text, None, None) is None
