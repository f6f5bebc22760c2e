"""A callback for XGBoost: ``xgb.train``, ``xgb.cv`` and the estimators."""

from __future__ import annotations

from typing import Any

from katib.core.errors import MissingExtraError
from katib.integrations.training import Wanted, chosen
from katib.report import report_metrics

try:
    from xgboost import collective
    from xgboost.callback import TrainingCallback
except ModuleNotFoundError as error:
    raise MissingExtraError("xgboost", "xgboost") from error


class KatibCallback(TrainingCallback):  # type: ignore[misc]
    """Reports each boosting round to the running trial, with the round as the step. A trial that is to end ends here.

    metrics: names as XGBoost prints them (``validation_0-logloss``, of ``cv`` ``test-logloss``, which is the mean of
    the folds), or a mapping from the name to report to XGBoost's; None for all.
    """

    def __init__(self, metrics: Wanted = None) -> None:
        super().__init__()
        self._metrics = metrics

    def after_iteration(self, model: Any, epoch: int, evals_log: dict[str, dict[str, list[Any]]]) -> bool:
        """Report the newest values; never ends the training by itself."""
        measured = {
            f"{data}-{metric}": _mean(values[-1])
            for data, metrics in evals_log.items()
            for metric, values in metrics.items()
        }
        if measured and collective.get_rank() == 0:
            report_metrics(chosen(measured, self._metrics), step=epoch)
        return False


def _mean(value: Any) -> Any:
    """Of ``cv``: (mean, standard deviation)."""
    return value[0] if isinstance(value, tuple) else value
