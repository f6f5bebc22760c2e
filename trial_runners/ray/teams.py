"""The teams of function trials of several workers, as the controller sees them: one actor a trial, like commands."""

from __future__ import annotations

from typing import Any

import ray

from katib.core.trial import Attempt, AttemptId
from katib.resources import python_function
from trial_runners.ray import names
from trial_runners.ray.cluster import Cluster
from trial_runners.ray.command_actors import CommandActors
from trial_runners.ray.resources import Shape, shape_of
from trial_runners.ray.slots import Calls
from trial_runners.ray.workers import Team


class Teams(CommandActors):
    """Attempts wait until all of their workers are there."""

    def __init__(self, cluster: Cluster, calls: Calls) -> None:
        super().__init__(cluster)
        self._calls = calls
        self._objective: Any = ray.put(calls.objective)
        self.workers = python_function.needs(calls.document).workers

    def shape(self, id: AttemptId) -> Shape | None:
        """Of one worker."""
        return shape_of(self._calls.document)

    def _make(self, attempt: Attempt) -> ray.actor.ActorHandle[Any]:
        name = names.of_command(attempt.id, self._cluster.scope)
        needs = shape_of(self._calls.document), self.workers
        return self._cluster.create(
            Team, name, {"num_cpus": 0}, attempt, self._objective, self._calls.metric, self._cluster.place, needs
        )
