"""Experiments in MLflow: what its client reads back."""

from __future__ import annotations

import threading

import pytest

from katib.core.errors import NotFoundError
from tests.integrations.needs import needs
from tests.integrations.study import EPOCHS, run_trials, trials_of

needs("mlflow")

from mlflow import MlflowClient

from katib.integrations.mlflow import log_experiment


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    """A tracking database, which takes seconds to make."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/katib.db"


def runs_of(uri, id):
    """Number of trial -> run."""
    return {int(run.data.tags["katib.number"]): run for run in MlflowClient(uri).search_runs([id])}


def curve(uri, run, metric="loss"):
    return [(each.step, each.value) for each in MlflowClient(uri).get_metric_history(run.info.run_id, metric)]


def test_every_trial_is_a_run(uri, url):
    run_trials(url, "whole")
    id = log_experiment("whole", uri, store=url)
    runs = runs_of(uri, id)
    assert [runs[n].info.status for n in range(3)] == ["FINISHED", "FAILED", "FINISHED"]
    assert [len(curve(uri, runs[n])) for n in range(3)] == [EPOCHS, 2, EPOCHS]
    assert [step for step, _ in curve(uri, runs[0])] == [0, 1, 2]
    assert curve(uri, runs[0], "extra") == [(0, 1.0)]  # the others were no numbers
    rate = float(runs[0].data.params["rate"])
    assert runs[0].data.metrics["katib.value"] == pytest.approx(rate + 1 / 3)
    assert runs[1].data.tags["katib.reason"] == "broken"
    assert set(runs[0].data.params) == {"rate", "layers", "mode"}
    best = min((0, 2), key=lambda n: runs[n].data.metrics["katib.value"])
    assert [n for n in range(3) if runs[n].data.tags.get("katib.best") == "true"] == [best]
    experiment = MlflowClient(uri).get_experiment(id)
    assert experiment.name == "default/whole"
    assert experiment.tags["mlflow.note.content"].startswith("# Best trial of whole")


def test_once_more_adds_what_is_new_and_repeats_nothing(uri, url):
    run_trials(url, "more")
    id = log_experiment("more", uri, store=url)
    before = {n: curve(uri, run) for n, run in runs_of(uri, id).items()}
    assert log_experiment("more", uri, store=url) == id
    assert {n: curve(uri, run) for n, run in runs_of(uri, id).items()} == before
    run_trials(url, "more", max_trials=6)
    log_experiment("more", uri, store=url)
    runs = runs_of(uri, id)
    assert sorted(runs) == list(range(6))
    assert {n: curve(uri, runs[n]) for n in before} == before
    assert sum(run.data.tags.get("katib.best") == "true" for run in runs.values()) == 1


def test_follows_an_experiment_to_its_end(uri, url):
    trials = trials_of(url, "live", 3)
    first = next(trials)
    ids = []
    follower = threading.Thread(target=lambda: ids.append(log_experiment("live", uri, store=url, follow=True)))
    follower.start()
    client = MlflowClient(uri)
    while not (known := client.get_experiment_by_name("default/live")) or not (
        running := [run for run in client.search_runs([known.experiment_id]) if "loss" in run.data.metrics]
    ):
        assert follower.is_alive()
    assert [(run.info.run_name, run.info.status) for run in running] == [(first, "RUNNING")]
    for _ in trials:
        pass
    follower.join(60)
    runs = runs_of(uri, ids[0])
    assert [runs[n].info.status for n in range(3)] == ["FINISHED", "FAILED", "FINISHED"]
    assert [len(curve(uri, runs[n])) for n in range(3)] == [EPOCHS, 2, EPOCHS]


def test_no_such_experiment(uri, url):
    with pytest.raises(NotFoundError):
        log_experiment("none", uri, store=url)
