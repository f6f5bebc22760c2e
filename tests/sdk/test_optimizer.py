"""``katib.Optimizer``: asking and telling, from one thread and from many, to the end of the experiment."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import katib
from katib import search
from katib.core.changes import Changes, TrialChange
from katib.core.errors import ConflictError, FencedError, NotFoundError, PermanentError
from katib.core.experiment import Desired, Verdict
from katib.core.trial import FailureClass, Key, TrialState
from katib.engine import controller, lifecycle
from katib.storage import open_store

SPACE = {"x": search.double(-5, 5), "layers": search.int(1, 4)}
SIX = {"n": search.int(1, 3), "kind": search.categorical(["a", "b"])}
X = {"x": search.double(0, 1)}


def bowl(parameters):
    return (parameters["x"] - 1) ** 2 + parameters["layers"]


def work(optimizer, objective=bowl):
    """Ask and tell until there is no trial to come; the numbers of those told."""
    told = []
    while (trial := optimizer.ask()) is not None:
        optimizer.tell(trial, objective(trial.parameters))
        told.append(trial.number)
    return told


def in_thread(function, *arguments):
    """Call it in a thread of its own: a future of what it returns."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(function, *arguments)
    pool.shutdown(wait=False)
    return future


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/katib.db"


def stored(url, name):
    """(experiment, trials by number) as anybody else sees them."""
    store, _ = open_store(url)
    try:
        trials = sorted(store.trials(Key("default", name)), key=lambda trial: trial.number)
        return store.get(Key("default", name)), trials
    finally:
        store.close()


def test_it_finds_the_best_of_what_was_told():
    with katib.Optimizer(SPACE, max_trials=20, seed=1) as optimizer:
        assert optimizer.best is None
        assert work(optimizer) == list(range(20))
        best = optimizer.best
        assert optimizer.ask() is None
    values = [bowl(trial.parameters) for trial in optimizer.trials]
    assert optimizer.result.best_value == min(values)
    assert best == optimizer.best == optimizer.trials[values.index(min(values))]
    assert optimizer.result.experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    assert {trial.state for trial in optimizer.trials} == {TrialState.SUCCEEDED}


@pytest.mark.parametrize(
    "algorithm", ["random", pytest.param("bayesianoptimization", marks=pytest.mark.requires("skopt"))]
)
def test_it_tries_what_tune_tries(algorithm):
    tuned = katib.tune(bowl, SPACE, max_trials=12, runner="inline", seed=3, algorithm=algorithm)
    with katib.Optimizer(SPACE, max_trials=12, seed=3, algorithm=algorithm) as optimizer:
        work(optimizer)
    assert [t.parameters for t in optimizer.trials] == [t.parameters for t in tuned.trials]


def test_a_trial_is_plain_data():
    with katib.Optimizer(SPACE, max_trials=1, seed=1) as optimizer:
        trial = optimizer.ask()
        (record,) = optimizer.trials
        assert (trial.number, trial.name, trial.parameters) == (0, record.name, record.parameters)
        assert trial.name.startswith(f"{optimizer.name}-")
        assert (trial.attempt, trial.parent, trial.checkpoint) == (1, None, None)
        assert trial.labels["auto/algorithm"] == "sobol"  # one trial: there is nothing to learn from
        assert {type(value) for value in trial.parameters.values()} == {float, int}


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_both_directions(direction):
    with katib.Optimizer(SPACE, max_trials=10, seed=1, direction=direction, metric="loss") as optimizer:
        work(optimizer)
    values = [bowl(trial.parameters) for trial in optimizer.trials]
    assert optimizer.result.best_value == (min if direction == "minimize" else max)(values)


