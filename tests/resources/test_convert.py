"""From a validated document to the core's ExperimentSpec."""

from __future__ import annotations

from typing import Any

import pytest

from katib.core.collector import CollectorSpec
from katib.core.errors import SpecError
from katib.core.experiment import Budget, Component, ExperimentSpec, ResumePolicy, TemplateParameter
from katib.core.objective import Direction, Objective, Strategy
from katib.core.parameters import Choice, Integer, Ordinal, Real
from katib.core.priors import Distribution
from katib.core.trial import Key
from katib.resources.convert import to_spec
from katib.resources.defaults import fill_defaults
from katib.resources.documents import Experiment
from katib.resources.reading import read
from katib.resources.validation import validate
from tests.resources.experiment_trees import GONE, KNOWN, experiment_tree


def spec_of(edits: dict[str, Any] | None = None, **more: Any) -> ExperimentSpec:
    experiment = fill_defaults(read(Experiment, experiment_tree(edits))[0])
    validate(experiment, KNOWN)
    return to_spec(experiment, **more)


def test_what_the_document_says() -> None:
    edits = {
        "metadata.labels": {"team": "vision"},
        "metadata.namespace": "team-a",
        "spec.objective.goal": 1,
        "spec.algorithm.algorithmSettings": [{"name": "random_state", "value": 10}],
        "spec.earlyStopping": {"algorithmName": "medianstop"},
        "spec.maxFailedTrialCount": 3,
        "spec.parallelTrialCount": 2,
        "spec.resumePolicy": "LongRunning",
        "spec.trialTemplate.retain": True,
        "spec.trialTemplate.primaryPodLabels": {"role": "main"},
        "spec.seed": 7,
    }
    spec = spec_of(edits)
    assert spec.key == Key("team-a", "digits")
    assert spec.labels == {"team": "vision"}
    assert spec.objective == Objective(
        "loss", Direction.MINIMIZE, 1.0, ("accuracy",), {"loss": Strategy.MIN, "accuracy": Strategy.MIN}
    )
    assert spec.algorithm == Component("random", {"random_state": "10"})
    assert spec.stopper == Component("medianstop")
    assert spec.budget == Budget(parallel=2, max_trials=12, max_failed=3)
    assert spec.resume_policy is ResumePolicy.LONG_RUNNING
    assert spec.collector == CollectorSpec()
    assert spec.seed == 7
    assert spec.nas is None
    template = spec.template
    assert template.document == experiment_tree()["spec"]["trialTemplate"]["trialSpec"]
    assert template.parameters[0] == TemplateParameter("rate", "lr")
    assert template.primary_container == "trainer"
    assert template.primary_pod_labels == {"role": "main"}
    assert "Complete" in template.success_condition
    assert "Failed" in template.failure_condition
    assert template.retain


def test_what_it_leaves_out() -> None:
    spec = spec_of({"spec.maxTrialCount": GONE})
    assert spec.key == Key("default", "digits")
    assert spec.budget == Budget(parallel=3, max_trials=None, max_failed=None)
    assert spec.stopper is None
    assert spec.objective.goal is None
    assert spec.seed is None
    assert not spec.template.retain


@pytest.mark.parametrize(
    ("kind", "space", "expected"),
    [
        pytest.param("double", {"min": 0.01, "max": "5e-2"}, Real("p", 0.01, 0.05), id="double"),
        pytest.param(
            "double",
            {"min": "1", "max": "2", "step": "0.5", "distribution": "logNormal"},
            Real("p", 1.0, 2.0, Distribution.LOG_NORMAL, 0.5),
            id="double-with-step",
        ),
        pytest.param("int", {"min": "1", "max": "1e3"}, Integer("p", 1, 1000), id="int"),
        pytest.param(
            "int",
            {"min": "-4", "max": "4", "step": "2", "distribution": "normal"},
            Integer("p", -4, 4, Distribution.NORMAL, 2),
            id="int-with-step",
        ),
        pytest.param(
            "discrete", {"list": ["10", "0.50", 2]}, Ordinal("p", (0.5, 2, 10), ("0.50", "2", "10")), id="discrete"
        ),
        pytest.param("categorical", {"list": [1, "on", "a b"]}, Choice("p", ("1", "on", "a b")), id="categorical"),
    ],
)
def test_parameters(kind: str, space: dict[str, Any], expected: object) -> None:
    edits = {"spec.parameters": [{"name": "p", "parameterType": kind, "feasibleSpace": space}]}
    edits["spec.trialTemplate.trialParameters"] = []
    edits["spec.trialTemplate.trialSpec.spec.template.spec.containers[0].command"] = ["train"]
    (parameter,) = spec_of(edits).space
    assert parameter == expected
    assert [type(v) for v in getattr(parameter, "values", ())] == [type(v) for v in getattr(expected, "values", ())]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            {"source": {"filter": {"metricsFormat": ["(a)=(b)"]}, "fileSystemPath": {"path": "/x"}}},
            CollectorSpec("StdOut", "", "TEXT", ("(a)=(b)",)),
            id="StdOut",
        ),
        pytest.param(
            {"collector": {"kind": "File"}, "source": {"fileSystemPath": {"path": "/a.json", "format": "JSON"}}},
            CollectorSpec("File", "/a.json", "JSON"),
            id="File",
        ),
        pytest.param(
            {"collector": {"kind": "TensorFlowEvent"}},
            CollectorSpec("TensorFlowEvent", "/var/log/katib/tfevent/", directory=True),
            id="TensorFlowEvent",
        ),
        pytest.param(
            {"collector": {"kind": "PrometheusMetric"}},
            CollectorSpec("PrometheusMetric", options={"httpGet": {"path": "/metrics", "port": 8080}}),
            id="PrometheusMetric",
        ),
        pytest.param(
            {"collector": {"kind": "Custom", "customCollector": {"name": "c"}}},
            CollectorSpec("Custom", options={"customCollector": {"name": "c"}}),
            id="Custom",
        ),
        pytest.param({"collector": {"kind": "Push"}}, CollectorSpec("Push"), id="Push"),
    ],
)
def test_collectors(given: dict[str, Any], expected: CollectorSpec) -> None:
    assert spec_of({"spec.metricsCollectorSpec": given}).collector == expected


def test_a_neural_search_keeps_its_tree() -> None:
    nas = {"graphConfig": {"numLayers": 2}, "operations": [{"operationType": "skip_connection"}]}
    edits = {
        "spec.parameters": GONE,
        "spec.nasConfig": nas,
        "spec.trialTemplate.trialParameters": [{"name": "rate", "reference": "architecture"}],
        "spec.trialTemplate.trialSpec.spec.template.spec.containers[0].command": ["${trialParameters.rate}"],
    }
    spec = spec_of(edits)
    assert spec.nas == nas
    assert len(spec.space) == 0


def test_the_template_may_come_from_elsewhere() -> None:
    assert spec_of(template={"kind": "Own"}).template.document == {"kind": "Own"}


def test_what_core_refuses_has_its_path() -> None:
    tree = experiment_tree({"spec.parameters[1].feasibleSpace.max": "0"})
    with pytest.raises(SpecError) as caught:
        to_spec(fill_defaults(read(Experiment, tree)[0]))
    assert caught.value.problems[0].path == "spec.parameters[1]"
