"""Models of the documents: types in a user's words, unknown fields with the nearest known name, and dumps."""

from __future__ import annotations

import pytest

from katib.core.errors import SpecError
from katib.resources.documents import Experiment
from katib.resources.reading import read
from katib.resources.trial_documents import ConfigMap, Suggestion, Trial
from tests.resources.experiment_trees import experiment_tree


def test_a_document_comes_back_as_it_was() -> None:
    tree = experiment_tree({"spec.nasConfig": {"graphConfig": {"numLayers": 2}}, "spec.trialTemplate.retain": False})
    model, unknown = read(Experiment, tree)
    assert unknown == []
    assert model.tree() == tree


def test_numbers_become_their_shortest_text() -> None:
    settings = [{"name": "a", "value": 10}, {"name": "b", "value": 1e-5}, {"name": "c", "value": 0.10}]
    model, _ = read(Experiment, experiment_tree({"spec.algorithm.algorithmSettings": settings}))
    assert [each["value"] for each in model.tree()["spec"]["algorithm"]["algorithmSettings"]] == ["10", "1e-05", "0.1"]


def test_null_means_absent_but_not_in_the_trial() -> None:
    tree = experiment_tree({"spec.resumePolicy": None, "status": None, "metadata.labels": None})
    tree["spec"]["trialTemplate"]["trialSpec"]["spec"]["suspend"] = None
    model, _ = read(Experiment, tree)
    dumped = model.tree()
    assert "resumePolicy" not in dumped["spec"]
    assert "status" not in dumped
    assert dumped["spec"]["trialTemplate"]["trialSpec"]["spec"]["suspend"] is None


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param("spec.parallelTrialCount", "three", "got 'three', expected an integer", id="text-for-integer"),
        pytest.param("spec.maxTrialCount", 2.5, "got 2.5, expected an integer", id="float-for-integer"),
        pytest.param("spec.maxTrialCount", True, "got true, expected an integer", id="boolean-for-integer"),
        pytest.param("spec.maxTrialCount", 2**31, "got 2147483648, expected an integer of 32 bits", id="too-large"),
        pytest.param("spec.objective.goal", "0.9", "got '0.9', expected a number", id="text-for-number"),
        pytest.param("spec.trialTemplate.retain", "yes", "got 'yes', expected true or false", id="text-for-boolean"),
        pytest.param(
            "spec.parameters[3].feasibleSpace.list[0]",
            True,
            "got true, expected text; in quotes it is text: 'true'",
            id="boolean-for-text",
        ),
        pytest.param("spec.parameters[0].feasibleSpace.min", [1], "got [1], expected text", id="list-for-text"),
        pytest.param("spec.parameters", {"lr": 1}, 'got {"lr": 1}, expected a list', id="mapping-for-list"),
        pytest.param("spec.parameters[1]", "lr", "got 'lr', expected a mapping", id="text-for-mapping"),
        pytest.param("spec.trialTemplate.trialSpec", "job", "got 'job', expected a mapping", id="text-for-tree"),
        pytest.param("spec", [], "got [], expected a mapping", id="list-for-spec"),
        pytest.param("metadata.labels.a", {}, "got {}, expected text", id="label"),
        pytest.param("spec.resumePolicy", ["x" * 500], 'got ["' + "x" * 78 + "..., expected text", id="cut"),
    ],
)
def test_wrong_types_are_told_in_plain_words(path: str, value: object, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(Experiment, experiment_tree({path: value}))
    assert [(problem.path, problem.message) for problem in caught.value.problems] == [(path, message)]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        pytest.param("spec.metricsCollector", " (did you mean 'metricsCollectorSpec'?)", id="name-of-another-kind"),
        pytest.param("spec.parralelTrialCount", " (did you mean 'parallelTrialCount'?)", id="misspelt"),
        pytest.param("spec.max_trial_count", " (did you mean 'maxTrialCount'?)", id="snake-case"),
        pytest.param("spec.parameters[2].feasibleSpace.lists", " (did you mean 'list'?)", id="in-a-list"),
        pytest.param("metadata.lables", " (did you mean 'labels'?)", id="metadata"),
        pytest.param("Spec", " (did you mean 'spec'?)", id="case"),
        pytest.param("spec.objective.zzz", "", id="nothing-near"),
    ],
)
def test_unknown_fields_are_kept_and_told(path: str, hint: str) -> None:
    tree = experiment_tree({path: 1})
    model, (problem,) = read(Experiment, tree)
    assert problem.path == path
    assert problem.message == f"unknown field '{path.rpartition('.')[2]}'{hint}"
    assert model.tree() == tree


