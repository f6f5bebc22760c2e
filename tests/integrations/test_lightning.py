"""The callback of Lightning's Trainer on real trainings."""

from __future__ import annotations

import pytest

from katib.core.errors import UnknownNameError
from katib.report import TrialStopped
from tests.integrations.needs import needs
from tests.integrations.reports import trial

needs("torch", "lightning")

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

from katib.integrations.lightning import KatibCallback

X = torch.linspace(-1, 1, 32).unsqueeze(1)
DATA = DataLoader(TensorDataset(X, 3 * X), batch_size=16)


class Line(LightningModule):
    def __init__(self, rate: float = 0.1):
        super().__init__()
        self.rate, self.layer, self.rates, self.epochs = rate, torch.nn.Linear(1, 1), [], []

    def training_step(self, batch, _):
        self.rates.append(self.optimizers().param_groups[0]["lr"])
        loss = torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def on_train_epoch_start(self):
        self.epochs.append(self.current_epoch)

    def validation_step(self, batch, _):
        self.log("val_loss", torch.nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate, momentum=0.5)


def fit(callback, folder, module=None, *, epochs=3, validate=True, **settings):
    module = module or Line()
    trainer = Trainer(
        max_epochs=epochs, callbacks=[callback], default_root_dir=folder, accelerator="cpu", devices=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, **settings,
    )  # fmt: skip
    trainer.fit(module, DATA, DATA if validate else None, ckpt_path=callback.checkpoint)
    return module


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
def test_reports_each_epoch(tmp_path, metrics, validate, names):
    with trial() as reports:
        fit(KatibCallback(metrics), tmp_path, validate=validate)
    assert reports.steps == [0, 1, 2]
    assert {name for _, values in reports.calls for name in values} == names
    losses = [sum(values.values()) for _, values in reports.calls]
    assert losses == sorted(losses, reverse=True)


def test_a_misspelt_metric_is_named(tmp_path):
    with pytest.raises(UnknownNameError, match=r"'val_los' \(did you mean 'val_loss'\?\)"), trial():
        fit(KatibCallback(["val_los"]), tmp_path)


def test_the_end_of_a_trial_ends_the_training(tmp_path):
    module = Line()
    with pytest.raises(TrialStopped), trial(stop_at=2) as reports:
        fit(KatibCallback(["val_loss"]), tmp_path, module, epochs=9)
    assert (reports.steps, module.epochs) == ([0, 1], [0, 1])


@pytest.mark.parametrize(
    ("name", "on_top", "epochs", "rate"),
    [
        pytest.param("first", False, [2], 0.1, id="next-attempt-goes-on"),
        pytest.param("other", False, [2], 0.01, id="a-child-counts-in-all"),
        pytest.param("other", True, [2, 3, 4], 0.01, id="a-child-counts-on-top"),
    ],
)
def test_goes_on_from_the_trials_folder(tmp_path, in_trial, name, on_top, epochs, rate):
    in_trial("first")
    before = fit(KatibCallback(), tmp_path, epochs=2)
    in_trial(name)
    module = Line(rate=0.01)
    with trial() as reports:
        fit(KatibCallback(["val_loss"], on_top=on_top), tmp_path, module, epochs=3)
    assert module.epochs == reports.steps == epochs
    assert set(module.rates) == {rate}
    assert before.layer.weight.item() != pytest.approx(module.layer.weight.item())
    again = Line()
    fit(KatibCallback(on_top=on_top), tmp_path, again, epochs=3)  # the child's own by now: nothing is left to do
    assert again.epochs == []
    assert again.layer.weight.item() == pytest.approx(module.layer.weight.item())
