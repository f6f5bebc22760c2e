"""The methods take what those of Katib's SDK 0.19 take: the table is read off its documentation and source."""

from __future__ import annotations

import inspect

import pytest

from katib import KatibClient

ADDRESS = "katib-db-manager.kubeflow:6789"
ONE = {"name": ..., "namespace": None, "timeout": 120}
CONDITION = {"name": ..., "namespace": None, "experiment": None, "timeout": 120}
OF_EXPERIMENT = {"experiment_name": None, "namespace": None, "timeout": 120}
SIGNATURES = {
    "__init__": {"config_file": None, "context": None, "client_configuration": None, "namespace": None},
    "create_experiment": {"experiment": ..., "namespace": None},
    "get_experiment": ONE,
    "list_experiments": {"namespace": None, "timeout": 120},
    "get_experiment_conditions": CONDITION,
    "is_experiment_created": CONDITION,
    "is_experiment_running": CONDITION,
    "is_experiment_restarting": CONDITION,
    "is_experiment_succeeded": CONDITION,
    "is_experiment_failed": CONDITION,
    "wait_for_experiment_condition": {
        "name": ...,
        "namespace": None,
        "expected_condition": "Succeeded",
        "timeout": 600,
        "polling_interval": 15,
        "apiserver_timeout": 120,
    },
    "edit_experiment_budget": {
        "name": ...,
        "namespace": None,
        "max_trial_count": None,
        "parallel_trial_count": None,
        "max_failed_trial_count": None,
        "timeout": 120,
    },
    "delete_experiment": {"name": ..., "namespace": None, "delete_options": None},
    "get_suggestion": ONE,
    "list_suggestions": {"namespace": None, "timeout": 120},
    "get_trial": ONE,
    "list_trials": OF_EXPERIMENT,
    "get_success_trial_details": OF_EXPERIMENT,
    "get_optimal_hyperparameters": ONE,
    "get_trial_metrics": {"name": ..., "namespace": None, "db_manager_address": ADDRESS, "timeout": 120},
    "get_job_logs": {"name": ..., "trial_name": ..., "follow": False, "namespace": None},
}


def arguments_of(method) -> dict:
    """Names and defaults, in order; those that must be named by keyword are ours, and have defaults all."""
    parameters = [*inspect.signature(method).parameters.values()][1:]
    shared = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert all(p.default is not p.empty for p in parameters if p not in shared)
    return {p.name: ... if p.default is p.empty else p.default for p in shared}


@pytest.mark.parametrize("method", SIGNATURES)
def test_a_method_takes_the_same_arguments(method):
    arguments = arguments_of(getattr(KatibClient, method))
    assert arguments == SIGNATURES[method]
    assert [*arguments] == [*SIGNATURES[method]]


def test_there_is_every_method():
    ours = {name for name in dir(KatibClient) if not name.startswith("_")}
    assert ours - {"close", "tune"} == SIGNATURES.keys() - {"__init__"}  # tune: test_tune.py
