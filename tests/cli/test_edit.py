"""``katib edit``: by options and in an editor; of running, stopped and ended experiments; ``resume`` with a budget."""

from __future__ import annotations

import json
import os
import sys
import time

import pytest

from katib.cli.exits import NOT_FOUND, OK, USAGE
from tests.cli.command_line import document, function_document, running_trials, started, until, write

LONG = {"resumePolicy": "LongRunning"}


def spec_of(katib, name="exp"):
    return json.loads(katib("get", "experiment", name, "-o", "json").out)["spec"]


@pytest.fixture
def ended(katib, tmp_path):
    """An experiment that has run its three trials and may go on."""
    assert katib("run", write(tmp_path, document(**LONG))).status == OK
    return "exp"


@pytest.fixture
def editor(tmp_path, monkeypatch):
    """Makes $EDITOR a program that does one edit after the other, each a pair of texts; it keeps what it was shown."""

    def make(*edits):
        script = tmp_path / "editor.py"
        script.write_text(
            "import pathlib, sys\n"
            f"edits, file, seen = {edits!r}, pathlib.Path(sys.argv[-1]), pathlib.Path({str(tmp_path / 'seen')!r})\n"
            "text, nth = file.read_text(), len(seen.read_text().split('\\0')) - 1 if seen.exists() else 0\n"
            "seen.open('a').write(text + '\\0')\n"
            "old, new = edits[nth] if nth < len(edits) else ('', '')\n"
            "assert old in text, text\n"
            "file.write_text(text.replace(old, new) if old else text)\n"
        )
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        return lambda: (tmp_path / "seen").read_text().split("\0")[:-1]

    return make


def kept(tmp_path):
    return list(tmp_path.glob("katib-edit-*.yaml"))


def test_after_the_end(katib, ended):
    answer = katib("edit", ended, "--max-trials", "5", "--max-failed", "4")
    expected = "experiment.kubeflow.org/exp edited\ngo on with: katib resume exp\n"
    assert (answer.status, answer.out, answer.err) == (OK, expected, "")
    assert (spec_of(katib)["maxTrialCount"], spec_of(katib)["maxFailedTrialCount"]) == (5, 4)
    assert katib("edit", ended, "--max-failed", "none").status == OK
    assert "maxFailedTrialCount" not in spec_of(katib)
    described = katib("describe", ended).out
    assert "maxTrialCount 3 -> 5, maxFailedTrialCount no limit -> 4" in described
    assert "it may have more trials now; go on with: katib resume exp" in described
    assert katib("resume", ended).status == OK
    assert json.loads(katib("get", "exp", ended, "-o", "json").out)["status"]["trialsSucceeded"] == 5


def test_unchanged(katib, ended):
    answer = katib("edit", ended, "--max-trials", "3")
    assert (answer.status, answer.out) == (OK, "experiment.kubeflow.org/exp unchanged\n")


def test_as_json(katib, ended):
    assert json.loads(katib("edit", ended, "--max-trials", "7", "-o", "json").out)["spec"]["maxTrialCount"] == 7


def test_resume_with_a_budget(katib, ended):
    answer = katib("resume", ended, "--max-trials", "4", "-o", "json")
    assert answer.status == OK
    assert json.loads(answer.out)["status"]["trialsSucceeded"] == 4


def test_while_it_runs(katib, home, tmp_path):
    """More run within a second of the edit; none is ended when fewer may."""
    file = write(tmp_path, document(script="sleep 60; echo loss=1", maxTrialCount=20))
    with started(tmp_path, "run", file) as run:
        until(lambda: len(running_trials(home)) >= 1, "a trial")
        run.said("Running")
        assert katib("edit", "exp", "--parallel", "3").out == "experiment.kubeflow.org/exp edited\n"
        until(lambda: run.out.count(" Running") == 3, "two more trials")
        assert katib("edit", "exp", "--parallel", "1").status == OK
        time.sleep(1)
        assert run.out.count(" Running") == 3
        assert katib("stop", "exp").status == OK


SLEEPY = """
import time
import katib

def objective(parameters):
    while True:  # until a stop
        katib.report_metrics(naps=1)
        time.sleep(0.05)
"""


def test_functions_get_more_workers_while_they_run(katib, tmp_path):
    (tmp_path / "sleepy.py").write_text(SLEEPY)
    with started(tmp_path, "run", write(tmp_path, function_document("sleepy:objective", maxTrialCount=9))) as run:
        run.said("Running")
        assert katib("edit", "function", "--parallel", "3").status == OK
        until(lambda: run.out.count(" Running") == 3, "two more trials")
        assert katib("stop", "function").status == OK
        run.end()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(
            ("--max-trials", "3", "--parallel", "9"), "spec.parallelTrialCount: got 9, expected", id="parallel"
        ),
        pytest.param(("--parallel", "0"), "spec.parallelTrialCount: got 0, expected 1 or more", id="none at a time"),
        pytest.param(("--max-failed", "1"), "spec.maxTrialCount: got 3, expected more than the 3", id="rule 8"),
        pytest.param(("--max-trials", "many"), "got 'many', expected a number, or none", id="no number"),
        pytest.param(("--parallel", "none"), "'none' is not a valid integer", id="parallel without limit"),
    ],
)
def test_refused(katib, ended, words, message):
    answer = katib("edit", ended, *words)
    assert (answer.status, answer.out) == (USAGE, "")
    assert message in answer.err