def test_types_and_unknown_fields_are_told_together() -> None:
    with pytest.raises(SpecError) as caught:
        read(Experiment, experiment_tree({"spec.maxTrialCount": "x", "spec.gaol": 1, "spec.objective.goal": []}))
    assert {problem.path for problem in caught.value.problems} == {
        "spec.maxTrialCount",
        "spec.gaol",
        "spec.objective.goal",
    }


CONDITION = {
    "type": "Succeeded",
    "status": "True",
    "reason": "TrialSucceeded",
    "message": "m",
    "lastUpdateTime": "2024-01-01T00:00:00Z",
    "lastTransitionTime": "2024-01-01T00:00:00Z",
}
OBSERVATION = {"metrics": [{"name": "loss", "min": "0.1", "max": "0.2", "latest": "0.1"}]}
ASSIGNMENTS = [{"name": "lr", "value": "0.01"}]
RULES = [{"name": "loss", "value": "1", "comparison": "greater", "startStep": 4}]
METADATA = {
    "name": "digits-abc",
    "ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "n", "uid": "u", "controller": True}],
    "finalizers": ["clean-metrics-in-db"],
    "generation": 1,
    "resourceVersion": "12",
    "creationTimestamp": "2024-01-01T00:00:00Z",
}


@pytest.mark.parametrize(
    ("kind", "tree"),
    [
        pytest.param(
            Trial,
            {
                "metadata": METADATA,
                "spec": {
                    "objective": {"type": "minimize", "objectiveMetricName": "loss"},
                    "parameterAssignments": ASSIGNMENTS,
                    "earlyStoppingRules": RULES,
                    "runSpec": {"kind": "Job", "anything": [1]},
                    "retainRun": True,
                    "metricsCollector": {"collector": {"kind": "StdOut"}},
                    "primaryPodLabels": {"a": "b"},
                    "primaryContainerName": "c",
                    "successCondition": "a",
                    "failureCondition": "b",
                    "labels": {"a": "b"},
                },
                "status": {
                    "startTime": "t",
                    "completionTime": "t",
                    "conditions": [CONDITION],
                    "observation": OBSERVATION,
                },
            },
            id="trial",
        ),
        pytest.param(
            Suggestion,
            {
                "metadata": METADATA,
                "spec": {
                    "algorithm": {"algorithmName": "random"},
                    "earlyStopping": {"algorithmName": "medianstop"},
                    "requests": 3,
                    "resumePolicy": "Never",
                },
                "status": {
                    "algorithmSettings": ASSIGNMENTS,
                    "suggestionCount": 1,
                    "suggestions": [
                        {
                            "name": "t",
                            "parameterAssignments": ASSIGNMENTS,
                            "earlyStoppingRules": RULES,
                            "labels": {"a": "b"},
                        }
                    ],
                    "conditions": [CONDITION],
                },
            },
            id="suggestion",
        ),
        pytest.param(
            Experiment,
            {
                "metadata": METADATA,
                "spec": {},
                "status": {
                    "startTime": "t",
                    "conditions": [CONDITION],
                    "currentOptimalTrial": {
                        "bestTrialName": "t",
                        "parameterAssignments": ASSIGNMENTS,
                        "observation": OBSERVATION,
                    },
                    **{
                        f"{state}TrialList": ["t"]
                        for state in ("running", "pending", "failed", "succeeded", "killed", "earlyStopped")
                    },
                    "metricsUnavailableTrialList": ["t"],
                    "trials": 7,
                    "trialsSucceeded": 1,
                    "trialsFailed": 1,
                    "trialsKilled": 1,
                    "trialsPending": 1,
                    "trialsRunning": 1,
                    "trialsEarlyStopped": 1,
                    "trialMetricsUnavailable": 1,
                },
            },
            id="experiment-status",
        ),
        pytest.param(ConfigMap, {"metadata": METADATA, "data": {"a.yaml": "x: 1"}, "immutable": True}, id="config-map"),
    ],
)
def test_every_kind_knows_its_fields(kind, tree: dict[str, object]) -> None:
    model, unknown = read(kind, tree)
    assert unknown == []
    assert model.tree() == tree
