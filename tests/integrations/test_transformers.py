"""The callback of Hugging Face's Trainer on real trainings of a tiny model."""

from __future__ import annotations

import shutil

import pytest

from katib.report import TrialStopped
from tests.integrations.needs import needs
from tests.integrations.reports import trial

needs("torch", "transformers", "accelerate")

import torch
from transformers import Trainer, TrainingArguments

from katib.integrations.transformers import KatibCallback, checkpoint_folder


class Line(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x, labels):
        y = self.layer(x)
        return {"loss": torch.nn.functional.mse_loss(y, labels), "logits": y}


DATA = [{"x": torch.tensor([i / 8]), "labels": torch.tensor([i / 4])} for i in range(8)]


def train(callback, folder, epochs=3):
    arguments = TrainingArguments(
        output_dir=str(checkpoint_folder(folder / "out")), num_train_epochs=epochs, eval_strategy="epoch",
        save_strategy="epoch", learning_rate=0.1, per_device_train_batch_size=4, report_to=[], disable_tqdm=True,
        use_cpu=True,
    )  # fmt: skip
    trainer = Trainer(Line(), arguments, train_dataset=DATA, eval_dataset=DATA, callbacks=[callback])
    trainer.train(resume_from_checkpoint=callback.checkpoint)
    return trainer


def test_reports_each_evaluation(tmp_path):
    with trial() as reports:
        train(KatibCallback(), tmp_path)
    assert reports.steps == [2, 4, 6]
    assert all(set(values) == {"eval_loss"} for _, values in reports.calls)
    with trial() as reports:
        train(KatibCallback({"loss": "eval_loss"}), tmp_path, epochs=1)
    assert set(reports.calls[0][1]) == {"loss"}


def test_the_end_of_a_trial_ends_the_training(tmp_path):
    with pytest.raises(TrialStopped), trial(stop_at=2) as reports:
        train(KatibCallback(), tmp_path, epochs=9)
    assert reports.steps == [2, 4]


def test_goes_on_from_the_newest_whole_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("KATIB_CHECKPOINT_DIR", str(tmp_path / "checkpoint"))
    callback = KatibCallback()
    assert callback.checkpoint is None
    train(callback, tmp_path, epochs=2)
    shutil.copytree(tmp_path / "checkpoint" / "checkpoint-2", tmp_path / "checkpoint" / "checkpoint-99")
    (tmp_path / "checkpoint" / "checkpoint-99" / "trainer_state.json").unlink()  # what a kill leaves
    assert callback.checkpoint.endswith("checkpoint-4")
    with trial() as reports:
        train(KatibCallback(), tmp_path)
    assert reports.steps == [6]
