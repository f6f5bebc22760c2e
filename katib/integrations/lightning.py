"""A callback for Lightning's Trainer."""

from __future__ import annotations

import os
from typing import Any

from katib.core.errors import MissingExtraError
from katib.integrations.training import TRIAL_NAME, Wanted, checkpoint_folder, chosen
from katib.report import TrialStopped, report_metrics

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ModuleNotFoundError as error:
    raise MissingExtraError("lightning", "lightning") from error

FILE = "lightning.ckpt"


class KatibCallback(Callback):  # type: ignore[misc]
    """Reports the logged metrics to the running trial after each validation (after each epoch, where nothing is
    validated), with the epoch as the step; ends the training when the trial is to end; keeps a checkpoint in the
    trial's folder after each epoch. Give ``trainer.fit`` its ``checkpoint`` to go on from that.

    metrics: names of logged metrics, or a mapping from the name to report to the logged one; None for all. on_top:
    ``max_epochs`` is counted on top of the epochs of the trial that this one continues, as population based training
    wants it; False counts them in all, as Hyperband does. A trial that continues another one keeps its own
    hyperparameters of the optimizers, and takes over all else.
    """

    def __init__(self, metrics: Wanted = None, *, on_top: bool = False) -> None:
        self._metrics, self._on_top = metrics, on_top
        self._stopped: TrialStopped | None = None
        self._from_other_trial = False
        self._before = 0  # epochs of the trials that this one continues
        self._own_groups: list[list[dict[str, Any]]] = []

    @property
    def checkpoint(self) -> str | None:
        """For ``trainer.fit(model, ckpt_path=...)``: the file in the trial's folder, None if there is none yet."""
        folder = checkpoint_folder()
        file = folder / FILE if folder else None
        return str(file) if file and file.is_file() else None

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report, unless this is the check before the training."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._report(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Report where no validation did, and keep a checkpoint."""
        if not trainer.enable_validation:
            self._report(trainer)
        if folder := checkpoint_folder():
            trainer.save_checkpoint(folder / FILE)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let the trial's end through: what would follow the training is in vain."""
        if self._stopped is not None:
            raise self._stopped

    def state_dict(self) -> dict[str, Any]:
        """Whose checkpoint it is, and how many of its epochs are not that trial's own."""
        return {"trial": os.environ.get(TRIAL_NAME, ""), "before": self._before}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Note whether it is another trial's, and count from there if asked to."""
        saved = checkpoint.get("callbacks", {}).get(self.state_key, {})
        self._from_other_trial = saved.get("trial") != self.state_dict()["trial"]
        self._before = checkpoint["epoch"] + 1 if self._from_other_trial else saved["before"]
        if self._on_top and trainer.max_epochs not in (None, -1):
            trainer.fit_loop.max_epochs += self._before

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember what the optimizers were made with, before a checkpoint's values take its place."""
        self._own_groups = [[_settings(group) for group in each.param_groups] for each in trainer.optimizers]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put this trial's own settings back into optimizers that came from another one."""
        if not self._from_other_trial:
            return
        for optimizer, groups in zip(trainer.optimizers, self._own_groups, strict=True):
            for group, own in zip(optimizer.param_groups, groups, strict=True):
                group.update(own)

    def _report(self, trainer: Trainer) -> None:
        stop = False
        if trainer.is_global_zero:
            try:
                report_metrics(chosen(trainer.callback_metrics, self._metrics), step=trainer.current_epoch)
            except TrialStopped as stopped:
                self._stopped, stop = stopped, True
        trainer.should_stop = trainer.strategy.reduce_boolean_decision(stop, all=False) or trainer.should_stop


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}
