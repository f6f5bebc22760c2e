"""Experiments of every shape among Katib's own examples: they parse, and both their defaults and the jobs of their
trials are what Katib would make of them.

Our own ones stand in ``examples/``. Katib's are not part of this project: name a folder with them (its
``examples/v1beta1``) in KATIB_EXAMPLES to have them tested too.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from algorithms.random_search import RandomSearch
from katib.core.errors import SpecError
from katib.core.experiment import Component
from katib.core.history import History
from katib.core.trial import Parameters, Trial
from katib.resources.load import LoadedExperiment, load_experiment
from katib.resources.template import render
from tests.resources.experiment_trees import EXAMPLES, KNOWN
from tests.resources.katib_rules import (
    as_numbers,
    as_texts,
    assignments_of,
    config_maps_of,
    defaulted,
    experiments_of,
    trial_job,
)

# Katib's example -> ours of the same shape. One that is in several folders of Katib is named with its folder.
SHAPES = {
    "hp-tuning/random": "random",
    "hp-tuning/grid": "grid",
    "hp-tuning/bayesian-optimization": "bayesianoptimization",
    "hp-tuning/tpe": "tpe",
    "hp-tuning/multivariate-tpe": "multivariate-tpe",
    "hp-tuning/cma-es": "cmaes",
    "hp-tuning/sobol": "sobol",
    "hp-tuning/hyperband": "hyperband",
    "hp-tuning/hyperopt-distribution": "distributions",
    "hp-tuning/optuna-distribution": "distributions-tpe",
    "hp-tuning/simple-pbt": "pbt",
    "early-stopping/median-stop": "median-stop",
    "early-stopping/median-stop-with-json-format": "median-stop-json",
    "resume-experiment/long-running-resume": "resume-long-running",
    "resume-experiment/from-volume-resume": "resume-from-volume",
    "metrics-collector/file-metrics-collector": "file-collector",
    "metrics-collector/file-metrics-collector-with-json-format": "file-collector-json",
    "metrics-collector/custom-metrics-collector": "custom-collector",
    "metrics-collector/metrics-collection-strategy": "metric-strategies",
    "trial-template/trial-configmap-source": "configmap-template",
    "trial-template/trial-metadata-substitution": "metadata-substitution",
    "nas/enas-cpu": "enas",
    "nas/enas-gpu": "enas-large",
    "nas/darts-cpu": "darts",
    "nas/darts-gpu": "darts-large",
    "kubeflow-trainer/trainjob-pytorch": "trainjob",
    "kubeflow-training-operator/pytorchjob-mnist": "pytorchjob",
    "kubeflow-training-operator/tfjob-mnist-with-summaries": "tfjob",
    "kubeflow-training-operator/mpijob-horovod": "mpijob",
    "kubeflow-training-operator/xgboostjob-lightgbm": "xgboostjob",
    "argo/argo-workflow": "argo-workflow",
    "tekton/pipeline-run": "tekton-pipeline-run",
    "fpga/xgboost-example": "accelerator",
}
OURS = sorted(EXAMPLES.glob("*.yaml"))
FOREIGN = Path(os.environ.get("KATIB_EXAMPLES") or "/nonexistent")
THEIRS = sorted(path for pattern in ("*.yaml", "*.yml") for path in FOREIGN.rglob(pattern) if experiments_of(path))

# Files of Katib's that are refused, with a part of the message, and why that is right.
REFUSED = {
    # Its template is in a ConfigMap of Katib's installation, and references parameters that this one does not have.
    "trial-template/trial-configmap-source": "found no ConfigMap trial-templates",
    # It may fail more often than it may run, which Katib's own validation refuses; its tests lower the numbers first.
    "hp-tuning/simple-pbt": "maxFailedTrialCount: got 3, expected at most maxTrialCount",
}


def drawn(loaded: LoadedExperiment, count: int = 3) -> list[Parameters]:
    """Parameters for some trials; for a neural search, one set of its assignments."""
    spec = replace(loaded.spec, algorithm=Component("random"), seed=1)
    if spec.nas is not None:
        return [assignments_of(loaded.document, {})]
    history = History(spec.space, spec.objective)
    return [suggestion.parameters for suggestion in RandomSearch(spec).suggest(history, count).suggestions]


def template_text(tree: dict[str, Any], path: Path) -> str:
    """The text in which Katib replaces placeholders."""
    template = tree["spec"]["trialTemplate"]
    if "trialSpec" in template:
        return json.dumps(template["trialSpec"])
    source = template["configMap"]
    (found,) = [each for each in config_maps_of(path) if each["metadata"]["name"] == source["configMapName"]]
    return str(found["data"][source["templatePath"]])


def check(path: Path) -> None:
    (tree,) = experiments_of(path)
    loaded = load_experiment(path, known=KNOWN)
    assert as_numbers(loaded.document) == as_numbers(defaulted(tree))
    namespace = loaded.spec.key.namespace
    parameters = drawn(loaded)
    assert parameters
    for number, values in enumerate(parameters):
        trial = Trial(number, f"{tree['metadata']['name']}-{number}", values)
        assignments = assignments_of(tree, values)
        expected = trial_job(tree, template_text(tree, path), assignments, trial.name, namespace)
        assert as_texts(render(loaded.spec, trial)) == as_texts(expected)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_our_own(path: Path) -> None:
    check(path)


def test_there_is_one_of_ours_for_every_shape() -> None:
    ours = {path.stem for path in OURS}
    assert set(SHAPES.values()) <= ours
    assert len(set(SHAPES.values())) == len(SHAPES) == 33


@pytest.mark.skipif(not THEIRS, reason="KATIB_EXAMPLES names no folder with Katib's examples")
@pytest.mark.parametrize("path", THEIRS, ids=lambda path: str(path.relative_to(FOREIGN).with_suffix("")))
def test_katibs_own(path: Path) -> None:
    refusal = REFUSED.get(str(path.relative_to(FOREIGN).with_suffix("")))
    if refusal is None:
        check(path)
    else:
        with pytest.raises(SpecError, match=refusal):
            load_experiment(path, known=KNOWN)
