"""Runs trials as jobs of a Kubernetes cluster.

Read ``runner`` first (the port), then ``phases`` (what a job and its pods mean), ``cluster`` with ``mirror`` and
``api`` (what is known of the cluster, and how), ``log_follower`` with ``log_copy`` and ``log_entries`` (output without
loss or repeat), ``records`` (what is kept here) and ``manifest`` (what is made there).
"""

from __future__ import annotations

from trial_runners.kubernetes.runner import KubernetesRunner

__all__ = ["KubernetesRunner"]
