"""``spec.warmStart`` from the YAML to ``katib describe``."""

from __future__ import annotations

import json

import pytest

from katib.cli.exits import OK, USAGE
from tests.cli.command_line import document, write


def point(katib, name, number):
    trials = json.loads(katib("get", "trials", "-o", "json").out)["items"]
    mine = [trial for trial in trials if trial["metadata"]["ownerReferences"][0]["name"] == name]
    ordered = sorted(mine, key=lambda trial: trial["metadata"]["creationTimestamp"])
    return ordered[number]["spec"]["parameterAssignments"]


def test_a_new_experiment_begins_with_the_best_of_the_old_one(katib, finished, tmp_path):
    best = json.loads(katib("best", "exp", "-o", "json").out)["parameters"]
    tree = document("new", warmStart={"experiments": ["exp"], "tryFirst": 1}, maxTrialCount=4)
    tree["spec"]["parameters"][0]["feasibleSpace"] = {"min": "0", "max": "9"}
    answer = katib("run", write(tmp_path, tree))
    assert (answer.status, answer.err) == (OK, "")
    assert "/" not in answer.err
    shown = katib("describe", "new").out
    assert "Learns from:     exp (3 of 3 trials; relevance" in shown
    assert "learns from exp (3 of 3 trials)" in shown
    first = next(line for line in answer.out.splitlines() if " Running " in line)
    assert f"x={best['x']:g}"[:5] in first
    assert katib("delete", "exp").status == OK
    assert "exp (3 of 3 trials" in katib("describe", "new").out
    assert katib("run", write(tmp_path, tree)).status == OK  # the same file again: nothing is read anew


@pytest.mark.parametrize(
    ("given", "place"),
    [
        pytest.param({"experiments": ["gone"]}, "spec.warmStart.experiments[0]: there is no experiment", id="gone"),
        pytest.param({"experiments": ["new"]}, "spec.warmStart.experiments[0]: got 'new', expected", id="itself"),
        pytest.param({"experiment": ["exp"]}, "spec.warmStart.experiment: unknown field", id="unknown-field"),
        pytest.param({}, "spec.warmStart: names no former experiment", id="nothing"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(katib, finished, tmp_path, given, place):
    file = write(tmp_path, document("new", warmStart=given))
    answer = katib("run", file)
    assert answer.status == USAGE
    lines = file.read_text().splitlines()
    assert place in answer.err
    line = int(answer.err.split("new.yaml:")[1].split(":")[0])
    assert "warmStart" in lines[line - 1] or any(str(v) in lines[line - 1] for v in ("gone", "new", "experiment"))


def test_another_metric_is_refused(katib, finished, tmp_path):
    objective = {"type": "maximize", "objectiveMetricName": "f1"}
    answer = katib("run", write(tmp_path, document("new", objective=objective, warmStart={"experiments": ["exp"]})))
    assert answer.status == USAGE
    assert "no trial of 'default/exp' has a value of f1; it measures loss" in answer.err
    assert katib("describe", "new").status != OK  # nothing was created