@pytest.mark.parametrize("kept", [False, True], ids=["memory", "sqlite"])
def test_many_threads_get_each_trial_once(kept, url):
    out, most = [0], [0]
    lock = threading.Lock()

    def client(optimizer):
        told = []
        while (trial := optimizer.ask()) is not None:
            with lock:
                out[0] += 1
                most[0] = max(most[0], out[0])
            time.sleep(trial.parameters["x"] / 1000)
            with lock:
                out[0] -= 1
            record = optimizer.tell(trial, trial.parameters["x"])
            assert record.state is TrialState.SUCCEEDED
            told.append((trial.number, trial.name))
        return told

    with katib.Optimizer(
        X, max_trials=300, parallel=8, algorithm="random", store=url if kept else None, seed=1
    ) as optimizer:
        with ThreadPoolExecutor(24) as pool:
            futures = [pool.submit(client, optimizer) for _ in range(24)]
        told = [each for future in futures for each in future.result()]
    assert sorted(number for number, _ in told) == list(range(300))
    assert len({name for _, name in told}) == 300
    assert [trial.number for trial in optimizer.trials] == list(range(300))
    assert Counter(trial.state for trial in optimizer.trials) == {TrialState.SUCCEEDED: 300}
    assert most[0] <= 8


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(3, 3.0, id="integer"),
        pytest.param(np.float32(0.5), 0.5, id="numpy"),
        pytest.param({"objective": 2, "other": 1}, 2.0, id="dict"),
    ],
)
def test_what_may_be_told(value, expected):
    with katib.Optimizer(X, max_trials=1) as optimizer:
        record = optimizer.tell(optimizer.ask(), value)
    assert (record.state, record.observation["objective"].latest) == (TrialState.SUCCEEDED, expected)


@pytest.mark.parametrize("name", ["goal", "max_duration", "max_trial_duration"])
def test_numbers_of_numpy_are_kept_as_numbers(url, name):
    with katib.Optimizer(X, max_trials=1, store=url, name="e", **{name: np.float32(9.5)}) as optimizer:
        assert work(optimizer, lambda parameters: 10.0) == [0]


def test_several_objectives():
    targets = {"accuracy": "maximize", "latency": "minimize"}
    with katib.Optimizer(X, max_trials=2, objectives=targets, constraints=["memory < 1"]) as optimizer:
        trial = optimizer.ask()
        with pytest.raises(ValueError, match="latency was measured, but not 'accuracy'"):
            optimizer.tell(trial, {"latency": 1})
        optimizer.report(trial, 0.5)
        record = optimizer.tell(trial, {"latency": 3, "memory": 0.5})
        assert (record.state, record.observation["accuracy"].latest) == (TrialState.SUCCEEDED, 0.5)
        assert optimizer.tell(optimizer.ask(), {"accuracy": 1}).state is TrialState.METRICS_UNAVAILABLE
    assert optimizer.best == record


def test_a_trial_that_takes_too_long_loses_its_place(monkeypatch):
    monkeypatch.setattr(controller, "STOP_GRACE_SECONDS", 0.1)
    with katib.Optimizer(X, max_trials=2, max_trial_duration=0.2) as optimizer:
        mine = (threading.current_thread(), optimizer._owner.thread)
        monkeypatch.setattr(threading, "enumerate", lambda: mine)
        late = optimizer.ask()
        trial = optimizer.ask()
        assert (late.number, trial.number) == (0, 1)
        assert optimizer.should_stop(late)
        assert optimizer.tell(late, 1).failure is FailureClass.TIME_OUT
        assert optimizer.tell(trial, 1).state is TrialState.SUCCEEDED


def test_nan_is_no_value():
    with katib.Optimizer(X, max_trials=1) as optimizer:
        record = optimizer.tell(optimizer.ask(), float("nan"))
    assert record.state is TrialState.METRICS_UNAVAILABLE
    assert "nan" in record.reason
    assert optimizer.best is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param({"value": "0.5"}, "value: got '0.5', expected a number", id="text"),
        pytest.param({"value": True}, r"got True \(bool\), expected a number", id="truth value"),
        pytest.param({"value": [0.5]}, r"got \[0.5\] \(list\), expected a number", id="list"),
        pytest.param({"value": None}, "nothing was measured, but not 'objective'", id="nothing"),
        pytest.param({"value": {"loss": 1}}, "loss was measured, but not 'objective'", id="another metric"),
        pytest.param({"state": "over"}, "state: got 'over', expected 'succeeded' or 'failed'", id="state"),
    ],
)
def test_what_may_not_be_told(arguments, text):
    with katib.Optimizer(X, max_trials=1) as optimizer:
        trial = optimizer.ask()
        with pytest.raises(ValueError, match=text):
            optimizer.tell(trial, **arguments)
        with pytest.raises(ValueError, match="expected"):
            optimizer.report(trial, {"objective": "low"})
        assert not optimizer.should_stop(trial)
        assert optimizer.tell(trial, 1).state is TrialState.SUCCEEDED


