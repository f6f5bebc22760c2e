"""What a runner's attempts are given to: slots, teams of workers, or actors of commands."""

from __future__ import annotations

from katib.resources import python_function
from trial_runners.ray.cluster import Cluster
from trial_runners.ray.command_actors import CommandActors
from trial_runners.ray.slots import Calls, SlotPool
from trial_runners.ray.teams import Teams

Work = SlotPool | CommandActors | Teams


def work_for(cluster: Cluster, calls: Calls | None, parallel: int) -> Work:
    """calls: None if trials are commands."""
    if calls is None:
        return CommandActors(cluster)
    if python_function.needs(calls.document).workers > 1:
        return Teams(cluster, calls)
    return SlotPool(cluster, calls, parallel)
