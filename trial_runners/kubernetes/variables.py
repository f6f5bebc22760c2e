"""What the containers of an attempt are told of it."""

from __future__ import annotations

from katib.core.trial import Attempt
from trial_runners.kubernetes.names import TRIAL_LABEL
from trial_runners.kubernetes.pods import Tree, variable


def trial_variables(attempt: Attempt, *, labelled: bool = True) -> tuple[Tree, ...]:
    """Which attempt it is. labelled: the pod has Katib's labels, so the trial's name is a reference to one, as Katib
    has it; where pods may lack them it is the name itself."""
    name = {
        "name": "KATIB_TRIAL_NAME",
        "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{TRIAL_LABEL}']"}},
    }
    return (
        name if labelled else variable("KATIB_TRIAL_NAME", attempt.id.trial),
        variable("KATIB_NAMESPACE", attempt.id.key.namespace),
        variable("KATIB_EXPERIMENT_NAME", attempt.id.key.name),
        variable("KATIB_ATTEMPT", str(attempt.id.attempt)),
        variable("KATIB_SEED", str(attempt.seed)),
    )