@pytest.mark.parametrize(
    ("arguments", "reason", "message"),
    [
        pytest.param({}, "told to have failed", "", id="no reason"),
        pytest.param({"reason": "no\0 memory"}, "no\\0 memory", "", id="text"),
        pytest.param({"reason": ValueError("x")}, "ValueError: x", "ValueError: x\n", id="exception"),
        pytest.param({"value": 0.5}, "told to have failed", "", id="with a value"),
    ],
)
def test_a_failure(arguments, reason, message):
    with katib.Optimizer(X, max_trials=2) as optimizer:
        record = optimizer.tell(optimizer.ask(), state="failed", **arguments)
        assert (record.state, record.failure) == (TrialState.FAILED, FailureClass.USER_ERROR)
        assert (record.reason, record.message) == (reason, message)
        assert record.measured == ("value" in arguments)
        assert optimizer.best is None
        assert optimizer.ask().number == 1


def test_too_many_failures_end_it():
    with katib.Optimizer(X, max_trials=20, max_failed=3) as optimizer:
        while (trial := optimizer.ask()) is not None:
            optimizer.tell(trial, state="failed")
    assert optimizer.result.experiment.status.verdict is Verdict.FAILED
    assert len(optimizer.trials) == 3


def test_a_trial_is_told_once():
    with katib.Optimizer(X, max_trials=3) as optimizer:
        trial = optimizer.ask()
        optimizer.tell(trial, 1)
        for again in (lambda: optimizer.tell(trial, 2), lambda: optimizer.report(trial, 2)):
            with pytest.raises(PermanentError, match=f"trial {trial.name} was told before, it is Succeeded"):
                again()
        for foreign in (replace(trial, name="other-bcdfghjk"), replace(trial, number=7)):
            with pytest.raises(NotFoundError, match="was not asked for here"):
                optimizer.tell(foreign, 1)
        assert optimizer.should_stop(trial)
    assert optimizer.trials[0].observation["objective"].latest == 1


def test_two_who_tell_the_same_trial():
    with katib.Optimizer(X, max_trials=40, parallel=2) as optimizer, ThreadPoolExecutor(2) as pool:

        def tell(trial, value):
            try:
                return optimizer.tell(trial, value).observation["objective"].latest
            except PermanentError:
                return None

        while (trial := optimizer.ask()) is not None:
            told = list(pool.map(tell, [trial, trial], [1, 2]))
            assert sorted(told, key=str) in ([1, None], [2, None])
    assert Counter(trial.state for trial in optimizer.trials) == {TrialState.SUCCEEDED: 40}
    assert {trial.measured for trial in optimizer.trials} == {1}


def test_it_is_in_the_store_when_a_call_returns(url):
    with katib.Optimizer(X, max_trials=5, store=url, name="exact") as optimizer:
        trial = optimizer.ask()
        assert stored(url, "exact")[1][0].state is TrialState.RUNNING
        optimizer.report(trial, {"objective": 0.5, "other": 1}, step=0)
        assert stored(url, "exact")[1][0].measured == 2
        record = optimizer.tell(trial, 0.25)
        assert stored(url, "exact")[1][0] == record
        assert record.observation["objective"].minimum == 0.25


MEDIAN = {"early_stopping": "medianstop", "early_stopping_settings": {"min_trials_required": 3, "start_step": 4}}


@pytest.mark.parametrize("value", [None, 8.5], ids=["nothing", "a value"])
def test_a_hopeless_trial_is_stopped_at_a_report(value):
    with katib.Optimizer(X, max_trials=5, metric="loss", **MEDIAN) as optimizer:
        for _ in range(3):
            trial = optimizer.ask()
            for step in range(6):
                optimizer.report(trial, 1.0, step)
                assert not optimizer.should_stop(trial)
            assert optimizer.tell(trial).state is TrialState.SUCCEEDED
        hopeless = optimizer.ask()
        stops = []
        for step in range(6):
            optimizer.report(hopeless, {"loss": 9.0}, step)
            stops.append(optimizer.should_stop(hopeless))
        assert stops == [False, False, False, True, True, True]
        record = optimizer.tell(hopeless, value)
        assert record.state is TrialState.EARLY_STOPPED
        assert "median" in record.reason
        assert record.observation["loss"].minimum == (value or 9.0)
        assert optimizer.tell(optimizer.ask(), 1.0).number == 4


