"""The client's methods on trials."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from katib.client.backend import DB_MANAGER, Place
from katib.client.models import V1beta1Trial
from katib.client.requests import TIMEOUT, Requests, holds, told
from katib.core.objective import Measurement
from katib.server.kinds import TRIAL

EXPERIMENT_LABEL = "katib.kubeflow.org/experiment"


class MetricValue(NamedTuple):
    """One value. value: text, as the trial reported it."""

    name: str
    value: str


class MetricLog(NamedTuple):
    """One report of a trial. time_stamp: RFC 3339, UTC."""

    time_stamp: str
    metric: MetricValue


class TrialMethods(Requests):
    """Methods on trials. namespace: None for the client's. timeout: seconds that an answer is waited for. All raise
    RuntimeError with the reason if the request is refused or cannot be made, and TimeoutError if there is no answer in
    time."""

    def get_trial(self, name: str, namespace: str | None = None, timeout: float = TIMEOUT) -> V1beta1Trial:
        """The trial."""
        return self._get(V1beta1Trial, self._place(TRIAL, namespace, name), timeout)

    def list_trials(
        self, experiment_name: str | None = None, namespace: str | None = None, timeout: float = TIMEOUT
    ) -> list[V1beta1Trial]:
        """All trials of an experiment, or of the namespace."""
        labels = f"{EXPERIMENT_LABEL}={experiment_name}" if experiment_name else ""
        return self._list(V1beta1Trial, self._place(TRIAL, namespace), timeout, labels)

    def get_success_trial_details(
        self, experiment_name: str | None = None, namespace: str | None = None, timeout: float = TIMEOUT
    ) -> list[dict[str, Any]]:
        """Of each trial that succeeded a dict with ``name``, ``parameter_assignments`` and ``metrics``."""
        return [
            {
                "name": trial.metadata.name if trial.metadata else None,
                "parameter_assignments": trial.spec.parameter_assignments if trial.spec else None,
                "metrics": trial.status.observation.metrics if trial.status.observation else None,
            }
            for trial in self.list_trials(experiment_name, namespace, timeout)
            if trial.status and holds(trial.status.conditions or [], "Succeeded")
        ]

    def get_trial_metrics(
        self,
        name: str,
        namespace: str | None = None,
        db_manager_address: str = DB_MANAGER,
        timeout: float = TIMEOUT,
    ) -> list[MetricLog]:
        """All that a trial reported, in order of time: ``get_trial_metrics(...)[0].metric.value``.

        db_manager_address: HOST:PORT of the DBManager. Only a cluster needs it: in its default, ``katib serve`` is
        asked at port 6789 of its own machine, and a local store is read.
        """
        place = self._place(TRIAL, namespace, name)
        with told("get the metrics of", place, timeout):
            return [_logged(each) for each in self._backend.metrics(place, db_manager_address, timeout)]

    def get_job_logs(
        self, name: str, trial_name: str, follow: bool | None = False, namespace: str | None = None
    ) -> Iterator[str]:
        """The lines that a trial printed. name: of its experiment. follow: go on until the trial ends.

        Raises ValueError without names.
        """
        if not name or not trial_name:
            raise ValueError("name and trial_name are required")
        return self._logs(self._place(TRIAL, namespace, trial_name), bool(follow))

    def _logs(self, place: Place, follow: bool) -> Iterator[str]:
        with told("get the logs of", place, TIMEOUT):
            yield from self._backend.logs(place, follow)


def _logged(measurement: Measurement) -> MetricLog:
    time = datetime.fromtimestamp(measurement.time, UTC).isoformat().replace("+00:00", "Z")
    return MetricLog(time, MetricValue(measurement.metric, measurement.text))
