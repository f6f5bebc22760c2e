"""A callback for LightGBM: ``lgb.train``, ``lgb.cv`` and the estimators."""

from __future__ import annotations

from katib.core.errors import MissingExtraError
from katib.integrations.training import Wanted, chosen
from katib.report import report_metrics

try:
    from lightgbm.callback import CallbackEnv
except ModuleNotFoundError as error:
    raise MissingExtraError("lightgbm", "lightgbm") from error


class KatibCallback:
    """Reports each boosting round to the running trial, with the round as the step. A trial that is to end ends here.

    metrics: names ``DATA-METRIC`` (``valid_0-l2``, of ``cv`` ``valid-l2``, which is the mean of the folds), or a
    mapping from the name to report to LightGBM's; None for all.
    """

    order = 5  # before early stopping, which ends a training by an exception
    before_iteration = False

    def __init__(self, metrics: Wanted = None) -> None:
        self._metrics = metrics

    def __call__(self, env: CallbackEnv) -> None:
        """Report the newest values."""
        measured = {f"{each[0]}-{each[1]}": each[2] for each in env.evaluation_result_list or ()}
        if measured:
            report_metrics(chosen(measured, self._metrics), step=env.iteration)
