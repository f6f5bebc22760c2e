"""``katib get``: kubectl's spellings and formats, Katib's columns, and watches."""

from __future__ import annotations

import json
import re
import signal

import pytest
import yaml

from katib.cli.exits import INTERRUPTED, NOT_FOUND, OK, USAGE
from tests.cli.command_line import document, started, until, write


def trials_of(katib, name="exp"):
    return json.loads(katib("get", "trials", name, "-o", "json").out)["items"]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("experiments",), id="plural"),
        pytest.param(("experiment",), id="singular"),
        pytest.param(("exp",), id="short"),
        pytest.param(("Experiments",), id="upper case"),
        pytest.param(("experiments.kubeflow.org",), id="with its group"),
        pytest.param(("experiment", "exp"), id="name"),
        pytest.param(("experiment/exp",), id="kind and name"),
        pytest.param(("experiments", "exp", "-n", "default"), id="namespace"),
    ],
)
def test_spellings(katib, finished, words):
    answer = katib("get", *words)
    assert (answer.status, answer.err) == (OK, "")
    header, row = answer.out.splitlines()
    assert header.split() == ["NAME", "TYPE", "STATUS", "AGE"]
    assert re.fullmatch(r"exp +Succeeded +True +\d+s", row)


@pytest.mark.parametrize(
    ("words", "header", "rows"),
    [
        pytest.param(("trials", "exp"), ["NAME", "TYPE", "STATUS", "AGE"], 3, id="trials of an experiment"),
        pytest.param(("trials",), ["NAME", "TYPE", "STATUS", "AGE"], 3, id="all trials"),
        pytest.param(
            ("trials", "exp", "-o", "wide"),
            ["NAME", "TYPE", "STATUS", "AGE", "LATEST", "VALUE", "ATTEMPT", "PARAMETERS", "REASON"],
            3,
            id="wide trials",
        ),
        pytest.param(("suggestions",), ["NAME", "TYPE", "STATUS", "REQUESTED", "ASSIGNED", "AGE"], 1, id="suggestions"),
        pytest.param(
            ("experiments", "-A", "-o", "wide"),
            ["NAMESPACE", "NAME", "TYPE", "STATUS", "AGE", "TRIALS", "FAILED", "BEST", "OBJECTIVE", "ALGORITHM"],
            1,
            id="wide in all namespaces",
        ),
    ],
)
def test_tables(katib, finished, words, header, rows):
    answer = katib("get", *words)
    lines = answer.out.splitlines()
    assert (lines[0].split(), len(lines)) == (header, rows + 1)
    starts = [match.start() for match in re.finditer(r"\S+", lines[0])]
    assert all(line[start - 1] == " " for line in lines[1:] for start in starts[1:] if start <= len(line))


def test_wide_cells(katib, finished):
    _, row = katib("get", "exp", "-o", "wide").out.splitlines()
    best = json.loads(katib("best", "exp", "-o", "json").out)["metrics"][0]["min"]
    cells = re.split(r" {3,}", row)
    assert cells[4:] == ["3/3", "0", f"{float(best):.6g}", "minimize loss", "random"]
    trial = trials_of(katib)[0]["metadata"]["name"]
    cells = re.split(r" {3,}", katib("get", "trial", trial, "-o", "wide").out.splitlines()[1])
    assert cells[4] == cells[5]
    assert cells[6:] == ["1", f"x={float(cells[4]):.4g}"]


def test_lists_and_objects(katib, finished):
    listed = json.loads(katib("get", "trials", "exp", "-o", "json").out)
    assert (listed["apiVersion"], listed["kind"]) == ("kubeflow.org/v1beta1", "TrialList")
    assert [item["kind"] for item in listed["items"]] == ["Trial"] * 3
    name = listed["items"][0]["metadata"]["name"]
    for words in (("trial", name), (f"trials/{name}",)):
        assert yaml.safe_load(katib("get", *words, "-o", "yaml").out) == listed["items"][0]
    for kind in ("Experiment", "Suggestion"):
        many = json.loads(katib("get", f"{kind}s", "-o", "json").out)
        assert (many["kind"], [item["kind"] for item in many["items"]]) == (f"{kind}List", [kind])
        assert json.loads(katib("get", kind, "exp", "-o", "json").out) == many["items"][0]


