"""The callback of Lightning's Trainer on real trainings."""

from __future__ import annotations

import importlib

import pytest

from katib.core.errors import UnknownNameError
from katib.report import TrialStopped
from tests.integrations.needs import needs
from tests.integrations.reports import trial


@pytest.fixture(scope="module")
def line():
    """The trainings; loaded when a test runs, since that takes seconds that collecting tests should not."""
    needs("torch", "lightning")
    return importlib.import_module("tests.integrations.lightning_line")


@pytest.fixture(scope="module")
def Callback(line):
    return importlib.import_module("katib.integrations.lightning").KatibCallback


@pytest.fixture
def in_trial(tmp_path, monkeypatch):
    """Makes this process the trial of a name, with a checkpoint folder that trials of this test hand on."""

    def be(name):
        monkeypatch.setenv("KATIB_TRIAL_NAME", name)
        monkeypatch.setenv("KATIB_CHECKPOINT_DIR", str(tmp_path / "checkpoint"))

    return be


@pytest.mark.parametrize(
    ("metrics", "validate", "names"),
    [
        pytest.param(["val_loss"], True, {"val_loss"}, id="one"),
        pytest.param({"loss": "val_loss"}, True, {"loss"}, id="by-another-name"),
        pytest.param(None, False, {"train_loss"}, id="no-validation"),
    ],
)
def test_reports_each_epoch(line, Callback, tmp_path, metrics, validate, names):
    with trial() as reports:
        line.fit(Callback(metrics), tmp_path, validate=validate)
    assert reports.steps == [0, 1, 2]
    assert {name for _, values in reports.calls for name in values} == names
    losses = [sum(values.values()) for _, values in reports.calls]
    assert losses == sorted(losses, reverse=True)


def test_a_misspelt_metric_is_named(line, Callback, tmp_path):
    with pytest.raises(UnknownNameError, match=r"'val_los' \(did you mean 'val_loss'\?\)"), trial():
        line.fit(Callback(["val_los"]), tmp_path)


def test_the_end_of_a_trial_ends_the_training(line, Callback, tmp_path):
    module = line.Line()
    with pytest.raises(TrialStopped), trial(stop_at=2) as reports:
        line.fit(Callback(["val_loss"]), tmp_path, module, epochs=9)
    assert (reports.steps, module.epochs) == ([0, 1], [0, 1])


@pytest.mark.parametrize(
    ("name", "on_top", "epochs", "rate"),
    [
        pytest.param("first", False, [2], 0.1, id="next-attempt-goes-on"),
        pytest.param("other", False, [2], 0.01, id="a-child-counts-in-all"),
        pytest.param("other", True, [2, 3, 4], 0.01, id="a-child-counts-on-top"),
    ],
)
def test_goes_on_from_the_trials_folder(line, Callback, tmp_path, in_trial, name, on_top, epochs, rate):
    in_trial("first")
    before = line.fit(Callback(), tmp_path, epochs=2)
    in_trial(name)
    module = line.Line(rate=0.01)
    with trial() as reports:
        line.fit(Callback(["val_loss"], on_top=on_top), tmp_path, module, epochs=3)
    assert module.epochs == reports.steps == epochs
    assert set(module.rates) == {rate}
    assert before.layer.weight.item() != pytest.approx(module.layer.weight.item())
    again = line.Line()
    line.fit(Callback(on_top=on_top), tmp_path, again, epochs=3)  # the child's own by now: nothing is left to do
    assert again.epochs == []
    assert again.layer.weight.item() == pytest.approx(module.layer.weight.item())
