"""A callback for the Trainer of Hugging Face's transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from katib.core.errors import MissingExtraError
from katib.integrations.training import Wanted, checkpoint_folder, chosen
from katib.report import TrialStopped, report_metrics

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
except ModuleNotFoundError as error:
    raise MissingExtraError("transformers", "transformers") from error

__all__ = ["KatibCallback", "checkpoint_folder"]

_SPEEDS = ("_runtime", "_per_second", "_jit_compilation_time", "_model_preparation_time")
_STATE = "trainer_state.json"  # what the Trainer writes into a checkpoint towards its end


class KatibCallback(TrainerCallback):  # type: ignore[misc]
    """Reports the metrics of each evaluation to the running trial, with the training's step, and ends the training when
    the trial is to end.

    metrics: names of the Trainer's metrics (``eval_loss``), or a mapping from the name to report to the Trainer's; None
    for all but times and speeds. With ``output_dir=checkpoint_folder("out")`` the Trainer's checkpoints lie in the
    trial's folder; ``trainer.train(resume_from_checkpoint=callback.checkpoint)`` goes on from there.
    """

    def __init__(self, metrics: Wanted = None) -> None:
        self._metrics = metrics
        self._stopped: TrialStopped | None = None

    @property
    def checkpoint(self) -> str | None:
        """The newest whole checkpoint in the trial's folder, None if there is none yet."""
        folder = checkpoint_folder()
        found = [state.parent for state in folder.glob(f"checkpoint-*/{_STATE}")] if folder else []
        return str(max(found, key=_step)) if found else None

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, Any],
        **_: Any,
    ) -> None:
        """Report what was measured."""
        if not state.is_world_process_zero:
            return
        measured = {name: value for name, value in metrics.items() if name != "epoch" and not name.endswith(_SPEEDS)}
        try:
            report_metrics(chosen(measured, self._metrics), step=state.global_step)
        except TrialStopped as stopped:
            self._stopped = stopped
            control.should_training_stop = True

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Let the trial's end through: what would follow the training is in vain."""
        if self._stopped is not None:
            raise self._stopped


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1