def test_names(katib, finished):
    assert katib("get", "exp", "-o", "name").out == "experiment.kubeflow.org/exp\n"
    names = katib("get", "trials", "exp", "-o", "name").out.splitlines()
    assert names == [f"trial.kubeflow.org/{item['metadata']['name']}" for item in trials_of(katib)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("experiments",), "no experiments found in namespace 'default'", id="namespace"),
        pytest.param(("trials", "-A"), "no trials found in any namespace", id="everywhere"),
    ],
)
def test_nothing_there(katib, words, message):
    answer = katib("get", *words)
    assert (answer.status, answer.out, answer.err) == (OK, "", f"{message}\n")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        pytest.param(("exp", "exq"), NOT_FOUND, "no experiment 'exq' in namespace 'default' (did you", id="experiment"),
        pytest.param(
            ("trials", "exq"), NOT_FOUND, "no trial 'exq' in namespace 'default' (did you mean 'exp'?)", id="t"
        ),
        pytest.param(("trials", "exp-zzzzzzzz"), NOT_FOUND, "no trial 'exp-zzzzzzzz' in namespace", id="trial"),
        pytest.param(("suggestion", "none"), NOT_FOUND, "no experiment 'none'", id="suggestion"),
        pytest.param(("pods",), USAGE, "unknown kind 'pods'; expected experiments, trials or suggestions", id="kind"),
        pytest.param(("trails", "exp"), USAGE, "unknown kind 'trails' (did you mean 'trials'?)", id="misspelt kind"),
        pytest.param(("exp", "-o", "xml"), USAGE, "'xml' is not one of", id="format"),
        pytest.param(("exp", "exp", "-A"), USAGE, "a NAME cannot be looked up across all namespaces", id="-A"),
    ],
)
def test_errors(katib, finished, words, status, message):
    answer = katib("get", *words)
    assert (answer.status, answer.out) == (status, "")
    assert answer.err.startswith("error: ")
    assert message in answer.err


def test_other_namespace(katib, finished):
    assert katib("get", "exp", "exp", "-n", "other").status == NOT_FOUND
    assert "no experiments found in namespace 'other'" in katib("get", "exp", "-n", "other").err


def test_watch_prints_each_change_once(katib, tmp_path):
    katib("run", write(tmp_path, document("old")))
    with (
        started(tmp_path, "get", "experiments", "-w") as experiments,
        started(tmp_path, "get", "trials", "-w") as trials,
    ):
        experiments.said("old")
        until(lambda: trials.out.count("old-") == 3, "old trials")
        assert katib("run", write(tmp_path, document())).status == OK
        until(lambda: re.search(r"^exp +Succeeded", experiments.out, re.MULTILINE), "the end of the experiment")
        until(lambda: len(re.findall(r"^exp-\w+ +Succeeded", trials.out, re.MULTILINE)) == 3, "all trials")
        for watch in (experiments, trials):
            watch.signal(signal.SIGINT)
            assert watch.end().status == INTERRUPTED
            assert watch.err.strip() == ""
    cells = [line.split()[:2] for line in experiments.out.splitlines()]
    assert cells[:2] == [["NAME", "TYPE"], ["old", "Succeeded"]]
    assert cells[-1] == ["exp", "Succeeded"]
    assert all(cells.count(row) == 1 for row in cells)
    ended = [line.split()[0] for line in trials.out.splitlines() if line.split()[1] == "Succeeded"]
    assert len(ended) == len(set(ended)) == 6


def test_watch_of_one_experiment_in_other_formats(katib, tmp_path, finished):
    with started(tmp_path, "get", "trials", "exp", "-w", "-o", "name") as names:
        until(lambda: names.out.count("trial.kubeflow.org/exp-") == 3, "the trials that there are")
        assert katib("run", write(tmp_path, document("other"))).status == OK
        assert katib("delete", "exp").status == OK
        names.signal(signal.SIGINT)
        assert names.end().status == INTERRUPTED
    assert "other" not in names.out
    with started(tmp_path, "get", "exp", "other", "-w", "-o", "yaml") as process:
        process.said("currentOptimalTrial")
        process.signal(signal.SIGINT)
        process.end()
    assert [each["metadata"]["name"] for each in yaml.safe_load_all(process.out)] == ["other"]
