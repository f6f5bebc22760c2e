"""The client's methods do the same wherever experiments are."""

from __future__ import annotations

import threading
import time
from datetime import datetime

import pytest

import katib
from katib.client.backend import DB_MANAGER
from katib.core.errors import AlreadyExistsError
from tests.server.documents import experiment


def until(true, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="session")
def address(client, request):
    return request.getfixturevalue("served").grpc if client.namespace != "at-local" else DB_MANAGER


@pytest.fixture(scope="session")
def done(client):
    """An experiment that is over."""
    client.create_experiment(experiment("done", trials=3))
    return client.wait_for_experiment_condition("done", timeout=30)


def test_an_experiment_is_read_in_katibs_models(client, done):
    assert type(done) is katib.V1beta1Experiment
    assert (done.spec.max_trial_count, done.spec.parameters[0].feasible_space.max) == (3, "1")
    assert (done.status.trials, done.status.trials_succeeded) == (3, 3)
    assert isinstance(done.status.completion_time, datetime)
    assert done.status.completion_time >= done.status.start_time
    assert [each.metadata.name for each in client.list_experiments()] == ["done"]
    assert client.get_experiment("done").to_dict()["spec"]["max_trial_count"] == 3


@pytest.mark.parametrize(
    ("asked", "holds"),
    [("created", True), ("running", False), ("restarting", False), ("succeeded", True), ("failed", False)],
)
def test_conditions(client, done, asked, holds):
    method = getattr(client, f"is_experiment_{asked}")
    assert method("done") is method("done", experiment=done) is holds
    assert {each.type for each in client.get_experiment_conditions("done") if each.status == "True"} >= {"Succeeded"}


def test_trials_and_their_metrics(client, done, address):
    trials = client.list_trials("done")
    assert len(trials) == len(client.list_trials()) == 3
    assert client.list_trials("nobody") == []
    for trial in trials:
        value = trial.spec.parameter_assignments[0].value
        assert client.get_trial(trial.metadata.name) == trial
        (logged,) = client.get_trial_metrics(trial.metadata.name, db_manager_address=address)
        assert (logged.metric.name, logged.metric.value) == ("loss", value)
        assert trial.status.start_time.timestamp() <= datetime.fromisoformat(logged.time_stamp).timestamp()
    details = client.get_success_trial_details("done")
    assert {each["metrics"][0].latest for each in details} == {
        each["parameter_assignments"][0].value for each in details
    }
    best = client.get_optimal_hyperparameters("done")
    assert type(best) is katib.V1beta1OptimalTrial
    assert best.parameter_assignments[0].value == min((each["metrics"][0].latest for each in details), key=float)


def test_suggestions(client, done):
    (suggestion,) = client.list_suggestions()
    assert type(suggestion) is katib.V1beta1Suggestion
    assert suggestion.status.suggestion_count == len(suggestion.status.suggestions) == 3
    assert client.get_suggestion("done") == suggestion


def test_waiting_ends_with_the_experiment_not_with_the_interval(client):
    client.create_experiment(experiment("awaited", trials=2, seconds=1.0))
    assert client.get_optimal_hyperparameters("awaited") is None
    began = time.monotonic()
    client.wait_for_experiment_condition("awaited", polling_interval=60, timeout=60)
    assert time.monotonic() - began < 20
    client.delete_experiment("awaited")
    until(lambda: "awaited" not in [each.metadata.name for each in client.list_experiments()])


def test_waiting_in_vain(client, done):
    with pytest.raises(TimeoutError, match="not Failed after"):
        client.wait_for_experiment_condition("done", expected_condition="Failed", timeout=0.2)
    with pytest.raises(ValueError, match="Succeded"):
        client.wait_for_experiment_condition("done", expected_condition="Succeded")
    broken = experiment("broken")
    broken["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]["command"] = [
        "sh", "-c", "exit 1", "${trialParameters.x}"
    ]  # fmt: skip
    client.create_experiment(broken | {"spec": broken["spec"] | {"maxFailedTrialCount": 1}})
    with pytest.raises(RuntimeError, match="is Failed"):
        client.wait_for_experiment_condition("broken", timeout=30)
    assert client.wait_for_experiment_condition("broken", expected_condition="Failed", timeout=30).status


