"""Edits of an experiment that exists: only counts, by Katib's rules."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from katib.core.errors import SpecError
from katib.core.experiment import Budget, ExperimentStatus, ResumePolicy, Verdict
from katib.core.trial import TrialState
from katib.resources.edits import differences, editable_resource, edited_budget, edited_counts
from tests.resources.test_projection import EXPERIMENT

RUNNING = replace(
    EXPERIMENT,
    budget=Budget(4, 20, 5),
    status=ExperimentStatus(started=1.0, counts={TrialState.SUCCEEDED: 6, TrialState.RUNNING: 4}),
)


def ended(verdict: Verdict, policy: ResumePolicy):
    spec = replace(RUNNING.spec, resume_policy=policy)
    status = ExperimentStatus(started=1.0, finished=2.0, verdict=verdict, counts={TrialState.SUCCEEDED: 20})
    return replace(RUNNING, spec=spec, status=status)


@pytest.mark.parametrize(
    ("counts", "budget"),
    [
        pytest.param({"maxTrialCount": 11}, Budget(4, 11, 5), id="max"),
        pytest.param({"maxTrialCount": None}, Budget(4, None, 5), id="no-max"),
        pytest.param({"parallelTrialCount": 9}, Budget(9, 20, 5), id="parallel"),
        pytest.param({"parallelTrialCount": None}, Budget(3, 20, 5), id="default-parallel"),
        pytest.param({"maxFailedTrialCount": 0}, Budget(4, 20, 0), id="failed"),
        pytest.param({"maxFailedTrialCount": None}, Budget(4, 20, None), id="any-failed"),
        pytest.param(
            {"maxTrialCount": 30, "parallelTrialCount": 30, "maxFailedTrialCount": 30}, Budget(30, 30, 30), id="all"
        ),
    ],
)
def test_budgets(counts, budget):
    assert edited_budget(RUNNING, counts) == budget


@pytest.mark.parametrize(
    ("counts", "problems"),
    [
        pytest.param({"maxTrialCount": 10}, ["spec.maxTrialCount: got 10, expected more than the 10 trials"], id="8"),
        pytest.param({"maxTrialCount": 0}, ["spec.maxTrialCount: got 0, expected 1 or more"], id="3"),
        pytest.param({"parallelTrialCount": 0}, ["spec.parallelTrialCount: got 0, expected 1 or more"], id="4"),
        pytest.param({"maxFailedTrialCount": -1}, ["spec.maxFailedTrialCount: got -1, expected 0 or more"], id="2"),
        pytest.param(
            {"parallelTrialCount": 21, "maxFailedTrialCount": 21},
            [
                "spec.maxFailedTrialCount: got 21, expected at most maxTrialCount",
                "spec.parallelTrialCount: got 21, expected at most maxTrialCount",
            ],
            id="5-and-6",
        ),
    ],
)
def test_refused_budgets(counts, problems):
    with pytest.raises(SpecError) as caught:
        edited_budget(RUNNING, counts)
    assert len(caught.value.problems) == len(problems)
    assert all(str(p).startswith(text) for p, text in zip(caught.value.problems, problems, strict=True))


@pytest.mark.parametrize("policy", list(ResumePolicy))
@pytest.mark.parametrize("verdict", list(Verdict))
def test_an_ended_experiment_takes_more_trials_if_katib_would_restart_it(verdict, policy):
    experiment = ended(verdict, policy)
    if verdict is Verdict.MAX_TRIALS_REACHED and policy is not ResumePolicy.NEVER:
        assert edited_budget(experiment, {"maxTrialCount": 21}).max_trials == 21
        with pytest.raises(SpecError, match="expected more than the 20 trials"):
            edited_budget(experiment, {"parallelTrialCount": 1})
        return
    with pytest.raises(SpecError) as caught:
        edited_budget(experiment, {"maxTrialCount": 21})
    assert f"complete ({verdict.value}, resumePolicy {policy.value})" in str(caught.value)


def test_what_is_shown_to_edit():
    tree = editable_resource(RUNNING)
    assert list(tree) == ["apiVersion", "kind", "metadata", "spec"]
    assert set(tree["metadata"]) <= {"name", "namespace", "labels", "annotations"}
    assert tree["spec"]["maxTrialCount"] == 20
    assert edited_counts(tree, copy.deepcopy(tree)) == {}
    assert edited_counts(tree, {**tree, "status": {"trials": 7}}) == {}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param(lambda tree: tree["metadata"].update(name="other"), "metadata.name", id="name"),
        pytest.param(lambda tree: tree["metadata"]["labels"].update(x="y"), "metadata.labels.x", id="label"),
        pytest.param(lambda tree: tree["spec"]["objective"].update(goal=0.5), "spec.objective.goal", id="nested"),
        pytest.param(lambda tree: tree["spec"].update(maxTrials=3), "spec.maxTrials", id="unknown field"),
        pytest.param(lambda tree: tree["spec"].pop("algorithm"), "spec.algorithm", id="taken away"),
        pytest.param(lambda tree: tree["spec"].update(maxTrialCount="many"), "spec.maxTrialCount", id="no number"),
        pytest.param(lambda tree: tree.update(kind="Trial"), "kind", id="kind"),
    ],
)
def test_nothing_else_can_be_edited(change, path):
    before = editable_resource(RUNNING)
    after = copy.deepcopy(before)
    change(after)
    with pytest.raises(SpecError) as caught:
        edited_counts(before, after)
    assert [problem.path for problem in caught.value.problems] == [path]


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2, "b": 3}, ["a", "b"]),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ["a[1].b"]),
        ({"a": [1]}, {"a": [1, 2]}, ["a"]),
        ({"a": {}}, {"a": []}, ["a"]),
    ],
)
def test_differences(old, new, paths):
    assert [path for path, _, _ in differences(old, new)] == paths