def test_one_that_does_not_heed_a_stop_loses_its_place(monkeypatch):
    monkeypatch.setattr(controller, "STOP_GRACE_SECONDS", 0.1)
    with katib.Optimizer(X, max_trials=5, metric="loss", **MEDIAN) as optimizer:
        for _ in range(3):
            trial = optimizer.ask()
            for step in range(6):
                optimizer.report(trial, 1.0, step)
            optimizer.tell(trial)
        hopeless = optimizer.ask()
        for step in range(6):
            optimizer.report(hopeless, 9.0, step)
        last = optimizer.ask()
        assert last.number == 4
        optimizer.report(hopeless, 0.1, 6)
        assert optimizer.tell(hopeless, 0.1).state is TrialState.EARLY_STOPPED
        assert optimizer.tell(last, 1).state is TrialState.SUCCEEDED
    assert optimizer.result.best_value == 1.0


def test_a_space_that_is_used_up_ends_it():
    with katib.Optimizer(SIX, parallel=4, seed=1) as optimizer:
        with ThreadPoolExecutor(6) as pool:
            told = [pool.submit(work, optimizer, lambda p: p["n"]) for _ in range(6)]
        assert sorted(number for future in told for number in future.result()) == list(range(6))
        assert optimizer.result.experiment.status.verdict is Verdict.SEARCH_EXHAUSTED
        assert len({(t.parameters["n"], t.parameters["kind"]) for t in optimizer.trials}) == 6


def test_the_last_trials_are_out():
    with katib.Optimizer(X, max_trials=3, parallel=3) as optimizer:
        trials = [optimizer.ask() for _ in range(5)]
        assert [trial and trial.number for trial in trials] == [0, 1, 2, None, None]
        for trial in trials[:3]:
            optimizer.tell(trial, 1)
    assert optimizer.result.experiment.status.verdict is Verdict.MAX_TRIALS_REACHED


def test_a_goal_ends_it_for_all():
    with katib.Optimizer(X, max_trials=50, parallel=4, goal=0.5) as optimizer:
        first, second, third, fourth = [optimizer.ask() for _ in range(4)]
        waiting = in_thread(optimizer.ask)
        assert optimizer.tell(first, 0.4).state is TrialState.SUCCEEDED
        assert waiting.result(5) is None
        assert optimizer.ask() is None
        assert all(optimizer.should_stop(trial) for trial in (second, third, fourth))
        assert optimizer.tell(second, 0.3).state is TrialState.SUCCEEDED
        assert optimizer.tell(third).state is TrialState.KILLED
        assert optimizer.tell(fourth, state="failed").state is TrialState.KILLED
        assert optimizer.ask() is None
    assert optimizer.result.experiment.status.verdict is Verdict.GOAL_REACHED
    assert optimizer.result.best_value == 0.3


def test_one_told_after_the_end_is_killed(monkeypatch):
    monkeypatch.setattr(controller, "STOP_GRACE_SECONDS", 0.1)
    with katib.Optimizer(X, max_trials=50, parallel=2, goal=0.5) as optimizer:
        first, second = optimizer.ask(), optimizer.ask()
        optimizer.tell(first, 0.4)
        until(lambda: optimizer.result.experiment.status.verdict)
        assert optimizer.should_stop(second)
        assert optimizer.tell(second, 0.1).state is TrialState.KILLED
        optimizer.report(second, 0.1)
    assert optimizer.result.best_value == 0.4


HYPERBAND = {"algorithm": "hyperband", "algorithm_settings": {"resource_name": "epochs", "r_l": 9}, "seed": 1}
EPOCHS = {"x": search.double(0, 1), "epochs": search.int(1, 9)}


