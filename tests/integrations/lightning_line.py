"""A training by Lightning of a line, for the tests of the callback."""

from __future__ import annotations

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

X = torch.linspace(-1, 1, 32).unsqueeze(1)
DATA = DataLoader(TensorDataset(X, 3 * X), batch_size=16)


class Line(LightningModule):
    def __init__(self, rate: float = 0.1):
        super().__init__()
        self.rate, self.layer, self.rates, self.epochs = rate, torch.nn.Linear(1, 1), [], []
        for part in self.layer.parameters():  # from drawn weights the loss of the last batch may rise at first
            torch.nn.init.zeros_(part)

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
