"""The client's methods on experiments and suggestions."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any

from katib.client.models import V1beta1Experiment, V1beta1ExperimentCondition, V1beta1OptimalTrial, V1beta1Suggestion
from katib.client.requests import TIMEOUT, Requests, holds, told
from katib.client.trees import as_document, as_tree
from katib.core.errors import KatibError
from katib.server.kinds import EXPERIMENT, SUGGESTION

log = logging.getLogger(__name__)

CONDITIONS = ("Created", "Running", "Restarting", "Succeeded", "Failed")


class ExperimentMethods(Requests):
    """Methods on experiments and suggestions. namespace: None for the client's. timeout: seconds that an answer is
    waited for. All raise RuntimeError with the reason if the request is refused or cannot be made, and TimeoutError if
    there is no answer in time."""

    def create_experiment(self, experiment: Any, namespace: str | None = None) -> None:
        """Create an experiment, which begins to run.

        experiment: a ``V1beta1Experiment``, a mapping, YAML text, the path of a file, or an object of another Katib
        client. namespace: None for the experiment's own, else the client's.

        Raises ValueError if it has no name, or is no document; AlreadyExistsError if there is one of that name.
        """
        try:
            tree = as_document(experiment)
        except KatibError as error:
            raise ValueError(f"experiment: {error}") from error
        metadata = dict(tree.get("metadata") or {})
        if "generate_name" in metadata:
            metadata.setdefault("generateName", metadata.pop("generate_name"))
        name = metadata.get("name") or metadata.get("generateName")
        if not name:
            raise ValueError("experiment: metadata.name or metadata.generateName is required")
        place = self._place(EXPERIMENT, namespace or metadata.get("namespace"), str(name))
        metadata["namespace"] = place.namespace
        named = {"apiVersion": EXPERIMENT.api_version, "kind": EXPERIMENT.name, **tree, "metadata": metadata}
        with told("create", place, TIMEOUT):
            created = self._backend.create(place._replace(name=""), named, TIMEOUT)
        log.info("created experiment %s/%s", place.namespace, created["metadata"]["name"])

    def get_experiment(self, name: str, namespace: str | None = None, timeout: float = TIMEOUT) -> V1beta1Experiment:
        """The experiment."""
        return self._get(V1beta1Experiment, self._place(EXPERIMENT, namespace, name), timeout)

    def list_experiments(self, namespace: str | None = None, timeout: float = TIMEOUT) -> list[V1beta1Experiment]:
        """All experiments of a namespace."""
        return self._list(V1beta1Experiment, self._place(EXPERIMENT, namespace), timeout)

    def get_experiment_conditions(
        self,
        name: str,
        namespace: str | None = None,
        experiment: V1beta1Experiment | None = None,
        timeout: float = TIMEOUT,
    ) -> list[V1beta1ExperimentCondition]:
        """What is and was true of an experiment, oldest first; none before it is looked at first. experiment: as it was
        read before, so that it is not read again."""
        found = experiment or self.get_experiment(name, namespace, timeout)
        return list((found.status.conditions if found.status else None) or [])

    def is_experiment_created(
        self,
        name: str,
        namespace: str | None = None,
        experiment: V1beta1Experiment | None = None,
        timeout: float = TIMEOUT,
    ) -> bool:
        """Whether it was taken up."""
        return holds(self.get_experiment_conditions(name, namespace, experiment, timeout), "Created")

    def is_experiment_running(
        self,
        name: str,
        namespace: str | None = None,
        experiment: V1beta1Experiment | None = None,
        timeout: float = TIMEOUT,
    ) -> bool:
        """Whether it runs."""
        return holds(self.get_experiment_conditions(name, namespace, experiment, timeout), "Running")

    def is_experiment_restarting(
        self,
        name: str,
        namespace: str | None = None,
        experiment: V1beta1Experiment | None = None,
        timeout: float = TIMEOUT,
    ) -> bool:
        """Whether it goes on after its end, with a larger budget."""
        return holds(self.get_experiment_conditions(name, namespace, experiment, timeout), "Restarting")

    def is_experiment_succeeded(
        self,
        name: str,
        namespace: str | None = None,
        experiment: V1beta1Experiment | None = None,
        timeout: float = TIMEOUT,
    ) -> bool:
        """Whether it is over, and well."""
        return holds(self.get_experiment_conditions(name, namespace, experiment, timeout), "Succeeded")

    def is_experiment_failed(
        self,
        name: str,
        namespace: str | None = None,
        experiment: V1beta1Experiment | None = None,
        timeout: float = TIMEOUT,
    ) -> bool:
        """Whether it is over, and failed."""
        return holds(self.get_experiment_conditions(name, namespace, experiment, timeout), "Failed")

    def wait_for_experiment_condition(
        self,
        name: str,
        namespace: str | None = None,
        expected_condition: str = "Succeeded",
        timeout: float = 600,
        polling_interval: float = 15,
        apiserver_timeout: float = TIMEOUT,
    ) -> V1beta1Experiment:
        """Wait until the experiment is in a condition: Created, Running, Restarting, Succeeded or Failed; returns it as
        it is then, as soon as it is.

        timeout: seconds at most. polling_interval: seconds after which it is asked for again, whatever is told of it.

        Raises ValueError for any other condition, TimeoutError if it is not in the condition after ``timeout``,
        RuntimeError if it fails while something else is waited for.
        """
        if expected_condition not in CONDITIONS:
            raise ValueError(f"expected_condition: got {expected_condition!r}, expected one of {', '.join(CONDITIONS)}")
        place, deadline = self._place(EXPERIMENT, namespace, name), time.monotonic() + timeout
        while True:
            experiment = self.get_experiment(name, namespace, apiserver_timeout)
            conditions = self.get_experiment_conditions(name, namespace, experiment)
            if holds(conditions, expected_condition):
                return experiment
            if holds(conditions, "Failed"):
                raise RuntimeError(f"Experiment {place.namespace}/{name} is Failed: {conditions[-1].message}")
            log.info("experiment %s/%s: %s", place.namespace, name, _counts(experiment))
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(
                    f"Experiment {place.namespace}/{name} is not {expected_condition} after {timeout:g} seconds"
                )
            seen = (experiment.metadata.resource_version if experiment.metadata else None) or ""
            with suppress(KatibError):  # the next look says what is wrong
                self._backend.await_change(place, seen, min(left, polling_interval))

    def edit_experiment_budget(
        self,
        name: str,
        namespace: str | None = None,
        max_trial_count: int | None = None,
        parallel_trial_count: int | None = None,
        max_failed_trial_count: int | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Change the budget of an experiment; one that is over goes on with more trials if its ``resumePolicy`` lets
        it. What is None stays. Raises ValueError if all are."""
        counts = {
            "maxTrialCount": max_trial_count,
            "parallelTrialCount": parallel_trial_count,
            "maxFailedTrialCount": max_failed_trial_count,
        }
        change = {field: count for field, count in counts.items() if count is not None}
        if not change:
            raise ValueError("give max_trial_count, parallel_trial_count or max_failed_trial_count")
        place = self._place(EXPERIMENT, namespace, name)
        with told("edit", place, timeout):
            self._backend.patch(place, {"spec": change}, timeout)

    def delete_experiment(self, name: str, namespace: str | None = None, delete_options: Any = None) -> None:
        """Delete an experiment with its trials: they are ended, then all is removed. Returns when that is begun.

        delete_options: a mapping, or a ``kubernetes.client.V1DeleteOptions``.
        """
        place = self._place(EXPERIMENT, namespace, name)
        with told("delete", place, TIMEOUT):
            self._backend.delete(place, as_tree(delete_options) or {}, TIMEOUT)

    def get_optimal_hyperparameters(
        self, name: str, namespace: str | None = None, timeout: float = TIMEOUT
    ) -> V1beta1OptimalTrial | None:
        """The best trial so far: its name, parameters and metrics; None before there is one."""
        status = self.get_experiment(name, namespace, timeout).status
        best = status.current_optimal_trial if status else None
        return best if best and best.observation and best.observation.metrics else None

    def get_suggestion(self, name: str, namespace: str | None = None, timeout: float = TIMEOUT) -> V1beta1Suggestion:
        """The suggestion of the experiment of that name."""
        return self._get(V1beta1Suggestion, self._place(SUGGESTION, namespace, name), timeout)

    def list_suggestions(self, namespace: str | None = None, timeout: float = TIMEOUT) -> list[V1beta1Suggestion]:
        """All suggestions of a namespace."""
        return self._list(V1beta1Suggestion, self._place(SUGGESTION, namespace), timeout)


def _counts(experiment: V1beta1Experiment) -> str:
    status = experiment.status
    if status is None:
        return "no status yet"
    return (
        f"{status.trials or 0} trials, {status.trials_running or 0} running, {status.trials_succeeded or 0} succeeded, "
        f"{status.trials_failed or 0} failed"
    )
