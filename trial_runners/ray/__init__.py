"""Trials as actors of a Ray cluster: plain actors, detached, with deterministic names (``names``).

On the nodes: a ``slot`` calls functions, trial after trial; a ``command_actor`` runs one command with the local
runner's means; both leave all that is to be known in the attempt's folder (``journal``), which the node's ``agent``
reads. At the controller: ``connection`` joins or starts a Ray, ``slots`` and ``command_actors`` hold the actors,
``agents`` asks each node once an interval, and ``runner`` is the port over them.
"""

from __future__ import annotations

from trial_runners.ray.runner import RayRunner

__all__ = ["RayRunner"]
