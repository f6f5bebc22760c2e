"""Where trials run: one module a runner, all of them behind ``katib.core.ports.Runner``.

Runners are looked up by name (``katib.core.naming.load``), so that a heavy one is imported only if it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

RUNNERS: Mapping[str, str] = {
    "local": "trial_runners.local:LocalRunner",
    "process": "trial_runners.process:ProcessRunner",
    "inline": "trial_runners.inline:InlineRunner",
    "ray": "trial_runners.ray:RayRunner",
    "kubernetes": "trial_runners.kubernetes:KubernetesRunner",
}