def test_a_promoted_trial_continues_its_parent(tmp_path):
    with katib.Optimizer(EPOCHS, max_trials=40, folder=tmp_path, parallel=3, **HYPERBAND) as optimizer:

        def train(trial):
            file = trial.checkpoint / "epochs"
            done = int(file.read_text()) if file.exists() else 0
            file.write_text(str(trial.parameters["epochs"]))
            optimizer.tell(trial, {"objective": trial.parameters["x"], "continued": done})
            return trial

        def client():
            trained = []
            while (trial := optimizer.ask()) is not None:
                trained.append(train(trial))
            return trained

        with ThreadPoolExecutor(3) as pool:
            asked = [trial for future in [pool.submit(client) for _ in range(3)] for trial in future.result()]
    records = optimizer.trials
    promoted = [trial for trial in asked if trial.parent is not None]
    assert len(promoted) == sum(record.parent is not None for record in records) >= 2
    for trial in promoted:
        assert records[trial.number].parent == trial.parent
        assert records[trial.number].observation["continued"].latest == records[trial.parent].parameters["epochs"]
        assert trial.labels == records[trial.number].labels
        assert trial.parameters["x"] == records[trial.parent].parameters["x"]


def test_a_checkpoint_that_cannot_be_made_gives_the_trial_back(tmp_path):
    (tmp_path / "file").touch()
    with katib.Optimizer(X, max_trials=2, folder=tmp_path / "file") as optimizer:
        with pytest.raises(OSError, match="Not a directory"):
            optimizer.ask()
        (tmp_path / "file").unlink()
        trial = optimizer.ask()
        assert (trial.number, trial.attempt, trial.checkpoint.is_dir()) == (0, 1, True)


def test_ask_waits_for_a_place():
    with katib.Optimizer(X, max_trials=10, parallel=2) as optimizer:
        trials = [optimizer.ask(), optimizer.ask()]
        waiting = in_thread(optimizer.ask)
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        optimizer.tell(trials[1], 1)
        assert waiting.result(30).number == 2


@pytest.mark.parametrize("seconds", [0, 0.1])
def test_ask_waits_no_longer_than_it_may(seconds):
    with katib.Optimizer(X, max_trials=10, parallel=2) as optimizer:
        trials = [optimizer.ask(timeout=seconds), optimizer.ask(timeout=seconds)]
        with pytest.raises(TimeoutError, match=f"no trial to ask for within {seconds} s"):
            optimizer.ask(timeout=seconds)
        optimizer.tell(trials[0], 1)
        assert optimizer.ask(timeout=seconds).number == 2


@pytest.mark.parametrize(
    ("arguments", "places"),
    [
        pytest.param({"space": X, "parallel": 2}, 2, id="all places are out"),
        pytest.param({"space": EPOCHS, "parallel": 20, **HYPERBAND}, 20, id="the algorithm waits"),
    ],
)
def test_a_wait_without_end_is_an_error(arguments, places, monkeypatch):
    with katib.Optimizer(max_trials=50, **arguments) as optimizer:
        mine = (threading.current_thread(), optimizer._owner.thread)
        monkeypatch.setattr(threading, "enumerate", lambda: mine)  # the test run has threads of its own
        with pytest.raises(PermanentError, match="tell one first, or ask with a timeout"):
            [optimizer.ask() for _ in range(places + 1)]
        record = optimizer.trials[0]
        optimizer.tell(katib.AskedTrial(record.number, record.name, dict(record.parameters)), 1)
        assert optimizer.ask(timeout=30) is not None


def test_an_interrupted_ask_loses_no_trial():
    with katib.Optimizer(X, max_trials=3) as optimizer:
        first = optimizer.ask()
        killer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
        killer.start()
        with pytest.raises(KeyboardInterrupt):
            optimizer.ask()
        killer.join()
        optimizer.tell(first, 1)
        assert work(optimizer, lambda p: p["x"]) == [1, 2]


