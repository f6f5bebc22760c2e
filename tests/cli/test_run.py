"""``katib run`` and ``resume``: exit statuses, output formats, and what the same file does again."""

from __future__ import annotations

import json
import re
import subprocess

import pytest
import yaml

from katib.cli.exits import FAILED, OK, TIME_OUT, USAGE
from tests.cli.command_line import document, function_document, trial_counts, write

SLEEPS = "echo loss=1; sleep 30"


def test_runs_to_the_best_trial(katib, tmp_path):
    answer = katib("run", write(tmp_path, document(script="echo loss=${trialParameters.x}; echo acc=0.5")))
    assert (answer.status, answer.err) == (OK, "")
    first, *lines = answer.out.splitlines()
    assert first == "experiment exp: random, minimize loss, 3 trials, 1 in parallel"
    starts = [line for line in lines if re.fullmatch(r"\d\d:\d\d:\d\d exp-\w{8} Running x=[\d.]+", line)]
    ends = [line for line in lines if re.fullmatch(r"\d\d:\d\d:\d\d exp-\w{8} Succeeded \[\d/3\] loss=[\d.]+", line)]
    assert (len(starts), len(ends)) == (3, 3)
    assert "experiment exp succeeded in" in answer.out
    assert "all 3 trials are done (ExperimentMaxTrialsReached)" in answer.out
    values = [float(line.rpartition("=")[2]) for line in ends]
    assert re.search(rf"^    loss +{min(values)}", answer.out, re.MULTILINE)