def test_refused_after_an_end_that_is_final(katib, finished):
    answer = katib("edit", finished, "--max-trials", "5")
    assert answer.status == USAGE
    assert "the experiment is complete (ExperimentMaxTrialsReached, resumePolicy Never)" in answer.err
    assert katib("resume", finished, "--max-trials", "5").status == USAGE


@pytest.mark.parametrize("verb", ["edit", "resume"])
def test_one_at_a_time(katib, verb):
    answer = katib(verb, "one", "two", "--parallel", "2")
    assert (answer.status, answer.out) == (USAGE, "")
    assert "at a time, got 2" in answer.err


def test_unknown(katib):
    assert katib("edit", "nope", "--parallel", "2").status == NOT_FOUND


def test_in_an_editor(katib, ended, editor, tmp_path):
    seen = editor(("maxTrialCount: 3", "maxTrialCount: 6"))
    answer = katib("edit", ended)
    assert (answer.status, answer.err) == (OK, "")
    assert answer.out.startswith("experiment.kubeflow.org/exp edited\n")
    assert spec_of(katib)["maxTrialCount"] == 6
    assert seen()[0].startswith("# What can be edited of this experiment")
    assert not kept(tmp_path)


def test_a_bad_edit_is_opened_again(katib, ended, editor, tmp_path):
    seen = editor(
        ("type: minimize", "type: maximize"),
        ("type: maximize", "type: minimize"),
        ("maxTrialCount: 3", "maxTrialCount: 9"),
    )
    assert katib("edit", ended).status == OK
    first, second, *_ = seen()
    assert "# error: " not in first
    assert "spec.objective.type: cannot be changed" in next(line for line in second.splitlines() if "# error" in line)
    assert len(seen()) == 2  # the second text is as the experiment was: nothing to do


def test_a_bad_edit_that_is_left_as_it_is_is_kept(katib, ended, editor, tmp_path):
    editor(("maxTrialCount: 3", "maxTrialCount: 2"))
    answer = katib("edit", ended)
    (file,) = kept(tmp_path)
    assert answer.status == USAGE
    line = next(i for i, text in enumerate(file.read_text().splitlines(), 1) if "maxTrialCount: 2" in text)
    assert f"error: {file}:{line}: spec.maxTrialCount: got 2, expected more than the 3 trials" in answer.err
    assert f"your text is kept in {file}" in answer.err
    assert spec_of(katib)["maxTrialCount"] == 3


@pytest.mark.parametrize("edit", [("", ""), None], ids=["nothing changed", "emptied"])
def test_cancelled(katib, ended, editor, tmp_path, monkeypatch, edit):
    if edit:
        editor(edit)
    else:
        editor()
        monkeypatch.setenv("EDITOR", "truncate -s 0")
    assert katib("edit", ended).out == "experiment.kubeflow.org/exp unchanged\n"
    assert not kept(tmp_path)


@pytest.mark.parametrize(
    ("command", "message"),
    [("no-such-editor", "cannot be run"), ("false", "ended with status 1"), ("'", "cannot be run")],
)
def test_bad_editors(katib, ended, editor, tmp_path, monkeypatch, command, message):
    editor()
    monkeypatch.setenv("EDITOR", command)
    answer = katib("edit", ended)
    assert answer.status == USAGE
    assert message in answer.err
    assert not kept(tmp_path)
    assert os.environ["EDITOR"] == command


def test_the_search_space_in_an_editor(katib, ended, editor, tmp_path):
    editor(("max: '2'", "max: 7"))
    answer = katib("edit", ended)
    assert (answer.status, answer.out.splitlines()[0]) == (OK, "experiment.kubeflow.org/exp edited")
    assert answer.err == "search space of exp, revision 1: x: max 2 -> 7\n"
    assert spec_of(katib)["parameters"][0]["feasibleSpace"]["max"] == "7"
    assert not kept(tmp_path)
    assert katib("resume", ended, "--max-trials", "12").status == OK
    assert "x: max 2 -> 7" in katib("describe", ended).out


def test_budget_and_search_space_at_once(katib, ended, tmp_path):
    file = write(tmp_path, document(**LONG))
    text = file.read_text().replace("max: '2'", "max: '3'").replace("maxTrialCount: 3", "maxTrialCount: 4")
    file.write_text(text)
    assert katib("run", file).status == OK  # the same by a file
    assert spec_of(katib)["maxTrialCount"] == 4
    assert spec_of(katib)["parameters"][0]["feasibleSpace"]["max"] == "3"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        pytest.param(("max: '2'", "max: '0.1'"), "got 0.1, expected at least min, which is 0.5", id="no-space"),
        pytest.param(("parameterType: double", "parameterType: int"), "got '0.5', expected an integer", id="no-int"),
        pytest.param(("- name: x\n    parameterType", "- name: y\n    parameterType"), "'y' is new", id="other-name"),
        pytest.param(("max: '2'", "maxx: '2'"), "unknown field 'maxx'", id="unknown"),
    ],
)
def test_a_bad_search_space_is_refused(katib, ended, editor, edit, said):
    editor(edit)
    answer = katib("edit", ended)
    assert answer.status == USAGE
    assert said in answer.err
    assert spec_of(katib)["parameters"][0]["feasibleSpace"] == {"min": "0.5", "max": "2", "distribution": "uniform"}
