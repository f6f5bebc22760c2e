"""``katib describe`` and ``best``."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from katib.cli.exits import NOT_FOUND, OK, USAGE
from katib.core.changes import Changes, TrialChange
from katib.core.experiment import ExperimentStatus
from katib.core.trial import Key, Trial, TrialState
from katib.storage import open_store
from tests.cli.command_line import document, write


def test_experiment(katib, finished, tmp_path):
    for words in ((finished,), ("experiment", finished), (f"exp/{finished}",)):
        answer = katib("describe", *words)
        assert answer.status == OK
        fields = dict(re.findall(r"^([A-Z][\w ]+): +(.+)$", answer.out, re.MULTILINE))
        assert fields["Name"] == finished
        assert fields["Status"] == "Succeeded: all 3 trials are done"
        assert fields["Objective"] == "minimize loss"
        assert fields["Budget"] == "3 trials, 1 in parallel, any number may fail"
        assert fields["Trials"] == "3 Succeeded"
        assert answer.out.count("\n  exp-") == 3
        assert "ExperimentMaxTrialsReached" in answer.out
        assert katib("best", finished).out in answer.out


def test_trial(katib, tmp_path):
    katib("run", write(tmp_path, document(script="echo loss=2; echo the end; exit 4", maxTrialCount=1)))
    (trial,) = json.loads(katib("get", "trials", "exp", "-o", "json").out)["items"]
    name = trial["metadata"]["name"]
    for words in ((name,), ("trial", name), (f"trials/{name}",)):
        out = katib("describe", *words).out
        assert re.search(r"^Status: +Failed: exit status 4$", out, re.MULTILINE)
        assert re.search(r"^  loss +2 +2 +2 +1$", out, re.MULTILINE)
        assert "Last output:\n  loss=2\n  the end\n" in out
        assert re.search(r"Warning +TrialFailed +\S+ exit status 4", out)
        assert "Run it again:\n  sh -c 'echo loss=2; echo the end; exit 4'" in out


def test_stopped_experiment_says_how_to_go_on(katib, tmp_path):
    katib("run", write(tmp_path, document(script="sleep 30")), "--timeout", "0.3")
    out = katib("describe", "exp").out
    assert "stopped after 0 finished trials; go on with: katib resume exp" in out
    assert "no best trial: 1 trial failed or gave no metric" not in out


@pytest.mark.parametrize("count", [15, 3000])
def test_reads_the_newest_trials_only(katib, finished, home, monkeypatch, count):
    """Many measurements between the last records do not hide them, and old trials are not read."""
    key = Key("default", finished)
    store = open_store(f"sqlite:///{home}/katib.db").store
    now = time.time()
    trials = [
        Trial(n, f"exp-{n:08d}", {"x": 1.0}, state=TrialState.SUCCEEDED, created=now, finished=now)
        for n in range(3, count)
    ]
    status = ExperimentStatus({TrialState.SUCCEEDED: count})
    store.commit(Changes(key, status=status, trials=tuple(map(TrialChange, trials))))
    read = []
    kind = type(store)
    whole = kind.trials

    def watched(self, key, since=0):
        read.append(len(found := whole(self, key, since)))
        return found

    monkeypatch.setattr(kind, "trials", watched)
    out = katib("describe", finished).out
    store.close()
    assert sum(read) <= 300
    assert re.findall(r"^  (exp-\d+)", out, re.MULTILINE) == [f"exp-{n:08d}" for n in range(count - 10, count)]
    assert f"{count} Succeeded" in out


def test_best(katib, finished):
    answer = katib("best", finished)
    assert answer.status == OK
    assert answer.out.startswith(f"best trial {finished}-")
    assert katib("best", f"experiment/{finished}").out == answer.out
    report = json.loads(katib("best", finished, "-o", "json").out)
    assert yaml.safe_load(katib("best", finished, "-o", "yaml").out) == report
    assert Path(report["files"], "stdout.log").is_file()
    assert katib("best", finished, "-o", "markdown").out.startswith(f"# Best trial of {finished}\n")
    assert report["trial"] in answer.out
    again = subprocess.run(["sh", "-c", report["command"]], capture_output=True, text=True, check=True)
    assert again.stdout == f"loss={report['parameters']['x']}\n"


def test_no_best_trial_yet(katib, tmp_path):
    katib("run", write(tmp_path, document(script="sleep 30")), "--timeout", "0.3")
    for output in ("text", "json", "markdown"):
        answer = katib("best", "exp", "-o", output)
        assert (answer.status, answer.out) == (NOT_FOUND, "")
        assert "no best trial" in answer.err


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        pytest.param(
            ("describe", "exq"), NOT_FOUND, "no experiment 'exq' in namespace 'default' (did you mean", id="e"
        ),
        pytest.param(("describe", "exp", "exq"), NOT_FOUND, "no experiment 'exq'", id="kind and name"),
        pytest.param(("describe", "trial", "exp"), NOT_FOUND, "it is an experiment, see: katib get trials exp", id="t"),
        pytest.param(("describe", "pod", "x"), USAGE, "unknown kind 'pod'", id="kind"),
        pytest.param(("describe", "a", "b", "c"), USAGE, "expected [KIND] NAME", id="words"),
        pytest.param(("describe",), USAGE, "Missing argument", id="no name"),
        pytest.param(("best", "exq"), NOT_FOUND, "no experiment 'exq'", id="best"),
        pytest.param(("best", "trial/x"), USAGE, "experiments have a best trial, got trial 'x'", id="best of a trial"),
    ],
)
def test_errors(katib, finished, words, status, message):
    answer = katib(*words)
    assert (answer.status, answer.out) == (status, "")
    assert message in answer.err
