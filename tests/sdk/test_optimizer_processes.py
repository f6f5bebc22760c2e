"""``katib.Optimizer`` and other processes: one that dies, one that has the experiment, one that is a copy."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import katib
from katib import search
from katib.cli.main import main
from katib.core.errors import LeaseHeldError, PermanentError, SpecError, UnknownNameError
from katib.core.experiment import Verdict
from katib.core.trial import FailureClass, TrialState
from katib.engine.retries import can_go_on
from katib.storage import sqlite

ROOT = Path(__file__).parents[2]
X = {"x": search.double(0, 1)}

# Asks for three trials, tells the first, reports the second, says so, and waits.
OWNER = """
import sys, katib
space, budget = {"x": katib.search.double(0, 1)}, {"max_trials": 6, "parallel": 3, "algorithm": "random"}
optimizer = katib.Optimizer(space, **budget, seed=1, store=sys.argv[1], name="study")
trials = [optimizer.ask() for _ in range(3)]
optimizer.tell(trials[0], 0.5)
optimizer.report(trials[1], 0.7, step=0)
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/katib.db"


@contextmanager
def owner(url):
    """A process that has the experiment and three trials of it."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, url], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()


def study(url, **rest):
    usual = {"max_trials": 6, "parallel": 3, "algorithm": "random", "store": url, "name": "study"}
    return katib.Optimizer(X, **{**usual, **rest})


def finish(optimizer):
    asked = []
    while (trial := optimizer.ask()) is not None:
        optimizer.tell(trial, trial.parameters["x"])
        asked.append((trial.number, trial.attempt))
    return asked


def test_after_kill_9_untold_trials_are_given_out_again(url):
    with owner(url) as process:
        process.kill()
        process.wait()
        with study(url) as optimizer:
            before = optimizer.trials
            assert finish(optimizer) == [(1, 2), (2, 2), (3, 1), (4, 1), (5, 1)]
    assert before[0].observation["objective"].latest == 0.5
    assert optimizer.trials[0] == before[0]
    assert [trial.name for trial in optimizer.trials[:3]] == [trial.name for trial in before[:3]]
    assert [trial.parameters for trial in optimizer.trials[:3]] == [trial.parameters for trial in before[:3]]
    assert [trial.failures for trial in optimizer.trials] == [{}, *2 * [{FailureClass.LOST: 1}], {}, {}, {}]
    assert [trial.measured for trial in optimizer.trials] == [1] * 6
    assert Counter(trial.state for trial in optimizer.trials) == {TrialState.SUCCEEDED: 6}
    with katib.Optimizer(X, max_trials=6, parallel=3, algorithm="random", seed=1) as unbroken:
        finish(unbroken)
    assert [t.parameters for t in optimizer.trials] == [t.parameters for t in unbroken.trials]


def test_one_that_leaves_without_closing_gives_its_trials_back(url):
    with owner(url) as process:
        process.communicate("\n", timeout=60)
        with study(url) as optimizer:
            assert [(optimizer.ask().number, trial.attempt, trial.failures) for trial in optimizer.trials[1:3]] == [
                (1, 2, {}),
                (2, 2, {}),
            ]


@pytest.mark.parametrize("wait", [0, 0.3])
def test_a_second_process_is_refused(url, wait):
    with owner(url):
        began = time.monotonic()
        with pytest.raises(LeaseHeldError, match="is run by"):
            study(url, wait=wait, max_trials=50)
        assert time.monotonic() - began >= wait
        with study(url, name="another") as optimizer:
            assert optimizer.ask().number == 0


def test_a_refused_process_changes_nothing(url):
    with owner(url):
        with pytest.raises(LeaseHeldError):
            study(url, max_trials=50, parallel=1)
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            assert database.execute("SELECT generation FROM experiments").fetchall() == [(1,)]


def test_a_second_process_may_wait(url):
    with owner(url) as process:
        threading.Timer(0.5, process.kill).start()
        with study(url, wait=60) as optimizer:
            assert optimizer.ask().number == 1


FORKED = """
import os, sys, katib
from katib.core.errors import PermanentError
optimizer = katib.Optimizer({"x": katib.search.double(0, 1)}, store=sys.argv[1], name="forked", algorithm="random")
trial = optimizer.ask()
child = os.fork()
if not child:
    for act in (optimizer.ask, lambda: optimizer.tell(trial, 1), lambda: optimizer.report(trial, 1)):
        try:
            act()
        except PermanentError as error:
            print(error, flush=True)
    sys.exit()  # runs what is registered for the end of a process
