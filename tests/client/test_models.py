"""Katib's models: made in snake_case, changed afterwards, read from documents, and sent as documents."""

from __future__ import annotations

import copy
import importlib.util
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

import katib
from katib.client import models
from katib.client.trees import as_document, as_tree
from katib.core.errors import SpecError

# The attributes of Katib's generated models, of those that have not the same ones here as a matter of course.
UPSTREAM = {
    "AlgorithmSetting": "name value",
    "AlgorithmSpec": "algorithm_name algorithm_settings",
    "CollectorSpec": "custom_collector kind",
    "ConfigMapSource": "config_map_name config_map_namespace template_path",
    "EarlyStoppingRule": "comparison name start_step value",
    "EarlyStoppingSetting": "name value",
    "EarlyStoppingSpec": "algorithm_name algorithm_settings",
    "Experiment": "api_version kind metadata spec status",
    "ExperimentCondition": "last_transition_time last_update_time message reason status type",
    "ExperimentList": "api_version items kind metadata",
    "ExperimentSpec": "algorithm early_stopping max_failed_trial_count max_trial_count metrics_collector_spec "
    "nas_config objective parallel_trial_count parameters resume_policy trial_template",
    "ExperimentStatus": "completion_time conditions current_optimal_trial early_stopped_trial_list failed_trial_list "
    "killed_trial_list last_reconcile_time metrics_unavailable_trial_list pending_trial_list running_trial_list "
    "start_time succeeded_trial_list trial_metrics_unavailable trials trials_early_stopped trials_failed "
    "trials_killed trials_pending trials_running trials_succeeded",
    "FeasibleSpace": "distribution list max min step",
    "FileSystemPath": "format kind path",
    "FilterSpec": "metrics_format",
    "GraphConfig": "input_sizes num_layers output_sizes",
    "Metric": "latest max min name",
    "MetricStrategy": "name value",
    "MetricsCollectorSpec": "collector source",
    "NasConfig": "graph_config operations",
    "ObjectiveSpec": "additional_metric_names goal metric_strategies objective_metric_name type",
    "Observation": "metrics",
    "Operation": "operation_type parameters",
    "OptimalTrial": "best_trial_name observation parameter_assignments",
    "ParameterAssignment": "name value",
    "ParameterSpec": "feasible_space name parameter_type",
    "SourceSpec": "file_system_path filter http_get",
    "Suggestion": "api_version kind metadata spec status",
    "SuggestionCondition": "last_transition_time last_update_time message reason status type",
    "SuggestionList": "api_version items kind metadata",
    "SuggestionSpec": "algorithm early_stopping requests resume_policy",
    "SuggestionStatus": "algorithm_settings completion_time conditions last_reconcile_time start_time suggestion_count "
    "suggestions",
    "Trial": "api_version kind metadata spec status",
    "TrialAssignment": "early_stopping_rules labels name parameter_assignments",
    "TrialCondition": "last_transition_time last_update_time message reason status type",
    "TrialList": "api_version items kind metadata",
    "TrialParameterSpec": "description name reference",
    "TrialSource": "config_map trial_spec",
    "TrialSpec": "early_stopping_rules failure_condition labels metrics_collector objective parameter_assignments "
    "primary_container_name primary_pod_labels retain_run run_spec success_condition",
    "TrialStatus": "completion_time conditions last_reconcile_time observation start_time",
    "TrialTemplate": "config_map failure_condition primary_container_name primary_pod_labels retain success_condition "
    "trial_parameters trial_spec",
}


@pytest.mark.parametrize("name", UPSTREAM)
def test_a_model_has_katibs_attributes(name):
    model = getattr(katib, f"V1beta1{name}")()
    assert set(UPSTREAM[name].split()) <= model.to_dict().keys()
    assert all(getattr(model, attribute) is None for attribute in UPSTREAM[name].split())


def search() -> models.V1beta1Experiment:
    space = katib.V1beta1FeasibleSpace(list=["a", 2])
    return katib.V1beta1Experiment(
        metadata={"name": "x"},
        spec=katib.V1beta1ExperimentSpec(
            max_trial_count=3,
            parameters=[katib.V1beta1ParameterSpec(name="p", parameter_type="categorical", feasible_space=space)],
        ),
    )


def test_a_model_is_made_changed_and_sent():
    made = search()
    made.spec.parameters[0].feasible_space.list = ["b"]
    made.spec.max_trial_count = 5
    made.spec.objective = katib.V1beta1ObjectiveSpec(type="minimize", objective_metric_name="loss", goal=0.1)
    assert as_tree(made)["spec"] == {
        "parameters": [{"name": "p", "parameterType": "categorical", "feasibleSpace": {"list": ["b"]}}],
        "maxTrialCount": 5,
        "objective": {"type": "minimize", "objectiveMetricName": "loss", "goal": 0.1},
    }
    assert made.to_dict()["spec"]["parameters"][0]["feasible_space"]["list"] == ["b"]
    assert "max_trial_count" in str(made)
    assert copy.deepcopy(made) == made != search()


def test_a_document_is_read_and_kept():
    tree = {
        "metadata": {"name": "t", "creationTimestamp": "2026-01-02T03:04:05Z"},
        "spec": {"runSpec": {"kind": "Job"}, "later": {"aField": 1}},
        "status": {"startTime": "2026-01-02T03:04:05Z", "conditions": [{"type": "Running", "status": "True"}]},
    }
    trial = katib.V1beta1Trial.model_validate(tree)
    assert trial.status.start_time == trial.metadata.creation_timestamp == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert type(trial.status.conditions[0]) is katib.V1beta1TrialCondition
    assert as_tree(trial) == tree


@pytest.mark.skipif(not importlib.util.find_spec("kubernetes"), reason="needs the Kubernetes client")
def test_objects_of_the_kubernetes_client_are_taken():
    from kubernetes import client

    container = client.V1Container(name="main", image="i", env=[client.V1EnvVar(name="A", value="b")])
    pod = client.V1PodTemplateSpec(spec=client.V1PodSpec(containers=[container], restart_policy="Never"))
    job = client.V1Job(api_version="batch/v1", kind="Job", spec=client.V1JobSpec(template=pod))
    expected = {"name": "main", "image": "i", "env": [{"name": "A", "value": "b"}]}
    template = katib.V1beta1TrialTemplate(trial_spec=job)
    made = katib.V1beta1Experiment(metadata=client.V1ObjectMeta(name="x", labels={"a": "b"}))
    made.spec = katib.V1beta1ExperimentSpec(trial_template=template)
    assert as_tree(made)["metadata"] == {"name": "x", "labels": {"a": "b"}}
    assert as_tree(template)["trialSpec"]["spec"]["template"]["spec"]["containers"] == [expected]
    template.trial_spec = job
    assert as_tree(made)["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"] == [expected]


class Foreign(NamedTuple):
    x: int


@pytest.mark.parametrize("kind", ["text", "path", "name", "object"])
def test_a_document_in_every_form(kind, tmp_path):
    text = "kind: Experiment\nmetadata:\n  name: x\n"
    path = tmp_path / "experiment.yaml"
    path.write_text(text)
    given = {"text": text, "path": path, "name": str(path), "object": katib.V1beta1Experiment(kind="Experiment")}
    assert as_document(given[kind])["kind"] == "Experiment"


@pytest.mark.parametrize("given", [5, "a: 1\n---\nb: 2\n", Foreign(1)], ids=["number", "two", "tuple"])
def test_what_is_no_document(given):
    with pytest.raises(SpecError, match="expected"):
        as_document(given)