def test_the_budget_is_edited(client):
    tree = experiment("edited", trials=2)
    tree["spec"]["resumePolicy"] = "LongRunning"
    client.create_experiment(tree)
    client.wait_for_experiment_condition("edited", timeout=30)
    client.edit_experiment_budget("edited", max_trial_count=4)
    until(lambda: client.get_experiment("edited").status.trials_succeeded == 4)
    with pytest.raises(ValueError, match="max_trial_count"):
        client.edit_experiment_budget("edited")
    with pytest.raises(RuntimeError, match="maxTrialCount"):
        client.edit_experiment_budget("edited", max_trial_count=-1)


def test_what_a_trial_printed(client, done):
    for trial in client.list_trials("done"):
        lines = list(client.get_job_logs("done", trial.metadata.name))
        assert lines == [f"loss={trial.spec.parameter_assignments[0].value}"]
    with pytest.raises(RuntimeError, match="not found"):
        list(client.get_job_logs("done", "done-12345678"))


def test_the_output_is_followed_to_its_end(client):
    tree = experiment("followed", trials=1)
    container = tree["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"][0]
    container["command"][2] = "echo one; sleep 1; echo two; echo loss=${trialParameters.x}"
    client.create_experiment(tree | {"spec": tree["spec"] | {"parallelTrialCount": 1}})
    until(lambda: any(trial.status.start_time for trial in client.list_trials("followed")))
    (trial,) = client.list_trials("followed")
    lines = client.get_job_logs("followed", trial.metadata.name, follow=True)
    assert next(lines) == "one"
    assert not client.is_experiment_succeeded("followed")
    assert [line.partition("=")[0] for line in lines] == ["two", "loss"]
    client.delete_experiment("followed")


def test_names_are_generated(client):
    client.create_experiment(experiment("", generate_name="some-") | {"metadata": {"generate_name": "some-"}})
    (found,) = [each for each in client.list_experiments() if each.metadata.name.startswith("some-")]
    client.delete_experiment(found.metadata.name, delete_options={"gracePeriodSeconds": 0})


def unknown_field():
    tree = experiment("unknown")
    tree["spec"]["maxTrialCont"] = 3
    return tree


@pytest.mark.parametrize(
    ("call", "error", "word"),
    [
        (lambda c: c.get_experiment("nobody"), RuntimeError, 'experiments.kubeflow.org "nobody" not found'),
        (lambda c: c.get_suggestion("nobody"), RuntimeError, "nobody"),
        (lambda c: c.get_trial("nobody"), RuntimeError, "nobody"),
        (lambda c: c.edit_experiment_budget("nobody", max_trial_count=2), RuntimeError, "not found"),
        (lambda c: c.delete_experiment("nobody"), RuntimeError, "not found"),
        (lambda c: c.create_experiment(experiment("done")), AlreadyExistsError, "done"),
        (lambda c: c.create_experiment(unknown_field()), RuntimeError, "did you mean 'maxTrialCount'"),
        (lambda c: c.create_experiment({"spec": {}}), ValueError, "metadata.name"),
        (lambda c: c.create_experiment(5), ValueError, "int"),
        (lambda c: c.create_experiment({"metadata": {"name": "empty"}}), RuntimeError, "spec.objective"),
        (lambda c: c.get_job_logs("done", ""), ValueError, "trial_name"),
    ],
)
def test_errors_carry_the_reason(client, done, call, error, word):
    with pytest.raises(error) as raised:
        call(client)
    assert word in str(raised.value)
    assert isinstance(raised.value, RuntimeError) is (error is RuntimeError)


def test_many_threads_use_one_client(client, done):
    found = []
    threads = [threading.Thread(target=lambda: found.append(client.get_experiment("done"))) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(found) == 8
