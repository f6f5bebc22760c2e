"""Fields beyond Katib's: what they mean, and what is said of wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from katib.core.constraints import Constraint
from katib.core.experiment import ExperimentSpec, Limits
from katib.core.objective import Direction, Strategy, Target
from katib.core.parameters import Condition
from katib.core.trial import FailureClass, Key, Trial
from katib.core.warm_start import WarmStart
from katib.resources.convert import to_spec
from katib.resources.defaults import fill_defaults
from katib.resources.documents import Experiment
from katib.resources.reading import read
from katib.resources.template import render
from katib.resources.validation import find_problems, validate
from tests.resources.experiment_trees import KNOWN, experiment_tree

OBJECTIVES = [
    {"type": "maximize", "objectiveMetricName": "accuracy", "goal": 0.9},
    {"type": "minimize", "objectiveMetricName": "latency"},
]
CONDITION = {"parent": "optimizer", "values": ["sgd"]}
MOMENTUM = {
    "name": "momentum", "parameterType": "double", "feasibleSpace": {"min": 0, "max": 1}, "default": 0.9,
    "condition": CONDITION,
}  # fmt: skip


def conditional(**more: Any) -> dict[str, Any]:
    parameters = experiment_tree()["spec"]["parameters"]
    return {"spec.parameters": [*parameters, {**MOMENTUM, **more}]}


def document(edits: dict[str, Any]) -> Experiment:
    model, unknown = read(Experiment, experiment_tree(edits))
    assert unknown == []
    return fill_defaults(model)


def spec_of(edits: dict[str, Any]) -> ExperimentSpec:
    validate(document(edits), KNOWN)
    return to_spec(document(edits))


def test_several_objectives():
    objective = spec_of({"spec.objective": {"objectives": OBJECTIVES}}).objective
    assert (objective.metric, objective.direction, objective.goal) == ("accuracy", Direction.MAXIMIZE, 0.9)
    assert objective.others == (Target("latency"),)
    assert dict(objective.strategies) == {"accuracy": Strategy.MAX, "latency": Strategy.MIN}
    written = document({"spec.objective": {"objectives": OBJECTIVES}}).spec.objective
    assert (written.type, written.objective_metric_name, written.goal) == ("maximize", "accuracy", 0.9)


def test_constraints_are_told_apart_by_what_they_name():
    spec = spec_of({"spec.constraints": ["lr * batch <= 2", "accuracy > 0.5 or layers < 3"]})
    assert spec.space.constraints == (Constraint("lr * batch <= 2"),)
    assert spec.objective.constraints == (Constraint("accuracy > 0.5 or layers < 3"),)


def test_conditions_and_defaults():
    spec = spec_of(conditional())
    momentum = spec.space["momentum"]
    assert (momentum.condition, momentum.default) == (Condition("optimizer", ("sgd",)), 0.9)
    # "sgd" stands at the middle of no list of two: the default point takes what the prior's median gives.
    assert spec.initial == ({"lr": 0.03, "layers": 3, "batch": 64, "optimizer": "adam"},)


def test_initial_trials_are_filled_up_and_come_once():
    points = [{"lr": 0.02}, {"lr": 0.02, "layers": 3}, {"optimizer": "sgd", "momentum": "0.1", "batch": 32}]
    assert spec_of({**conditional(default=None), "spec.initialTrials": points}).initial == (
        {"lr": 0.02, "layers": 3, "batch": 64, "optimizer": "adam"},
        {"lr": 0.03, "layers": 3, "batch": 32, "optimizer": "sgd", "momentum": 0.1},
    )


def test_limits_retries_seed_and_repeats():
    spec = spec_of(
        {
            "spec.maxDuration": "1h30m", "spec.maxTrialDuration": 90, "spec.noMetricTimeout": "5m", "spec.seed": 7,
            "spec.repeats": 3, "spec.retryPolicy": {"outOfMemory": 2, "lost": 0, "backoff": "10s"},
        }
    )  # fmt: skip
    assert spec.limits == Limits(5400, 90, 300)
    assert {failure: spec.retry.limits.get(failure, 0) for failure in FailureClass} == {
        FailureClass.USER_ERROR: 0, FailureClass.OUT_OF_MEMORY: 2, FailureClass.LOST: 0,
        FailureClass.TIME_OUT: 0, FailureClass.INFRASTRUCTURE: 3,
    }  # fmt: skip
    assert (spec.retry.backoff, spec.retry.max_backoff) == (10, 300)
    assert (spec.seed, spec.objective.repeats) == (7, 3)
    assert spec_of({"spec.retryPolicy": {"backoff": "10s", "maxBackoff": "0s"}}).retry.pause(1) == 0


def test_former_experiments_are_named_in_the_same_namespace():
    given = {"experiments": ["old", "older"], "selector": {"task": "digits"}, "maxTrials": 50, "tryFirst": 0}
    keys = (Key("default", "old"), Key("default", "older"))
    assert spec_of({"spec.warmStart": given}).warm_start == WarmStart(keys, {"task": "digits"}, 50, 0)
    assert spec_of({"spec.warmStart": {"experiments": ["old"]}}).warm_start == WarmStart(keys[:1])
    assert spec_of({}).warm_start is None


SEARCH = "spec.parameters[4]"


@pytest.mark.parametrize(
    ("edits", "path", "said"),
    [
        pytest.param({"spec.objective": {"objectives": OBJECTIVES[:1]}}, "spec.objective.objectives", "two or more",
                     id="one-objective"),
        pytest.param({"spec.objective": {"objectives": [OBJECTIVES[0], OBJECTIVES[0]]}},
                     "spec.objective.objectives[1].objectiveMetricName", "named once", id="objective-twice"),
        pytest.param({"spec.objective": {"objectives": [OBJECTIVES[0], {"objectiveMetricName": "x", "type": "min"}]}},
                     "spec.objective.objectives[1].type", "expected one of minimize, maximize", id="objective-type"),
        pytest.param({"spec.objective": {"objectives": OBJECTIVES, "type": "minimize"}}, "spec.objective.type",
                     "'maximize' as in the first of objectives", id="objective-differs-from-the-first"),
        pytest.param({"spec.constraints": ["lr <"]}, "spec.constraints[0]", "no expression", id="constraint-syntax"),
        pytest.param({"spec.constraints": ["lr < 1", "rate < 1"]}, "spec.constraints[1]",
                     "'rate' is neither a parameter nor a metric", id="constraint-name"),
        pytest.param({"spec.parameters[0].name": "learn-rate", "spec.trialTemplate.trialParameters[0].reference":
                     "learn-rate", "spec.constraints": ["learn-rate < 1"]}, "spec.constraints[0]",
                     "write `learn-rate` in backticks", id="constraint-dash"),
        pytest.param({"spec.constraints": ["1 < 2"]}, "spec.constraints[0]", "names nothing", id="constraint-empty"),
        pytest.param({"spec.constraints": ["optimizer < 1"]}, "spec.constraints[0]", "cannot be worked out",
                     id="constraint-of-text"),
        pytest.param({"spec.constraints": ["lr > 1"]}, "spec.constraints", "none of 2000", id="constraints-too-tight"),
        pytest.param(conditional(condition={"parent": "optimiser", "values": ["sgd"]}), f"{SEARCH}.condition.parent",
                     "did you mean 'optimizer'", id="parent-unknown"),
        pytest.param(conditional(condition={"parent": "lr", "values": ["0.01"]}), f"{SEARCH}.condition.parent",
                     "which is a double", id="parent-double"),
        pytest.param(conditional(condition={"parent": "optimizer"}), f"{SEARCH}.condition.values", "missing",
                     id="condition-without-values"),
        pytest.param(conditional(condition={"parent": "optimizer", "values": ["sgd", "lion"]}),
                     f"{SEARCH}.condition.values[1]", "expected one of sgd, adam", id="condition-value"),
        pytest.param(conditional(default="2"), f"{SEARCH}.default", "from 0 to 1", id="default-out-of-range"),
        pytest.param({"spec.parameters[1].feasibleSpace.step": 2, "spec.parameters[1].default": 2},
                     "spec.parameters[1].default", "that the step leads to", id="default-off-the-grid"),
        pytest.param({"spec.initialTrials": [{"lr": 0.02}, {"rate": 1}]}, "spec.initialTrials[1].rate",
                     "no such parameter", id="initial-name"),
        pytest.param({"spec.initialTrials": [{"lr": 9}]}, "spec.initialTrials[0].lr", "from 0.01 to 0.05",
                     id="initial-value"),
        pytest.param({**conditional(), "spec.initialTrials": [{"optimizer": "adam", "momentum": 0.5}]},
                     "spec.initialTrials[0].momentum", "its condition does not hold", id="initial-inactive"),
        pytest.param({"spec.constraints": ["lr < 0.03"], "spec.initialTrials": [{"lr": 0.04}]},
                     "spec.initialTrials[0]", "'lr < 0.03' does not hold", id="initial-forbidden"),
        pytest.param({"spec.constraints": ["lr < 0.03"], "spec.parameters[0].default": 0.04}, "spec.constraints",
                     "parameters' defaults: constraint 'lr < 0.03' does not hold", id="defaults-forbidden"),
        pytest.param({"spec.maxDuration": "soon"}, "spec.maxDuration", "a length of time such as", id="duration"),
        pytest.param({"spec.noMetricTimeout": "0s"}, "spec.noMetricTimeout", "greater than 0", id="duration-zero"),
        pytest.param({"spec.retryPolicy": {"lost": -1}}, "spec.retryPolicy.lost", "0 or more", id="retry-count"),
        pytest.param({"spec.retryPolicy": {"backoff": "x"}}, "spec.retryPolicy.backoff", "90s, 5m",
                     id="retry-backoff"),
        pytest.param({"spec.seed": -1}, "spec.seed", "from 0 to", id="seed"),
        pytest.param({"spec.warmStart": {"maxTrials": 9}}, "spec.warmStart", "names no former", id="warm-start"),
        pytest.param({"spec.warmStart": {"experiments": ["old", "old"]}}, "spec.warmStart.experiments[1]",
                     "not listed before", id="warm-start-twice"),
        pytest.param({"spec.warmStart": {"experiments": ["old"], "maxTrials": 0}}, "spec.warmStart.maxTrials",
                     "1 to 1000", id="warm-start-trials"),
        pytest.param({"spec.warmStart": {"experiments": ["old"], "tryFirst": -1}}, "spec.warmStart.tryFirst",
                     "0 or more", id="warm-start-first"),
        pytest.param({"spec.repeats": 0}, "spec.repeats", "1 or more", id="repeats-zero"),
        pytest.param({"spec.repeats": 13}, "spec.repeats", "at most maxTrialCount", id="repeats-beyond-the-budget"),
    ],
)  # fmt: skip
def test_problems(edits, path, said):
    found = [(p.path, p.message) for p in find_problems(document(edits), KNOWN)]
    assert [p for p, _ in found] == [path]
    assert said in found[0][1]


def test_a_search_of_architectures_has_no_warm_start():
    edits = {"spec.warmStart": {"experiments": ["old"]}, "spec.nasConfig": {"graphConfig": {"numLayers": 2}}}
    found = [str(problem) for problem in find_problems(document(edits), KNOWN)]
    assert "spec.warmStart: cannot be used with nasConfig; expected spec.parameters" in found


ARGUMENTS = ["train", "--lr=${trialParameters.rate}", "--momentum=${trialParameters.m}", "--m", "${trialParameters.m}"]
SHELL = ["sh", "-c", "train --lr ${trialParameters.rate} --momentum=${trialParameters.m}"]


@pytest.mark.parametrize(
    ("command", "parameters", "expected"),
    [
        pytest.param(ARGUMENTS, {"lr": 0.02, "optimizer": "adam"}, ["train", "--lr=0.02"], id="arguments-left-out"),
        pytest.param(ARGUMENTS, {"lr": 0.02, "optimizer": "sgd", "momentum": 0.5},
                     ["train", "--lr=0.02", "--momentum=0.5", "--m", "0.5"], id="arguments-present"),
        pytest.param(SHELL, {"lr": 0.02, "optimizer": "adam"},
                     ["sh", "-c", "train --lr 0.02 --momentum="], id="nothing-in-a-script"),
    ],
)  # fmt: skip
def test_inactive_parameters_in_the_template(command, parameters, expected):
    container = "spec.trialTemplate.trialSpec.spec.template.spec.containers[0]"
    references = [{"name": "rate", "reference": "lr"}, {"name": "m", "reference": "momentum"}]
    environment = [{"name": "M", "value": "${trialParameters.m}"}, {"name": "R", "value": "${trialParameters.rate}"}]
    spec = spec_of(
        {
            **conditional(), f"{container}.command": command, f"{container}.env": environment,
            "spec.trialTemplate.trialParameters": references,
        }
    )  # fmt: skip
    rendered = render(spec, Trial(0, "digits-0", {**parameters, "layers": 3, "batch": 32}))
    (trainer,) = rendered["spec"]["template"]["spec"]["containers"]
    assert trainer["command"] == expected
    assert [each["name"] for each in trainer["env"]] == (["M", "R"] if "momentum" in parameters else ["R"])
