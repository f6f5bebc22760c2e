"""Experiments in TensorBoard: what its own reader and its hparams plugin make of the files."""

from __future__ import annotations

import json

import pytest

from katib.cli.main import main
from tests.integrations.needs import needs
from tests.integrations.study import EPOCHS, run_trials, trials_of

needs("tensorboard")

from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.hparams_plugin import HParamsPlugin
from werkzeug.test import Client

from katib.integrations.tensorboard import write_experiment


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/katib.db"


def curves(place, tag="loss"):
    """Folder of a trial -> its points."""
    found = {}
    for folder in sorted(place.iterdir()):
        if folder.is_dir():
            reader = EventAccumulator(str(folder)).Reload()
            found[folder.name] = [(e.step, e.value) for e in reader.Scalars(tag)]
    return found


def sessions(place):
    """What the page of the hparams plugin gets: (parameters, losses, status) of each trial."""
    reader = EventMultiplexer().AddRunsFromDirectory(str(place))
    reader.Reload()
    plugin = HParamsPlugin(TBContext(data_provider=MultiplexerDataProvider(reader, str(place))))
    wanted = {
        "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"],
        "colParams": [{"metric": {"tag": "loss"}}],
        "aggregationType": "AGGREGATION_AVG",
        "sliceSize": 100,
    }
    answer = Client(plugin.get_plugin_apps()["/session_groups"]).post("/", json=wanted)
    assert answer.status_code == 200, answer.text
    return {
        group["name"]: (
            group["hparams"],
            [each["value"] for each in group["metricValues"] if each["name"]["tag"] == "loss"],
            group["sessions"][0]["status"],
        )
        for group in json.loads(answer.text)["sessionGroups"]
    }


def test_curves_and_hyperparameters(tmp_path, url):
    run_trials(url)
    place = write_experiment("study", tmp_path / "runs", store=url)
    assert place == tmp_path / "runs" / "default" / "study"
    found = curves(place)
    assert sorted(map(len, found.values())) == [2, EPOCHS, EPOCHS]
    assert all([step for step, _ in points] == list(range(len(points))) for points in found.values())
    shown = sessions(place)
    assert set(shown) == set(found)
    for trial, (parameters, (loss,), status) in shown.items():
        assert set(parameters) == {"rate", "layers", "mode"}
        assert loss == pytest.approx(found[trial][-1][1])
        assert loss == pytest.approx(parameters["rate"] + 1 / len(found[trial]))
        assert status == ("STATUS_FAILURE" if len(found[trial]) == 2 else "STATUS_SUCCESS")


def test_once_more_replaces_its_own_files_alone(tmp_path, url):
    run_trials(url)
    place = write_experiment("study", tmp_path, store=url)
    before = curves(place)
    foreign = next(place.glob("*/")) / "events.out.tfevents.1.other"
    foreign.touch()
    run_trials(url, max_trials=5)
    write_experiment("study", tmp_path, store=url)
    after = curves(place)
    assert before.items() <= after.items()
    assert len(after) == 5
    assert foreign.exists()


def test_a_running_trial_is_shown(tmp_path, url):
    trials = trials_of(url, "study", 2)
    name = next(trials)
    place = write_experiment("study", tmp_path, store=url)
    assert [step for step, _ in curves(place)[name]] == [0]
    trials.close()


def test_publish_on_the_command_line(tmp_path, url, capsys):
    run_trials(url)
    assert main(["publish", "study", "--tensorboard", str(tmp_path / "runs"), "--store", url, "-f"]) == 0
    assert f"tensorboard --logdir {tmp_path / 'runs'}" in capsys.readouterr().out
    assert len(curves(tmp_path / "runs" / "default" / "study")) == 3
    assert main(["publish", "study", "--store", url]) == 2
    assert "give --mlflow URI or --tensorboard FOLDER" in capsys.readouterr().err
