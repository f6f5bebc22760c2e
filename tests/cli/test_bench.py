"""``katib bench``: what it lists, runs, goes on with, refuses; and how it is left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from benchmarks.search.campaign import Ended, Task
from benchmarks.search.environments import NoEnvironmentError, State, Status
from benchmarks.search.rivals import RIVALS
from benchmarks.search.simulation import Conditions
from benchmarks.search.suites import SUITES
from benchmarks.search.trial_log import loads
from katib.cli import bench
from katib.cli.bench_screen import Forecast
from katib.cli.exits import FAILED, INTERRUPTED, OK, USAGE
from tests.cli.command_line import KATIB, on_terminal, plain

RUN = ("bench", "run", "--suite", "quick", "--problems", "sphere-2d,grid", "--budget", "6", "--seeds", "2")


def logs(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*/*/w*.json"))


def test_list(katib):
    answer = katib("bench", "list")
    assert answer.status == OK
    lines = [line.split() for line in answer.out.splitlines()]
    assert ["quick", str(len(SUITES["quick"]))] in lines
    assert ["random", "ours"] in lines
    tree = json.loads(katib("bench", "list", "-o", "json").out)
    assert tree == yaml.safe_load(katib("bench", "list", "-o", "yaml").out)
    assert {"name": "quick", "problems": list(SUITES["quick"])} in tree["suites"]
    known = {entry["name"] for entry in tree["problems"]}
    assert all(set(names) <= known for names in SUITES.values())


def test_run_and_go_on(katib, tmp_path):
    answer = katib(*RUN, "--algorithms", "random,tpe:n_startup_trials=3", "--workers", "2", "--out", "results")
    assert (answer.status, answer.err) == (OK, "")
    first, *ended, last = answer.out.splitlines()
    assert first == "8 runs to do, 0 done before"
    assert len(ended) == 8
    assert " [8/8] grid tpe:n_startup_trials=3 seed 1: 6 trials, best loss " in ended[-1]
    assert last == "8 runs in results; compare them with: katib bench report results"
    found = logs(tmp_path / "results")
    assert len(found) == 8
    log = loads(found[0].read_bytes())
    assert (log.suite, log.problem, log.algorithm, log.workers, log.budget) == ("quick", "grid", "random", 2, 6)
    again = katib(*RUN, "--algorithms", "random", "--workers", "2", "--seeds", "1-2", "--out", "results")
    assert again.out.splitlines()[0] == "2 runs to do, 2 done before"
    assert {path.name for path in logs(tmp_path / "results")} == {"w2-s0.json", "w2-s1.json", "w2-s2.json"}


def test_problems_of_another_suite(katib, tmp_path):
    words = ("bench", "run", "--suite", "full", "--budget", "2", "--seeds", "1", "--algorithms", "random")
    assert katib(*words, "--problems", "multi-objective,vessel", "--out", "results").status == OK
    assert {path.parts[-3] for path in logs(tmp_path / "results")} == {*SUITES["multi-objective"], "vessel"}
    assert {path.parts[-4] for path in logs(tmp_path / "results")} == {"full"}


def test_errors_are_told_once(katib):
    answer = katib(*RUN, "--algorithms", "hyperband:r_l=4:resource_name=none", "--out", "results", "--jobs", "2")
    assert answer.status == OK
    lines = sorted(answer.err.splitlines())
    assert all(line.startswith("warning: hyperband:r_l=4:resource_name=none: ") for line in lines)
    assert [line.rpartition(" (")[2] for line in lines] == ["2 runs: grid)", "2 runs: sphere-2d)"]
    again = katib(*RUN, "--algorithms", "hyperband:r_l=4:resource_name=none", "--out", "results", "--retry-errors")
    assert again.out.splitlines()[0] == "4 runs to do, 0 done before"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--algorithms", "rndom"], "unknown algorithm 'rndom' (did you mean 'random'?)"),
        (["--algorithms", "tpe:startup=3"], "error: --algorithms: tpe[startup]: tpe has no such setting"),
        (["--algorithms", "tpe:a=/"], "error: --algorithms: tpe:a=/: got 'a=/', expected setting=value"),
        (["--algorithms", "random,,tpe"], "'--algorithms': got 'random,,tpe', expected names"),
        (["--algorithms", "random", "--suite", "quik"], "unknown suite 'quik' (did you mean 'quick'?)"),
        (["--algorithms", "random", "--problems", "sphere-20d"], "unknown problem of the suite 'quick' 'sphere-20d'"),
        (["--algorithms", "random", "--seeds", "0"], "'--seeds': got '0', expected how many, or the first"),
        (["--algorithms", "random", "--seeds", "5-3"], "'--seeds': got '5-3', expected how many"),
        (["--algorithms", "random", "--budget", "0"], "'--budget': 0 is not in the range x>=1"),
        (["--algorithms", "random", "--limit-minutes", "0"], "'--limit-minutes': 0"),
        (["--algorithms", "random", "--data", "nowhere"], "'--data': Directory 'nowhere' does not exist"),
        ([], "Missing option '--algorithms'"),
    ],
)
def test_refused(katib, tmp_path, options, text):
    answer = katib(*RUN, "--out", "results", *options)
    assert (answer.status, answer.out) == (USAGE, "")
    assert text in answer.err
    assert not (tmp_path / "results").exists()


def test_budgets_are_not_mixed(katib):
    assert katib(*RUN, "--problems", "grid", "--algorithms", "random", "--out", "results").status == OK
    answer = katib(*RUN, "--budget", "7", "--algorithms", "random", "--out", "results")
    assert answer.status == USAGE
    assert answer.err == "error: results/manifest.json: its runs have a budget of 6 trials, --budget is 7\n"


@pytest.mark.parametrize("after", ["runs to do", "[1/60]"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(katib, tmp_path, number, after):
    """As by a terminal, which signals all processes of the command at once; also before any run has ended."""
    words = (*KATIB, *RUN, "--algorithms", "tpe", "--budget", "60", "--seeds", "30", "--out", "results", "--jobs", "2")
    with (tmp_path / "err").open("w") as err:
        process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=err, start_new_session=True)
    try:
        out = b""
        while after.encode() not in out:
            line = process.stdout.readline()
            assert line
            out += line
        os.killpg(process.pid, number)
        process.stdout.read()
        assert process.wait(30) == INTERRUPTED
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
    (told,) = (tmp_path / "err").read_text().splitlines()
    assert re.fullmatch(r"interrupted: \d+ of 60 runs done; the same command goes on", told)
    found = logs(tmp_path / "results")
    assert int(told.split()[1]) <= len(found) < 60
    assert all(loads(path.read_bytes()).error == "" for path in found)


def test_on_a_terminal(home, tmp_path):
    status, output = on_terminal(tmp_path, *RUN, "--algorithms", "random,pbt:n_population=9", "--out", "results")
    assert status == USAGE
    assert "pbt needs the setting 'truncation_threshold'" in plain(output)
    words = (*RUN, "--algorithms", "random,hyperband:r_l=4:resource_name=none", "--out", "results")
    status, output = on_terminal(tmp_path, *words)
    assert status == OK
    assert "8/8" in plain(output)
    assert "hyperband:r_l=4:resource_name=none seed 1: error: " in plain(output)


def test_time_left():
    tasks = [Task("p", algorithm, Conditions(seed, 10)) for seed in range(4) for algorithm in ("slow", "quick")]
    forecast = Forecast(tasks, jobs=2)
    assert forecast.seconds == 0
    forecast.add(Ended(tasks[0], 10, None, "", 60.0))
    assert forecast.seconds == 60.0 * 7 / 2
    forecast.add(Ended(tasks[1], 10, None, "", 2.0))
    assert forecast.seconds == (3 * 60.0 + 3 * 2.0) / 2


def test_rivals_are_listed_with_their_state(katib, monkeypatch, tmp_path):
    monkeypatch.setenv("KATIB_BENCH_ENVIRONMENTS", str(tmp_path))
    entries = {entry["name"]: entry for entry in json.loads(katib("bench", "list", "-o", "json").out)["algorithms"]}
    assert entries["optuna-tpe"]["state"] == "installed"
    assert (entries["hebo"]["kind"], entries["hebo"]["state"]) == ("rival", "absent")
    assert "katib bench install hebo" in entries["hebo"]["about"]


def test_rivals_that_are_left_out(katib, monkeypatch, tmp_path):
    monkeypatch.setenv("KATIB_BENCH_ENVIRONMENTS", str(tmp_path))
    answer = katib(*RUN, "--problems", "grid", "--algorithms", "random,hyperopt", "--out", "results")
    assert answer.err.startswith("error: rival 'hyperopt' is absent")
    assert not (tmp_path / "results").exists()
    answer = katib(*RUN, "--problems", "grid", "--algorithms", "fast-rivals", "--out", "results")
    assert answer.status == OK
    assert [line.split()[2] for line in answer.err.splitlines()] == ["hyperopt", "nevergrad"]
    assert {path.parts[-2] for path in logs(tmp_path / "results")} == {"optuna-tpe", "optuna-mtpe", "optuna-cmaes"}


@pytest.mark.parametrize(
    ("names", "states", "status"),
    [
        (["hebo", "smac"], {}, OK),
        (["hebo", "smac"], {"smac": Status(State.FAILED, "no such version")}, FAILED),
        (["optuna-tpe"], {}, OK),
    ],
)
def test_install(katib, monkeypatch, names, states, status):
    asked = []

    def install(environment):
        asked.append(environment.name)
        return states.get(environment.name, Status(State.INSTALLED))

    monkeypatch.setattr(bench, "install", install)
    answer = katib("bench", "install", *names)
    assert answer.status == status
    assert len(asked) == len(names)
    failed = {name: state.detail for name, state in states.items()}
    lines = [f"{name}: failed: {failed[name]}" if name in failed else f"{name}: installed" for name in names]
    assert answer.out.splitlines() == lines


def test_install_all_once_each(katib, monkeypatch):
    asked = []

    def install(environment):
        asked.append(environment.name)
        if environment.own:
            raise NoEnvironmentError("torch is missing")
        return Status(State.INSTALLED)

    monkeypatch.setattr(bench, "install", install)
    answer = katib("bench", "install", "all")
    assert answer.status == FAILED
    assert len(asked) == len({kind.environment for kind in RIVALS.values()})
    assert "hebo: installed" in answer.out
    assert "optuna-tpe: absent: torch is missing" in answer.out
    assert katib("bench", "install", "hbo").status == USAGE


def test_report_of_nothing(katib):
    answer = katib("bench", "report", "nowhere")
    assert answer.status == USAGE
    assert "Directory 'nowhere' does not exist" in answer.err


@pytest.mark.requires("bench")
def test_report_of_an_algorithm_that_never_ran(katib):
    assert katib("bench", "run", "--suite", "sphere-2d", "--algorithms", "random", "--budget", "2", "--seeds", "1",
                 "--out", "results").status == OK  # fmt: skip
    answer = katib("bench", "report", "results", "--algorithms", "random,tpe")
    assert answer.status == USAGE
    assert "unknown algorithm with a finished run 'tpe'; known: random" in answer.err