assert os.waitpid(child, 0)[1] == 0
print(optimizer.tell(trial, 1).state)
optimizer.close()
"""


def test_a_fork_cannot_use_it(url):
    done = subprocess.run(
        [sys.executable, "-c", FORKED, url], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    lines = done.stdout.splitlines()
    assert [line.startswith("this optimizer lives in process") for line in lines] == [True, True, True, False]
    assert lines[-1] == "Succeeded"


def test_it_goes_on_with_more_trials(url):
    with study(url, max_trials=2) as optimizer:
        assert finish(optimizer) == [(0, 1), (1, 1)]
    assert can_go_on(optimizer.result.experiment)
    with study(url, max_trials=2) as optimizer:
        assert optimizer.ask() is None
        assert optimizer.best is not None
    with study(url, max_trials=4, parallel=1) as optimizer:
        assert finish(optimizer) == [(2, 1), (3, 1)]
    assert optimizer.result.experiment.budget.parallel == 1
    assert [trial.state for trial in optimizer.trials] == [TrialState.SUCCEEDED] * 4


def test_one_that_reached_its_goal_is_over(url):
    with study(url, goal=1) as optimizer:
        optimizer.tell(optimizer.ask(), 0.5)
        assert optimizer.ask() is None
    with study(url, goal=1, max_trials=100) as optimizer:
        assert optimizer.ask() is None
        with pytest.raises(PermanentError, match="was not asked for here"):
            optimizer.tell(katib.AskedTrial(0, optimizer.trials[0].name, {}), 1)
    assert optimizer.result.experiment.status.verdict is Verdict.GOAL_REACHED


@pytest.mark.parametrize(
    ("other", "what"),
    [
        pytest.param({"space": {"x": search.double(0, 2)}}, "space", id="space"),
        pytest.param({"metric": "loss"}, "metric, direction or goal", id="metric"),
        pytest.param({"direction": "maximize"}, "metric, direction or goal", id="direction"),
        pytest.param({"algorithm": "sobol"}, "algorithm", id="algorithm"),
        pytest.param({"early_stopping": "medianstop"}, "early_stopping", id="early stopping"),
        pytest.param({"seed": 2}, "seed", id="seed"),
    ],
)
def test_another_search_of_the_same_name_is_refused(url, other, what):
    with study(url, seed=1):
        pass
    same = {"max_trials": 6, "store": url, "name": "study", "seed": 1, "algorithm": "random"}
    with pytest.raises(SpecError, match=f"name: experiment 'study' exists with another {what}; expected the same"):
        katib.Optimizer(other.pop("space", X), **{**same, **other})
    with study(url) as optimizer:
        assert optimizer.result.experiment.spec.seed == 1


def test_an_experiment_of_the_command_line_is_refused(url, tmp_path, capsys):
    with study(url) as optimizer:
        optimizer.ask()
    assert main(["resume", "study", "--store", url]) == 2
    assert "go on with katib.Optimizer(..., name='study')" in capsys.readouterr().err
    assert main(["get", "trials", "study", "--store", url]) == 0
    assert optimizer.trials[0].name in capsys.readouterr().out


def test_a_store_that_does_not_answer_is_waited_for(url, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.05)
    with study(url) as optimizer, closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        trial = optimizer.ask()
        database.isolation_level = None
        database.execute("BEGIN IMMEDIATE")
        told = []
        teller = threading.Thread(target=lambda: told.append(optimizer.tell(trial, 1)))
        teller.start()
        time.sleep(0.3)
        assert not told
        database.execute("ROLLBACK")
        teller.join(30)
        assert [record.state for record in told] == [TrialState.SUCCEEDED]


def test_closing_does_not_wait_for_ever(url, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.05)
    monkeypatch.setattr("katib.sdk.owner.CLOSE_SECONDS", 0.1)
    optimizer = study(url)
    optimizer.ask()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        optimizer.close()
    with study(url) as again:
        trial = again.ask()
        assert (trial.number, trial.attempt) == (0, 2)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"space": {}}, "space: got {}, expected a mapping"),
        ({"max_trials": 0}, "max_trials: got 0, expected an integer >= 1 or None"),
        ({"parallel": 0}, "parallel: got 0, expected an integer >= 1"),
        ({"store": "katib.db"}, "store: got 'katib.db', expected a URL such as sqlite:///katib.db or None"),
        ({"name": "My Study"}, "name: got 'My Study', expected at most 40 of a-z, 0-9 and '-'"),
        ({"wait": -1}, "wait: got -1, expected a number of seconds >= 0"),
        ({"folder": 3}, "folder: got 3, expected a path or None"),
        ({"early_stopping_settings": {"start_step": 3}}, "early_stopping_settings: given without early_stopping"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_arguments(wrong, text):
    with pytest.raises(SpecError) as caught:
        katib.Optimizer(**{"space": X, **wrong})
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"algorithm": "randon"}, "did you mean 'random'"),
        ({"early_stopping": "mediumstop"}, "did you mean 'medianstop'"),
        ({"store": "sqlit:///katib.db"}, "did you mean 'sqlite'"),
    ],
)
def test_unknown_names(wrong, text):
    before = threading.active_count()
    with pytest.raises(UnknownNameError) as caught:
        katib.Optimizer(X, **wrong)
    assert text in str(caught.value)
    assert threading.active_count() == before


WAITING = """
import katib
optimizer = katib.Optimizer({"x": katib.search.int(1, 9)}, algorithm="random")
optimizer.ask()
print("out", flush=True)
optimizer.ask(timeout=60)
"""


def test_ctrl_c_ends_a_program_that_waits():
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout.readline() == b"out\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in errors
    assert process.returncode == -signal.SIGINT
