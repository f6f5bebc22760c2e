"""Defaults: table 1.8 of the format, one row a test."""

from __future__ import annotations

import pytest

from katib.resources.defaults import fill_defaults
from katib.resources.documents import Experiment
from katib.resources.reading import read
from tests.resources.experiment_trees import GONE, experiment_tree

COMPLETE = 'status.conditions.#(type=="Complete")#|#(status=="True")#'
SUCCEEDED = 'status.conditions.#(type=="Succeeded")#|#(status=="True")#'
FAILED = 'status.conditions.#(type=="Failed")#|#(status=="True")#'
MASTER = {"training.kubeflow.org/job-role": "master"}
NODE = {"jobset.sigs.k8s.io/replicatedjob-name": "node", "batch.kubernetes.io/job-completion-index": "0"}


def filled(edits: dict[str, object]) -> dict:
    return fill_defaults(read(Experiment, experiment_tree(edits))[0]).tree()


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        pytest.param({"spec.maxTrialCount": GONE}, 3, id="absent"),
        pytest.param({"spec.maxTrialCount": 2}, 2, id="never-above-the-maximum"),
        pytest.param({"spec.maxTrialCount": 0}, 1, id="never-below-one"),
        pytest.param({"spec.maxTrialCount": 2, "spec.parallelTrialCount": 5}, 5, id="written-stays"),
    ],
)
def test_parallel_trials(edits: dict[str, object], expected: int) -> None:
    assert filled(edits)["spec"]["parallelTrialCount"] == expected


def test_namespace_policy_and_distribution() -> None:
    tree = filled({"spec.parameters[0].feasibleSpace.distribution": "normal"})
    assert tree["metadata"]["namespace"] == "default"
    assert tree["spec"]["resumePolicy"] == "Never"
    spaces = [parameter["feasibleSpace"]["distribution"] for parameter in tree["spec"]["parameters"]]
    assert spaces == ["normal", "uniform", "uniform", "uniform"]
    assert filled({"metadata.namespace": "team-a"})["metadata"]["namespace"] == "team-a"


@pytest.mark.parametrize(("direction", "default"), [("minimize", "min"), ("maximize", "max"), ("", "latest")])
def test_strategies_of_metrics_without_one(direction: str, default: str) -> None:
    given = [{"name": "accuracy", "value": "latest"}]
    tree = filled({"spec.objective.type": direction, "spec.objective.metricStrategies": given})
    assert tree["spec"]["objective"]["metricStrategies"] == [*given, {"name": "loss", "value": default}]


@pytest.mark.parametrize(
    ("kind", "success", "labels"),
    [
        pytest.param("Job", COMPLETE, None, id="Job"),
        pytest.param("TrainJob", COMPLETE, NODE, id="TrainJob"),
        pytest.param("TFJob", SUCCEEDED, MASTER, id="TFJob"),
        pytest.param("PyTorchJob", SUCCEEDED, MASTER, id="PyTorchJob"),
        pytest.param("XGBoostJob", SUCCEEDED, MASTER, id="XGBoostJob"),
        pytest.param("MPIJob", SUCCEEDED, MASTER, id="MPIJob"),
        pytest.param("Workflow", None, None, id="any-other"),
        pytest.param(["Job"], None, None, id="no-text"),
    ],
)
def test_conditions_and_primary_pods_by_kind(kind: object, success: str | None, labels: object) -> None:
    template = filled({"spec.trialTemplate.trialSpec.kind": kind})["spec"]["trialTemplate"]
    assert template.get("successCondition") == success
    assert template.get("failureCondition") == (FAILED if success else None)
    assert template.get("primaryPodLabels") == labels


def test_written_conditions_and_labels_stay() -> None:
    edits = {
        "spec.trialTemplate.trialSpec.kind": "TFJob",
        "spec.trialTemplate.successCondition": "status.ok",
        "spec.trialTemplate.primaryPodLabels": {"role": "worker"},
    }
    template = filled(edits)["spec"]["trialTemplate"]
    assert template["successCondition"] == "status.ok"
    assert template["failureCondition"] == FAILED
    assert template["primaryPodLabels"] == {"role": "worker"}


def test_a_config_map_template_has_no_default_conditions() -> None:
    edits = {"spec.trialTemplate.trialSpec": GONE, "spec.trialTemplate.configMap": {"configMapName": "x"}}
    assert "successCondition" not in filled(edits)["spec"]["trialTemplate"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(GONE, {"collector": {"kind": "StdOut"}}, id="absent"),
        pytest.param({}, {"collector": {"kind": "StdOut"}}, id="empty"),
        pytest.param(
            {"source": {"filter": {"metricsFormat": ["(a)(b)"]}}},
            {"collector": {"kind": "StdOut"}, "source": {"filter": {"metricsFormat": ["(a)(b)"]}}},
            id="filter-alone",
        ),
        pytest.param(
            {"collector": {"kind": "File"}},
            {
                "collector": {"kind": "File"},
                "source": {
                    "fileSystemPath": {"path": "/var/log/katib/metrics.log", "kind": "File", "format": "TEXT"},
                },
            },
            id="File",
        ),
        pytest.param(
            {"collector": {"kind": "TensorFlowEvent"}},
            {
                "collector": {"kind": "TensorFlowEvent"},
                "source": {"fileSystemPath": {"path": "/var/log/katib/tfevent/", "kind": "Directory"}},
            },
            id="TensorFlowEvent",
        ),
        pytest.param(
            {"collector": {"kind": "PrometheusMetric"}, "source": {"httpGet": {"port": "0", "scheme": "HTTPS"}}},
            {
                "collector": {"kind": "PrometheusMetric"},
                "source": {"httpGet": {"path": "/metrics", "port": 8080, "scheme": "HTTPS"}},
            },
            id="PrometheusMetric",
        ),
        pytest.param({"collector": {"kind": "Push"}}, {"collector": {"kind": "Push"}}, id="Push"),
    ],
)
def test_collectors(given: object, expected: object) -> None:
    edits = {} if given is GONE else {"spec.metricsCollectorSpec": given}
    assert filled(edits)["spec"]["metricsCollectorSpec"] == expected


def test_nothing_is_changed_in_place_and_a_second_time_changes_nothing() -> None:
    model, _ = read(Experiment, experiment_tree())
    before = model.tree()
    once = fill_defaults(model)
    assert model.tree() == before
    assert fill_defaults(once).tree() == once.tree()
