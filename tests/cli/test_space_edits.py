"""``katib run`` with a file whose parameters may be something else than before."""

from __future__ import annotations

import json
import re

import pytest

from katib.cli.exits import OK, USAGE
from tests.cli.command_line import document, started, until, write


def space(*, low="0.5", high="2", more=()):
    return [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": low, "max": high}}, *more]


def values(katib):
    trials = json.loads(katib("get", "trials", "-o", "json").out)["items"]
    return [float(trial["spec"]["parameterAssignments"][0]["value"]) for trial in trials], trials


def test_a_running_experiment_goes_on_in_the_wider_space(katib, home, tmp_path):
    """The owner is another process; it takes the change over while it runs. Only its lease stops the second command."""
    many = {"maxTrialCount": 500, "resumePolicy": "LongRunning"}
    file = write(tmp_path, document(script="echo loss=${trialParameters.x}; sleep 0.05", **many))
    with started(tmp_path, "run", file) as owner:
        owner.said("Succeeded [2/500]")
        write(
            tmp_path, document(script="echo loss=${trialParameters.x}; sleep 0.05", parameters=space(high="90"), **many)
        )
        answer = katib("run", file)
        assert "search space of exp, revision 1: x: max 2 -> 90" in answer.err
        assert "is run by" in answer.err
        until(lambda: max(values(katib)[0]) > 2, "a trial in the new part of the space")
        assert katib("stop", "exp").status == OK
        assert owner.popen.wait(30) is not None
    assert "x: max 2 -> 90" in katib("describe", "exp").out
    assert "Search space:    changed 1 time" in katib("describe", "exp").out
    shown = json.loads(katib("get", "experiment", "exp", "-o", "json").out)["spec"]["parameters"]
    assert shown[0]["feasibleSpace"]["max"] == "90"


def test_trials_outside_are_marked(katib, tmp_path):
    shape = {"resumePolicy": "FromVolume"}
    assert katib("run", write(tmp_path, document(**shape))).status == OK
    old, _ = values(katib)
    middle = f"{sum(sorted(old)[:2]) / 2:.6f}"
    file = write(tmp_path, document(parameters=space(high=middle), maxTrialCount=5, **shape))
    answer = katib("run", file)
    assert answer.status == OK, answer.err
    assert f"revision 1: x: max 2 -> {float(middle):g}; " in answer.err
    assert "of 3 trials lie outside of it" in answer.err
    new, trials = values(katib)
    outside = [value for value in new if value > float(middle)]
    assert len(new) == 5
    assert len(outside) == 2
    assert all(value <= float(middle) for value in new[3:])
    rows = katib("get", "trials", "-o", "wide").out
    assert rows.count("outside of the search space") == len(outside)
    marked = [t for t in trials if t["metadata"].get("annotations", {}).get("katib.dev/space") == "outside"]
    assert len(marked) == len(outside)
    assert "outside of the search space" in katib("describe", "trial", marked[0]["metadata"]["name"]).out


def test_a_budget_that_the_algorithm_refuses_is_not_written(katib, tmp_path):
    """An owner that runs would end the experiment over it."""
    grid = {
        "resumePolicy": "LongRunning",
        "algorithm": {"algorithmName": "grid"},
        "parameters": [{"name": "x", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "4"}}],
    }
    assert katib("run", write(tmp_path, document(**grid))).status == OK
    answer = katib("run", write(tmp_path, document(**grid, maxTrialCount=50)))
    assert answer.status == USAGE
    assert "spec.maxTrialCount: got 50, more than all 4 possible combinations" in answer.err
    assert json.loads(katib("get", "experiment", "exp", "-o", "json").out)["spec"]["maxTrialCount"] == 3


def test_the_best_trial_may_lie_outside(katib, tmp_path):
    shape = {"resumePolicy": "FromVolume"}
    assert katib("run", write(tmp_path, document(**shape))).status == OK
    old, _ = values(katib)
    file = write(tmp_path, document(parameters=space(low=f"{max(old) + 1e-4:.6f}"), maxTrialCount=4, **shape))
    answer = katib("run", file)
    assert answer.status == OK, answer.err
    for shown in (answer.out, katib("best", "exp").out):
        assert f"x  {min(old)}" in re.sub(" +", "  ", shown)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param(
            {
                "parameters": space(
                    more=[{"name": "y", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "2"}}]
                )
            },
            "spec.parameters[1]: 'y' is new; trials of before have no value of it; a new experiment can learn",
            id="added",
        ),
        pytest.param(
            {"parameters": space(high="9")},
            "spec.parameters: cannot be changed, the experiment is over (ExperimentMaxTrialsReached)",
            id="over",
        ),
        pytest.param(
            {"parameters": space(high="9"), "resumePolicy": "LongRunning"},
            "spec.resumePolicy: got 'LongRunning'",
            id="something-else-too",
        ),
    ],
)
def test_what_cannot_change_is_refused_with_its_line(katib, finished, tmp_path, fields, said):
    answer = katib("run", write(tmp_path, document(**fields)))
    assert answer.status == USAGE
    assert said in answer.err
    assert re.search(r"exp\.yaml:\d+: spec", answer.err)


def test_an_algorithm_that_cannot_use_it_refuses(katib, tmp_path):
    settings = [{"name": "r_l", "value": "4"}, {"name": "resource_name", "value": "x"}]
    shape = {
        "algorithm": {"algorithmName": "hyperband", "algorithmSettings": settings},
        "resumePolicy": "LongRunning",
        "maxTrialCount": 1,
    }
    assert katib("run", write(tmp_path, document(**shape))).status == OK
    answer = katib("run", write(tmp_path, document(**{**shape, "maxTrialCount": 2}, parameters=space(high="3"))))
    assert answer.status == USAGE
    assert "hyperband cannot use a search space that widens" in answer.err
