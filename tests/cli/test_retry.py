"""``katib retry`` and ``katib diff``."""

from __future__ import annotations

import json
import os

import pytest

from katib.cli.exits import NOT_FOUND, OK, TIME_OUT, USAGE
from tests.cli.command_line import document, started, until, write
from tests.cli.test_wishes import foreign_owner

# Fails at its first attempt unless it is told by a file that all is well again.
FLAKY = 'test -e well || test "$KATIB_ATTEMPT" -gt 1 || exit 3; echo loss=${trialParameters.x}'


def trials(katib, name="exp"):
    return json.loads(katib("get", "trials", name, "-o", "json").out)["items"]


def states(katib, name="exp"):
    return [trial["status"]["conditions"][-1]["type"] for trial in trials(katib, name)]


@pytest.fixture
def ended(katib, tmp_path):
    """Three failed trials of an experiment that ended by maxTrialCount and may go on."""
    assert katib("run", write(tmp_path, document(script=FLAKY, resumePolicy="FromVolume"))).status == OK
    assert states(katib) == ["Failed"] * 3
    return [trial["metadata"]["name"] for trial in trials(katib)]


def test_after_the_end_it_waits_for_resume(katib, ended):
    answer = katib("retry", ended[0], f"trial/{ended[2]}")
    again = "nothing runs the experiment now; go on with: katib resume exp"
    assert (answer.status, answer.err) == (OK, "")
    assert answer.out.splitlines()[:2] == [f"trial.kubeflow.org/{ended[0]} retried (attempt 2)", again]
    assert f"trial.kubeflow.org/{ended[2]} retried (attempt 2)" in answer.out
    assert states(katib) == ["Created", "Failed", "Created"]
    assert "Stopped" in katib("get", "experiment", "exp").out
    assert katib("resume", "exp").status == OK
    assert states(katib) == ["Succeeded", "Failed", "Succeeded"]
    assert katib("logs", ended[0]).out.startswith("loss=")
    assert katib("logs", ended[0], "--attempt", "1").out == ""


def test_while_it_runs_its_owner_starts_it(katib, tmp_path):
    # Of the two only one makes the folder, and fails; the other one goes on meanwhile.
    script = f'if test "$KATIB_ATTEMPT" = 1; then mkdir first 2> {os.devnull} || sleep 60; fi; {FLAKY}'
    with started(
        tmp_path, "run", write(tmp_path, document(script=script, maxTrialCount=2, parallelTrialCount=2))
    ) as run:
        run.said("Failed [1/2]")
        name = next(line for line in run.out.splitlines() if "Failed [1/2]" in line).split()[1]
        answer = katib("retry", name)
        assert answer.out == f"trial.kubeflow.org/{name} retried (attempt 2)\n"
        run.said(f"{name} Running attempt 2")
        run.said(f"{name} Succeeded [1/2]")
        assert katib("stop", "exp").status == OK


def test_of_a_stopped_experiment(katib, tmp_path):
    script = f"test -e slow && sleep 60; touch slow; {FLAKY}"
    with started(tmp_path, "run", write(tmp_path, document(script=script))) as run:
        run.said("Failed [1/3]")
        assert katib("stop", "exp").status == OK
        run.end()
    name = next(t["metadata"]["name"] for t in trials(katib) if t["status"]["conditions"][-1]["type"] == "Failed")
    assert "go on with: katib resume exp" in katib("retry", name).out
    (tmp_path / "slow").unlink()
    (tmp_path / "well").touch()
    until(lambda: "Stopped" in katib("get", "experiment", "exp").out, "rest")


def test_an_owner_that_does_not_answer(katib, home, ended):
    with foreign_owner(home, "exp"):
        answer = katib("retry", ended[0], "--timeout", "0.3")
        assert (answer.status, answer.out) == (TIME_OUT, f"trial.kubeflow.org/{ended[0]} is being retried\n")
    assert katib("retry", ended[0]).out.startswith(f"trial.kubeflow.org/{ended[0]} retried (attempt 2)\n")


def test_refused(katib, finished):
    (name, *_) = [trial["metadata"]["name"] for trial in trials(katib)]
    answer = katib("retry", name)
    assert (answer.status, answer.out) == (USAGE, "")
    assert f"trial {name!r} cannot be retried: it is Succeeded" in answer.err


def test_refused_after_an_end_that_is_final(katib, tmp_path):
    katib("run", write(tmp_path, document(script=FLAKY)))
    answer = katib("retry", trials(katib)[0]["metadata"]["name"])
    assert answer.status == USAGE
    assert "its experiment has ended (ExperimentMaxTrialsReached, resumePolicy Never)" in answer.err


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        pytest.param(("retry", "nope"), NOT_FOUND, "no trial 'nope'", id="retry"),
        pytest.param(("retry", "exp/nope"), USAGE, "only trials can be retried, got experiment 'nope'", id="kind"),
        pytest.param(("diff", "a-b", "a-c"), NOT_FOUND, "no trial 'a-b'", id="diff"),
        pytest.param(("diff", "a-b"), USAGE, "expected the names of two trials", id="one"),
        pytest.param(("diff", "exp/a", "b"), USAGE, "expected the names of two trials", id="kind of diff"),
    ],
)
def test_errors(katib, words, status, message):
    answer = katib(*words)
    assert (answer.status, answer.out) == (status, "")
    assert message in answer.err


def test_diff(katib, finished):
    first, second = (trial["metadata"]["name"] for trial in trials(katib)[:2])
    rows = {line.split()[0]: line.split() for line in katib("diff", first, second).out.splitlines()}
    assert rows["FIELD"] == ["FIELD", first, second, "CHANGE"]
    assert rows["parameters.x"][1:3] == rows["metrics.loss"][1:3]
    assert list(rows)[1:3] == ["parameters.x", "metrics.loss"]
    assert "state" not in rows
    a, b = map(float, rows["parameters.x"][1:3])
    assert float(rows["parameters.x"][3]) == pytest.approx(b - a, abs=1e-3)
    everything = katib("diff", first, second, "--all").out
    assert "random" in everything
    found = json.loads(katib("diff", "trials", first, second, "-o", "json").out)
    assert found["trials"] == [first, second]
    assert {"field": "parameters.x", "values": [a, b]} in found["differences"]


def test_diff_of_one_with_itself(katib, finished):
    name = trials(katib)[0]["metadata"]["name"]
    assert katib("diff", name, name).out == "no differences\n"
    assert json.loads(katib("diff", name, name, "-o", "json").out) == {"trials": [name, name], "differences": []}


def test_diff_of_unlike_trials(katib, tmp_path, finished):
    katib("run", write(tmp_path, document("other", script="echo loss=none; exit 2", maxTrialCount=1)))
    good, bad = trials(katib)[0]["metadata"]["name"], trials(katib, "other")[0]["metadata"]["name"]
    out = katib("diff", good, bad).out
    assert "experiment" in out
    assert "exit status 2" in out