def test_command_of_the_best_trial_runs_again(katib, tmp_path):
    script = """echo "it's ${trialParameters.x}" '$HOME' "$WORD" >&2; echo loss=${trialParameters.x}"""
    tree = document(script=script)
    pod = tree["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    pod["containers"][0]["env"] = [{"name": "WORD", "value": "two words; 'quoted'"}]
    answer = katib("run", write(tmp_path, tree))
    command = answer.out.partition("run it again:\n")[2]
    name = json.loads(katib("best", "exp", "-o", "json").out)["trial"]
    again = subprocess.run(["bash", "-c", f"({command}) 2>&1"], capture_output=True, text=True, check=True)
    assert again.stdout == katib("logs", name).out
    assert "$HOME two words; 'quoted'" in again.stdout


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_prints_the_resource_and_nothing_else(katib, tmp_path, output):
    file = write(tmp_path, document())
    for _ in range(2):  # the second time it is complete
        answer = katib("run", file, "-o", output)
        resource = {"json": json.loads, "yaml": yaml.safe_load}[output](answer.out)
        assert (answer.status, answer.err) == (OK, "")
        assert (resource["kind"], resource["status"]["trialsSucceeded"]) == ("Experiment", 3)
        assert resource["status"]["currentOptimalTrial"]["bestTrialName"] in resource["status"]["succeededTrialList"]


def test_failing_trials_fail_the_run(katib, tmp_path):
    file = write(tmp_path, document(script="echo oh no; exit 3", maxFailedTrialCount=1))
    answer = katib("run", file)
    assert answer.status == FAILED
    assert "Failed [1/3] exit status 3" in answer.out
    assert "experiment exp failed" in answer.out
    assert "no best trial: 1 trial failed or gave no metric; see: katib get trials exp -o wide" in answer.out
    assert katib("run", file).status == FAILED
    assert katib("run", file, "-o", "json").status == FAILED


def test_same_file_again_is_complete(katib, tmp_path):
    file = write(tmp_path, document())
    first, second = katib("run", file), katib("run", file)
    assert second.status == OK
    assert "Running" not in second.out
    assert second.out.strip() == first.out[first.out.index("experiment exp succeeded") :].strip()
    assert katib("resume", "exp").out == second.out


def test_time_out_keeps_the_state(katib, tmp_path):
    file = write(tmp_path, document(script=f"test -e {tmp_path}/go || sleep 30; echo loss=1"))
    answer = katib("run", file, "--timeout", "0.4")
    assert answer.status == TIME_OUT
    assert "ran out of time after 0 finished trials; go on with: katib resume exp" in answer.out
    assert "Stopped" in katib("get", "experiment", "exp").out
    again = katib("resume", "exp", "--timeout", "0.4", "-o", "json")
    assert again.status == TIME_OUT
    assert json.loads(again.out)["status"]["trialsPending"] == 1
    (tmp_path / "go").touch()
    last = katib("run", file)
    assert last.status == OK
    assert "Running attempt 3 x=" in last.out
    assert trial_counts(katib) == {"trials": 3, "trialsSucceeded": 3}


class TestFileThatChanged:
    def test_in_its_spec(self, katib, tmp_path):
        tree = document()
        file = write(tmp_path, tree)
        assert katib("run", file).status == OK
        tree["spec"]["objective"]["type"] = "maximize"
        line = next(n for n, text in enumerate(write(tmp_path, tree).read_text().splitlines(), 1) if "type:" in text)
        answer = katib("run", file)
        assert (answer.status, answer.out) == (USAGE, "")
        place = f"error: {file}:{line}: spec.objective.type: got 'maximize', but experiment 'exp' exists with"
        assert answer.err == (f"{place} 'minimize'; change metadata.name, or remove the old one: katib delete exp\n")

    @pytest.mark.parametrize(
        ("change", "path", "got"),
        [
            pytest.param({"algorithm": {"algorithmName": "bayesianoptimization"}}, "algorithm.algorithmName", "'bay"),
            pytest.param({"earlyStopping": {"algorithmName": "medianstop"}}, "earlyStopping", "{'algorithmName"),
            pytest.param(
                {"objective": {"type": "minimize", "objectiveMetricName": "loss", "goal": 0.1}}, "objective.goal", "0.1"
            ),
        ],
        ids=["algorithm", "early stopping", "goal"],
    )
    def test_in_any_part(self, katib, tmp_path, change, path, got):
        assert katib("run", write(tmp_path, document())).status == OK
        answer = katib("run", write(tmp_path, document(**change)))
        assert answer.status == USAGE
        assert f"spec.{path}: got {got}" in answer.err

    def test_in_its_budget_after_its_end(self, katib, tmp_path):
        assert katib("run", write(tmp_path, document())).status == OK
        answer = katib("run", write(tmp_path, document(maxTrialCount=5)))
        assert answer.status == USAGE
        assert "spec.maxTrialCount: got 5, but experiment 'exp' is complete with 3" in answer.err
        assert katib("run", write(tmp_path, document(parallelTrialCount=2))).status == OK

    def test_in_its_budget_where_it_may_go_on(self, katib, tmp_path):
        assert katib("run", write(tmp_path, document(resumePolicy="LongRunning"))).status == OK
        answer = katib("run", write(tmp_path, document(resumePolicy="LongRunning", maxTrialCount=5)))
        assert answer.status == OK
        assert "goes on after 3 trials" in answer.out
        assert answer.out.count("Succeeded [") == 2
        assert trial_counts(katib) == {"trials": 5, "trialsSucceeded": 5}


class TestOptions:
    def test_parallel(self, katib, tmp_path):
        answer = katib("run", write(tmp_path, document()), "--parallel", "2")
        assert "3 trials, 2 in parallel" in answer.out

    def test_seed(self, katib, tmp_path):
        points = []
        for name in ("one", "two"):
            file = write(tmp_path, document(name))
            assert katib("run", file, "--seed", "7").status == OK
            items = json.loads(katib("get", "trials", name, "-o", "json").out)["items"]
            points.append([item["spec"]["parameterAssignments"] for item in items])
        assert points[0] == points[1]
        assert katib("run", file, "--seed", "7").status == OK
        answer = katib("run", file, "--seed", "8")
        assert (answer.status, answer.err.split(";")[0]) == (USAGE, "error: --seed 8: experiment 'two' exists with 7")

    def test_store(self, katib, tmp_path, monkeypatch):
        url = f"sqlite:///{tmp_path}/else.db"
        assert katib("run", write(tmp_path, document()), "--store", url).status == OK
        assert "no experiments found" in katib("get", "experiments").err
        assert "exp" in katib("get", "experiments", "--store", url).out
        monkeypatch.setenv("KATIB_STORE", url)
        assert "exp" in katib("get", "experiments").out

    def test_namespace(self, katib, tmp_path):
        tree = document(script=SLEEPS)
        tree["metadata"]["namespace"] = "team"
        answer = katib("run", write(tmp_path, tree), "--timeout", "0.3")
        assert "go on with: katib resume exp -n team" in answer.out
        assert katib("resume", "exp").status == 3
        assert katib("resume", "exp", "-n", "team", "--timeout", "0.3").status == TIME_OUT
        assert "exp" in katib("get", "experiments", "-A").out
        assert katib("delete", "exp", "-n", "team").status == OK

    def test_warnings_go_to_standard_error(self, katib, tmp_path):
        file = write(tmp_path, document(script="echo loss=1"))
        line = file.read_text().splitlines().index("  - name: x") + 1
        answer = katib("run", file, "-o", "json")
        message = "spec.parameters[0]: no trialParameter refers to 'x': no trial sees its value"
        assert answer.err == f"warning: {file}:{line}: {message}\n"
        json.loads(answer.out)

    def test_suggestion_process(self, katib, tmp_path):
        answer = katib("run", write(tmp_path, document()), "--suggestion", "process")
        assert (answer.status, answer.err) == (OK, "")

    def test_suggestion_service_that_is_not_there(self, katib, tmp_path):
        answer = katib("run", write(tmp_path, document()), "--suggestion", "127.0.0.1:1")
        assert answer.status == FAILED
        assert answer.err.startswith("error: ")
        assert "127.0.0.1:1" in answer.err
        assert katib("get", "experiment", "exp").status == 3


class TestFunctions:
    SOURCE = "import katib\ndef f(p):\n    print('x is', p['x'])\n    return p['x'] ** 2\n"

    @pytest.mark.parametrize("runner", [None, "process", "inline"])
    def test_runner(self, katib, tmp_path, runner):
        module = f"objective_{runner}"
        (tmp_path / f"{module}.py").write_text(self.SOURCE)
        file = write(tmp_path, function_document(f"{module}:f"))
        answer = katib("run", file, *(["--runner", runner] if runner else []))
        assert answer.status == OK, answer.err
        assert answer.out.count("Succeeded [") == 3
        command = answer.out.splitlines()[-1]
        assert re.fullmatch(rf"""  python -c 'from {module} import f; print\(f\({{"x": [\d.]+}}\)\)'""", command)
        name = json.loads(katib("best", "function", "-o", "json").out)["trial"]
        printed = answer.out if runner == "inline" else katib("logs", name).out
        assert "x is" in printed

    def test_prints_do_not_get_into_the_resource(self, katib, tmp_path):
        (tmp_path / "objective_prints.py").write_text(self.SOURCE)
        answer = katib(
            "run", write(tmp_path, function_document("objective_prints:f")), "--runner", "inline", "-o", "json"
        )
        assert json.loads(answer.out)["status"]["trialsSucceeded"] == 3
        assert "x is" in answer.err

    @pytest.mark.parametrize(
        ("tree", "runner", "message"),
        [
            pytest.param(document(), "process", "calls a function, but the template's kind is Job", id="job"),
            pytest.param(
                function_document("m:f", "exp"), "local", "runs commands, but the template is a", id="function"
            ),
            pytest.param(document(), "lokal", "unknown runner 'lokal' (did you mean 'local'?)", id="unknown"),
        ],
    )
    def test_runner_that_does_not_fit(self, katib, tmp_path, tree, runner, message):
        answer = katib("run", write(tmp_path, tree), "--runner", runner)
        assert answer.status == USAGE
        assert message in answer.err
        assert katib("get", "experiment", "exp").status == 3
