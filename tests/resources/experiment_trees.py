"""A small valid Experiment as a tree, and edits of it: what the tests of documents begin with."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

from katib.resources.validation import Known

EXAMPLES = Path(__file__).parent / "examples"
KNOWN = Known(
    algorithms=(
        *("random", "grid", "bayesianoptimization", "tpe", "multivariate-tpe", "cmaes", "sobol", "hyperband", "pbt"),
        *("enas", "darts"),
    ),
    stoppers=("medianstop",),
)
GONE = object()

_TREE: dict[str, Any] = {
    "apiVersion": "kubeflow.org/v1beta1",
    "kind": "Experiment",
    "metadata": {"name": "digits"},
    "spec": {
        "objective": {"type": "minimize", "objectiveMetricName": "loss", "additionalMetricNames": ["accuracy"]},
        "algorithm": {"algorithmName": "random"},
        "maxTrialCount": 12,
        "parameters": [
            {"name": "lr", "parameterType": "double", "feasibleSpace": {"min": "0.01", "max": "0.05"}},
            {"name": "layers", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "5"}},
            {"name": "batch", "parameterType": "discrete", "feasibleSpace": {"list": ["64", "32"]}},
            {"name": "optimizer", "parameterType": "categorical", "feasibleSpace": {"list": ["sgd", "adam"]}},
        ],
        "trialTemplate": {
            "primaryContainerName": "trainer",
            "trialParameters": [
                {"name": "rate", "reference": "lr"},
                {"name": "layers", "reference": "layers"},
                {"name": "batch", "reference": "batch"},
                {"name": "optimizer", "reference": "optimizer"},
            ],
            "trialSpec": {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "spec": {
                    "template": {
                        "spec": {
                            "restartPolicy": "Never",
                            "containers": [
                                {
                                    "name": "trainer",
                                    "image": "registry.example/digits:1",
                                    "command": [
                                        "train",
                                        "${trialParameters.rate}",
                                        "${trialParameters.layers}",
                                        "${trialParameters.batch}",
                                        "${trialParameters.optimizer}",
                                    ],
                                }
                            ],
                        }
                    }
                },
            },
        },
    },
}


def experiment_tree(edits: dict[str, Any] | None = None) -> dict[str, Any]:
    """The valid tree with ``edits``: path -> new value, or GONE to take the field away."""
    tree = copy.deepcopy(_TREE)
    for path, value in (edits or {}).items():
        node: Any = tree
        *above, last = [int(word) if word.isdigit() else word for word in re.findall(r"[^.\[\]]+", path)]
        for step in above:
            node = node.setdefault(step, {}) if isinstance(step, str) else node[step]
        if value is GONE:
            del node[last]
        else:
            node[last] = value
    return tree