def test_closed_while_others_wait(url):
    optimizer = katib.Optimizer(X, max_trials=10, parallel=2, store=url, name="closing")
    first, second = optimizer.ask(), optimizer.ask()
    waiting = [in_thread(optimizer.ask) for _ in range(3)]
    optimizer.tell(first, 1)
    until(lambda: any(future.done() for future in waiting))
    optimizer.close()
    optimizer.close()
    (third,) = [trial for trial in (future.result(30) for future in waiting) if trial]
    for late in (lambda: optimizer.tell(second, 1), lambda: optimizer.report(third, 1)):
        with pytest.raises(PermanentError, match="attempt 1 was interrupted; it runs again as attempt 2"):
            late()
    assert optimizer.ask() is None
    assert optimizer.should_stop(second)
    assert [(t.state, t.attempt, t.failures) for t in stored(url, "closing")[1]] == [
        (TrialState.SUCCEEDED, 1, {}),
        (TrialState.PENDING, 2, {}),
        (TrialState.PENDING, 2, {}),
    ]
    assert len(optimizer.trials) == 3


def test_what_was_not_given_out_keeps_its_attempt(url):
    with katib.Optimizer(X, max_trials=5, parallel=3, store=url, name="rest") as optimizer:
        optimizer.ask()
    assert [trial.attempt for trial in optimizer.trials] == [2, 1, 1]
    with katib.Optimizer(X, max_trials=5, parallel=3, store=url, name="rest") as optimizer:
        asked = [optimizer.ask() for _ in range(3)]
        assert [(trial.number, trial.attempt) for trial in asked] == [(0, 2), (1, 1), (2, 1)]


def test_a_wish_to_stop_from_elsewhere(url):
    store, _ = open_store(url)
    with katib.Optimizer(X, max_trials=10, parallel=2, store=url, name="wish") as optimizer:
        first, second = optimizer.ask(), optimizer.ask()
        waiting = in_thread(optimizer.ask)
        lifecycle.want(store, Key("default", "wish"), Desired.STOP)
        assert waiting.result(30) is None
        assert optimizer.should_stop(first)
        assert optimizer.tell(first, 1).state is TrialState.SUCCEEDED
        record = optimizer.tell(second)
        assert (record.state, record.attempt) == (TrialState.PENDING, 2)
        assert optimizer.ask() is None
        until(lambda: optimizer.result.experiment.status.stopped)
    with katib.Optimizer(X, max_trials=10, parallel=2, store=url, name="wish") as optimizer:
        assert (optimizer.ask().number, optimizer.ask().number) == (1, 2)
    store.close()


def test_a_second_one_in_this_process_takes_over(url):
    first = katib.Optimizer(X, max_trials=4, parallel=2, store=url, name="twice")
    out, told = first.ask(), first.ask()
    first.tell(told, 1)
    second = katib.Optimizer(X, max_trials=4, parallel=2, store=url, name="twice")
    for act in (lambda: first.tell(out, 1), first.ask, lambda: first.report(out, 1)):
        with pytest.raises(FencedError):
            act()
    assert first.should_stop(out)
    first.close()
    again = second.ask()
    assert (again.number, again.name, again.attempt) == (out.number, out.name, 2)
    second.tell(again, 2)
    assert work(second, lambda p: 3) == [2, 3]
    second.close()
    assert [t.observation["objective"].latest for t in second.trials] == [2, 1, 3, 3]


def test_a_trial_that_is_lost_too_often_has_failed(url):
    owners = []
    for attempt in range(1, 5):
        owners.append(katib.Optimizer(X, max_trials=2, max_failed=1, store=url, name="lost"))
        trial = owners[-1].ask()
        assert (trial.number, trial.attempt) == (0, attempt)
    with katib.Optimizer(X, max_trials=2, max_failed=1, store=url, name="lost") as last:
        assert work(last, lambda p: p["x"]) == [1]
    assert [(trial.state, trial.failure) for trial in last.trials] == [
        (TrialState.FAILED, FailureClass.LOST),
        (TrialState.SUCCEEDED, None),
    ]
    for owner in owners:
        owner.close()


def test_a_store_that_was_written_by_others_ends_it(url):
    store, _ = open_store(url)
    with katib.Optimizer(X, max_trials=4, parallel=2, store=url, name="foreign") as optimizer:
        trial = optimizer.ask()
        record = store.trials(Key("default", "foreign"))[0]
        store.commit(Changes(Key("default", "foreign"), trials=(TrialChange(record),)))
        with pytest.raises(ConflictError, match="holds what its owner did not write"):
            optimizer.tell(trial, 1)
    store.close()
