"""Resources as Katib's clients see them, and that our own models read them back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from katib.core.collector import CollectorSpec
from katib.core.constraints import Constraint
from katib.core.experiment import (
    Budget,
    Component,
    Experiment,
    ExperimentSpec,
    ExperimentStatus,
    Limits,
    ResumePolicy,
    RetryPolicy,
    TemplateParameter,
    TrialTemplate,
    Verdict,
)
from katib.core.objective import Direction, MetricSummary, Objective, Strategy, Target
from katib.core.priors import Distribution
from katib.core.space import Choice, Condition, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import FailureClass, Key, Trial, TrialState
from katib.resources import documents, trial_documents
from katib.resources.convert import to_spec
from katib.resources.projection import (
    condition_of,
    experiment_resource,
    list_resource,
    resource_name,
    suggestion_resource,
    trial_resource,
)
from katib.resources.reading import read

NOON = 1_700_000_000.9  # 2023-11-14T22:13:20Z
JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {"template": {"spec": {"containers": [{"name": "training", "command": ["--lr=${trialParameters.lr}"]}]}}},
}
SPEC = ExperimentSpec(
    key=Key("team", "tune"),
    space=SearchSpace((Real("lr", 0.01, 1.0), Choice("opt", ("sgd", "adam")))),
    objective=Objective("loss", goal=0.1, additional=("acc",), strategies={"loss": Strategy.MIN, "acc": Strategy.MIN}),
    algorithm=Component("random", {"random_state": "1"}),
    budget=Budget(2, 10, 3),
    stopper=Component("medianstop"),
    template=TrialTemplate(
        document=JOB,
        parameters=(TemplateParameter("lr", "lr"),),
        primary_container="training",
        primary_pod_labels={"role": "master"},
        success_condition="status.ok",
        failure_condition="status.bad",
        retain=True,
    ),
    labels={"owner": "me"},
)
EXPERIMENT = Experiment(
    key=SPEC.key, uid="uid-1", spec=SPEC, budget=Budget(4, 20, None), created=NOON, generation=3, revision=42
)
PYTHON = replace(EXPERIMENT, spec=replace(SPEC, template=TrialTemplate(), stopper=None))


def trial_in(state, number=0, **fields):
    started = None if state is TrialState.PENDING else NOON + 1
    finished = NOON + 2 if state.finished else None
    values = {"lr": 0.05, "opt": "adam"}
    return Trial(
        number, f"tune-{number}", values, state=state, created=NOON, started=started, finished=finished, **fields
    )


SUCCEEDED = trial_in(
    TrialState.SUCCEEDED,
    observation={
        "acc": MetricSummary(latest_text="nan", count=1),
        "loss": MetricSummary(1e-05, 2.0, 0.5, "0.50", NOON, 3),
        "extra": MetricSummary(1.0, 1.0, 1.0, "1", NOON, 1),
    },
    labels={"bracket": "2"},
)
OBSERVATION = {
    "metrics": [
        {"name": "loss", "min": "1e-05", "max": "2.0", "latest": "0.50"},
        {"name": "acc", "min": "unavailable", "max": "unavailable", "latest": "nan"},
        {"name": "extra", "min": "1.0", "max": "1.0", "latest": "1"},
    ]
}
ASSIGNMENTS = [{"name": "lr", "value": "0.05"}, {"name": "opt", "value": "adam"}]


def with_status(experiment=EXPERIMENT, **fields):
    return replace(experiment, status=ExperimentStatus(**fields))


def conditions(resource):
    return [(c["type"], c["status"], c["reason"]) for c in resource["status"]["conditions"]]


def test_experiment_before_its_first_step():
    assert experiment_resource(PYTHON) == {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {
            "name": "tune",
            "namespace": "team",
            "uid": "uid-1",
            "resourceVersion": "42",
            "generation": 3,
            "creationTimestamp": "2023-11-14T22:13:20Z",
            "labels": {"owner": "me"},
        },
        "spec": {
            "parameters": [
                {
                    "name": "lr",
                    "parameterType": "double",
                    "feasibleSpace": {"min": "0.01", "max": "1.0", "distribution": "uniform"},
                },
                {"name": "opt", "parameterType": "categorical", "feasibleSpace": {"list": ["sgd", "adam"]}},
            ],
            "objective": {
                "type": "minimize",
                "goal": 0.1,
                "objectiveMetricName": "loss",
                "additionalMetricNames": ["acc"],
                "metricStrategies": [{"name": "loss", "value": "min"}, {"name": "acc", "value": "min"}],
            },
            "algorithm": {"algorithmName": "random", "algorithmSettings": [{"name": "random_state", "value": "1"}]},
            "metricsCollectorSpec": {"collector": {"kind": "StdOut"}},
            "resumePolicy": "Never",
            "parallelTrialCount": 4,
            "maxTrialCount": 20,
        },
        "status": {
            "completionTime": None,
            "conditions": [
                {
                    "type": "Created",
                    "status": "True",
                    "reason": "ExperimentCreated",
                    "message": "The experiment is created",
                    "lastUpdateTime": "2023-11-14T22:13:20Z",
                    "lastTransitionTime": "2023-11-14T22:13:20Z",
                }
            ],
            "currentOptimalTrial": {"observation": {}},
        },
    }


def test_the_document_is_shown_with_the_budget_in_force():
    document = {
        "metadata": {"annotations": {"note": "mine"}, "labels": {"old": "x"}},
        "spec": {"objective": {"type": "minimize"}, "parallelTrialCount": 1, "maxFailedTrialCount": 9, "odd": 1},
    }
    resource = experiment_resource(replace(EXPERIMENT, document=document))
    assert resource["spec"] == {
        "objective": {"type": "minimize"},
        "odd": 1,
        "parallelTrialCount": 4,
        "maxTrialCount": 20,
    }
    assert resource["metadata"]["annotations"] == {"note": "mine"}
    assert resource["metadata"]["labels"] == {"owner": "me"}
    assert document["spec"]["parallelTrialCount"] == 1


CREATED, RUNNING = ("Created", "True", "ExperimentCreated"), ("Running", "True", "ExperimentRunning")
OVER = ("Running", "False", "ExperimentRunning")
AGAIN = ("Restarting", "True", "ExperimentRestarting")


@pytest.mark.parametrize(
    ("status", "expected", "short"),
    [
        pytest.param({}, [CREATED], ("Created", "ExperimentCreated"), id="created"),
        pytest.param({"started": NOON}, [CREATED, RUNNING], ("Running", "ExperimentRunning"), id="running"),
        pytest.param(
            {"started": NOON, "stopped": True},
            [CREATED, ("Running", "False", "ExperimentStopped")],
            ("Stopped", "ExperimentStopped"),
            id="stopped",
        ),
        *(
            pytest.param(
                {"started": NOON, "finished": NOON + 5, "verdict": verdict},
                [CREATED, OVER, (kind, "True", verdict.value)],
                (kind, verdict.value),
                id=verdict.value,
            )
            for verdict, kind in [
                (Verdict.GOAL_REACHED, "Succeeded"),
                (Verdict.MAX_TRIALS_REACHED, "Succeeded"),
                (Verdict.SEARCH_EXHAUSTED, "Succeeded"),
                (Verdict.FAILED, "Failed"),
            ]
        ),
        pytest.param(
            {"started": NOON, "restarted": NOON + 9},
            [CREATED, AGAIN, RUNNING],
            ("Running", "ExperimentRunning"),
            id="restarted",
        ),
        pytest.param(
            {"verdict": Verdict.FAILED, "finished": NOON},
            [CREATED, OVER, ("Failed", "True", "ExperimentFailed")],
            ("Failed", "ExperimentFailed"),
            id="failed-before-it-started",
        ),
    ],
)
def test_conditions_of_experiments(status, expected, short):
    experiment = with_status(**status)
    resource = experiment_resource(experiment)
    assert conditions(resource) == expected
    assert condition_of(experiment) == short
    finished = status.get("finished")
    times = {NOON: "2023-11-14T22:13:20Z", NOON + 5: "2023-11-14T22:13:25Z", None: None}
    assert resource["status"]["completionTime"] == times[finished]
    if finished is not None:
        assert {c["lastTransitionTime"] for c in resource["status"]["conditions"][1:]} == {times[finished]}


def test_messages_of_experiments():
    waiting = with_status(started=NOON, waiting="4 GPUs asked, 2 exist")
    assert experiment_resource(waiting)["status"]["conditions"][-1]["message"].endswith(": 4 GPUs asked, 2 exist")
    failed = with_status(started=NOON, verdict=Verdict.FAILED, message="3 trials have failed")
    assert experiment_resource(failed)["status"]["conditions"][-1]["message"] == "3 trials have failed"


def test_status_without_trials():
    counts = {TrialState.SUCCEEDED: 3, TrialState.METRICS_UNAVAILABLE: 1, TrialState.RUNNING: 0}
    experiment = with_status(started=NOON, counts=counts, best=2, best_name="tune-2", best_value=1e-05)
    status = experiment_resource(experiment)["status"]
    assert status["startTime"] == "2023-11-14T22:13:20Z"
    assert {field: value for field, value in status.items() if field.startswith("trial")} == {
        "trials": 4,
        "trialsSucceeded": 3,
        "trialMetricsUnavailable": 1,
    }
    assert status["currentOptimalTrial"] == {
        "bestTrialName": "tune-2",
        "observation": {"metrics": [{"name": "loss", "min": "1e-05"}]},
    }


def test_status_with_trials():
    trials = [trial_in(state, number) for number, state in enumerate(TrialState)]
    trials += [trial_in(TrialState.RUNNING, 8), replace(SUCCEEDED, number=7, name="tune-7")]
    experiment = with_status(started=NOON, best=7, best_name="tune-7", best_value=1e-05)
    status = experiment_resource(experiment, list(reversed(trials)))["status"]
    del status["startTime"], status["completionTime"], status["conditions"]
    assert status == {
        "currentOptimalTrial": {
            "bestTrialName": "tune-7",
            "parameterAssignments": ASSIGNMENTS,
            "observation": OBSERVATION,
        },
        "pendingTrialList": ["tune-0"],
        "runningTrialList": ["tune-1", "tune-8"],
        "succeededTrialList": ["tune-2", "tune-7"],
        "earlyStoppedTrialList": ["tune-3"],
        "failedTrialList": ["tune-4"],
        "killedTrialList": ["tune-5"],
        "metricsUnavailableTrialList": ["tune-6"],
        "trials": 9,
        "trialsPending": 1,
        "trialsRunning": 2,
        "trialsSucceeded": 2,
        "trialsEarlyStopped": 1,
        "trialsFailed": 1,
        "trialsKilled": 1,
        "trialMetricsUnavailable": 1,
    }


def test_trial():
    resource = trial_resource(EXPERIMENT, SUCCEEDED)
    uid = resource["metadata"].pop("uid")
    assert uid != trial_resource(EXPERIMENT, replace(SUCCEEDED, number=1))["metadata"]["uid"]
    assert resource["metadata"] == {
        "name": "tune-0",
        "namespace": "team",
        "resourceVersion": "42",
        "generation": 1,
        "creationTimestamp": "2023-11-14T22:13:20Z",
        "labels": {"owner": "me", "bracket": "2", "katib.kubeflow.org/experiment": "tune"},
        "ownerReferences": [
            {
                "apiVersion": "kubeflow.org/v1beta1",
                "kind": "Experiment",
                "name": "tune",
                "uid": "uid-1",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    assert resource["spec"]["runSpec"] == {
        **JOB,
        "metadata": {"name": "tune-0", "namespace": "team"},
        "spec": {"template": {"spec": {"containers": [{"name": "training", "command": ["--lr=0.05"]}]}}},
    }
    assert {field: value for field, value in resource["spec"].items() if field not in ("runSpec", "objective")} == {
        "parameterAssignments": ASSIGNMENTS,
        "retainRun": True,
        "metricsCollector": {"collector": {"kind": "StdOut"}},
        "primaryPodLabels": {"role": "master"},
        "primaryContainerName": "training",
        "successCondition": "status.ok",
        "failureCondition": "status.bad",
    }
    assert resource["spec"]["objective"]["objectiveMetricName"] == "loss"
    assert resource["status"]["observation"] == OBSERVATION
    assert (resource["status"]["startTime"], resource["status"]["completionTime"]) == (
        "2023-11-14T22:13:21Z",
        "2023-11-14T22:13:22Z",
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (TrialState.PENDING, []),
        (TrialState.RUNNING, [("Running", "True", "TrialRunning")]),
        *(
            (state, [("Running", "False", "TrialRunning"), (state.value, "True", reason)])
            for state, reason in [
                (TrialState.SUCCEEDED, "TrialSucceeded"),
                (TrialState.FAILED, "TrialFailed"),
                (TrialState.KILLED, "TrialKilled"),
                (TrialState.EARLY_STOPPED, "TrialEarlyStopped"),
                (TrialState.METRICS_UNAVAILABLE, "MetricsUnavailable"),
            ]
        ),
    ],
)
def test_conditions_of_trials(state, expected):
    resource = trial_resource(EXPERIMENT, trial_in(state))
    assert conditions(resource) == [("Created", "True", "TrialCreated"), *expected]
    assert (resource["status"]["completionTime"] is not None) is state.finished


def test_a_trial_killed_before_it_ran_was_never_running():
    killed = replace(trial_in(TrialState.KILLED), started=None)
    assert [c[0] for c in conditions(trial_resource(EXPERIMENT, killed))] == ["Created", "Killed"]


def test_message_of_a_failed_trial():
    failed = trial_in(
        TrialState.FAILED, reason="exit status 1", failure=FailureClass.USER_ERROR, message="Traceback ..."
    )
    message = trial_resource(EXPERIMENT, failed)["status"]["conditions"][-1]["message"]
    assert message == "The trial has failed: UserError: exit status 1\nTraceback ..."


def test_observation_of_a_trial_without_metrics():
    unavailable = trial_resource(EXPERIMENT, trial_in(TrialState.METRICS_UNAVAILABLE))["status"]["observation"]
    assert [(m["name"], m["latest"]) for m in unavailable["metrics"]] == [
        ("loss", "unavailable"),
        ("acc", "unavailable"),
    ]
    assert "observation" not in trial_resource(EXPERIMENT, trial_in(TrialState.RUNNING))["status"]


def test_python_objectives():
    resource = trial_resource(PYTHON, trial_in(TrialState.RUNNING))
    assert set(resource["spec"]) == {"objective", "parameterAssignments", "metricsCollector"}
    assert "trialTemplate" not in experiment_resource(PYTHON)["spec"]


def test_a_trial_from_outside_of_the_space_is_shown():
    strange = replace(SUCCEEDED, parameters={"lr": 50.0, "arch": "[1]"})
    spec = trial_resource(EXPERIMENT, strange)["spec"]
    assert spec["parameterAssignments"] == [{"name": "lr", "value": "50.0"}, {"name": "arch", "value": "[1]"}]
    assert "runSpec" not in spec


@pytest.mark.parametrize(
    ("policy", "finished", "expected"),
    [
        (ResumePolicy.NEVER, False, [("DeploymentReady", "True"), ("Running", "True")]),
        (ResumePolicy.LONG_RUNNING, True, [("DeploymentReady", "True"), ("Running", "True")]),
        (ResumePolicy.NEVER, True, [("DeploymentReady", "False"), ("Running", "False"), ("Succeeded", "True")]),
        (ResumePolicy.FROM_VOLUME, True, [("DeploymentReady", "False"), ("Running", "False"), ("Succeeded", "True")]),
    ],
)
def test_suggestion(policy, finished, expected):
    experiment = replace(EXPERIMENT, spec=replace(SPEC, resume_policy=policy))
    experiment = with_status(experiment, started=NOON, verdict=Verdict.MAX_TRIALS_REACHED if finished else None)
    resource = suggestion_resource(
        experiment, [replace(SUCCEEDED, number=1, name="tune-1"), replace(SUCCEEDED, labels={})]
    )
    assert (resource["kind"], resource["metadata"]["name"]) == ("Suggestion", "tune")
    assert resource["spec"] == {
        "algorithm": {"algorithmName": "random", "algorithmSettings": [{"name": "random_state", "value": "1"}]},
        "earlyStopping": {"algorithmName": "medianstop"},
        "requests": 2,
        "resumePolicy": policy.value,
    }
    assert resource["status"]["suggestionCount"] == 2
    assert resource["status"]["suggestions"] == [
        {"name": "tune-0", "parameterAssignments": ASSIGNMENTS},
        {"name": "tune-1", "parameterAssignments": ASSIGNMENTS, "labels": {"bracket": "2"}},
    ]
    assert [(c[0], c[1]) for c in conditions(resource)] == [("Created", "True"), *expected]


def test_lists_and_names():
    resource = trial_resource(EXPERIMENT, SUCCEEDED)
    assert list_resource("Trial", [resource]) == {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "TrialList",
        "metadata": {},
        "items": [resource],
    }
    assert resource_name("Experiment", "tune") == "experiment.kubeflow.org/tune"


REST_OF_CLASSES = [failure for failure in FailureClass if failure is not FailureClass.OUT_OF_MEMORY]
SPECS = [
    pytest.param(SPEC, id="job"),
    pytest.param(
        replace(
            SPEC,
            space=SearchSpace(
                (
                    Real("a", 1e-6, 0.1, Distribution.LOG_UNIFORM),
                    Real("b", 0.0, 1.0, step=0.1),
                    Integer("c", 1, 9, Distribution.NORMAL, 2),
                    Integer("d", -3, 3),
                    Ordinal("e", (1, 2.5), ("1", "2.5")),
                    Choice("f", ("x", "y")),
                )
            ),
            objective=Objective("acc", Direction.MAXIMIZE, strategies={"acc": Strategy.LATEST}),
            collector=CollectorSpec("File", "/logs/m.log", "TEXT", (r"(\w+)=(\d+)",)),
            stopper=None,
            resume_policy=ResumePolicy.LONG_RUNNING,
            budget=Budget(1),
        ),
        id="every-parameter",
    ),
    pytest.param(
        replace(
            SPEC, collector=CollectorSpec("TensorFlowEvent", "/tf", "TEXT", directory=True), algorithm=Component("grid")
        ),
        id="events",
    ),
    pytest.param(
        replace(SPEC, collector=CollectorSpec("Custom", options={"customCollector": {"name": "c"}})),
        id="custom-collector",
    ),
    pytest.param(
        replace(
            SPEC,
            collector=CollectorSpec("Custom", "/m", "JSON", options={"customCollector": {"name": "c"}}, directory=True),
        ),
        id="custom-collector-of-a-folder",
    ),
    pytest.param(
        replace(SPEC, collector=CollectorSpec("PrometheusMetric", options={"httpGet": {"port": 80}})), id="prometheus"
    ),
    pytest.param(
        replace(
            SPEC,
            space=SearchSpace(
                (
                    Ordinal("batch", (16, 32), ("16", "32"), default=32),
                    Real("m", 0.0, 1.0, condition=Condition("batch", (32,))),
                ),
                constraints=(Constraint("m < 0.9"),),
            ),
            objective=Objective(
                "acc",
                Direction.MAXIMIZE,
                0.9,
                strategies={"acc": Strategy.MAX, "ms": Strategy.LATEST},
                others=(Target("ms", goal=9.0),),
                constraints=(Constraint("ms < 50 and m < 0.95"),),
                repeats=2,
            ),
            initial=({"batch": 32, "m": 0.5}, {"batch": 16}),
            limits=Limits(5400.0, 90.0, 0.25),
            retry=RetryPolicy({FailureClass.OUT_OF_MEMORY: 1, **dict.fromkeys(REST_OF_CLASSES, 0)}, 10.0, 60.0),
        ),
        id="beyond-katib",
    ),
    pytest.param(replace(SPEC, space=SearchSpace(), nas={"graphConfig": {"numLayers": 2}}), id="nas"),
]


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_without_a_document_reads_back_as_itself(spec):
    tree = experiment_resource(replace(EXPERIMENT, spec=spec, budget=spec.budget))
    model, unknown = read(documents.Experiment, tree)
    assert not unknown
    assert to_spec(model) == spec


@pytest.mark.parametrize("status", list(TrialState))
@pytest.mark.parametrize("experiment", [pytest.param(EXPERIMENT, id="job"), pytest.param(PYTHON, id="python")])
def test_our_models_know_every_field(experiment, status):
    trial = replace(SUCCEEDED, state=status)
    experiment = with_status(
        experiment,
        started=NOON,
        finished=NOON,
        verdict=Verdict.GOAL_REACHED,
        best=0,
        best_name="tune-0",
        best_value=1.0,
    )
    for kind, tree in (
        (documents.Experiment, experiment_resource(experiment, [trial])),
        (documents.Experiment, experiment_resource(experiment)),
        (trial_documents.Trial, trial_resource(experiment, trial)),
        (trial_documents.Suggestion, suggestion_resource(experiment, [trial])),
    ):
        model, unknown = read(kind, json.loads(json.dumps(tree)))
        assert not unknown
        assert model.status.conditions[-1].type
