"""Campaigns: which runs there are and in which order, files, going on, limits, processes that die, mixing refused."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.search import campaign as campaigns
from benchmarks.search import manifest
from benchmarks.search.campaign import Campaign, prepare, run
from benchmarks.search.trial_log import loads
from katib.core.errors import PermanentError, SpecError, UnknownNameError
from tests.benchmarks.search.test_simulation import without_times
from tests.benchmarks.search.toys import PROBLEMS, problem


def make(folder: Path, **changes) -> Campaign:
    base = Campaign(folder, "toys", ("bowl", "grid"), ("random", "tpe"), range(2), budget=8)
    return replace(base, **changes)


def run_all(campaign: Campaign, jobs: int = 1, **options) -> list[campaigns.Ended]:
    prepare(campaign, problem)
    return list(run(campaign, problem, campaign.open_tasks(**options), jobs))


def logs(folder: Path) -> dict[str, object]:
    return {str(path.relative_to(folder)): loads(path.read_bytes()) for path in sorted(folder.glob("*/*/*/*.json"))}


def test_each_seed_of_all_before_the_next(tmp_path):
    tasks = [(t.conditions.seed, t.problem, t.algorithm) for t in make(tmp_path).tasks()]
    rest = [(p, a) for p in ("bowl", "grid") for a in ("random", "tpe")]
    assert tasks == [(seed, *each) for seed in range(2) for each in rest]


def test_files(tmp_path):
    ended = run_all(make(tmp_path, workers=2), jobs=2)
    assert len(ended) == 8
    found = logs(tmp_path)
    assert list(found) == [
        f"toys/{p}/{a}/w2-s{s}.json" for p in ("bowl", "grid") for a in ("random", "tpe") for s in (0, 1)
    ]
    assert [path.name for path in tmp_path.rglob(".*")] == []
    for log in found.values():
        assert (log.suite, log.workers, log.budget, log.error) == ("toys", 2, 8, "")
        assert len(log.trials) == (8 if log.problem == "bowl" else 6)
    for each in ended:
        log = loads(each.task.path(tmp_path).read_bytes())
        assert (each.trials, each.loss) == (len(log.trials), min(trial.losses[0] for trial in log.trials))
        assert each.seconds > 0


def test_order_and_processes_change_nothing(tmp_path):
    run_all(make(tmp_path / "one"), jobs=1)
    run_all(make(tmp_path / "two", problems=("grid", "bowl"), algorithms=("tpe", "random")), jobs=2)
    one, two = logs(tmp_path / "one"), logs(tmp_path / "two")
    assert {path: without_times(log) for path, log in one.items()} == {p: without_times(log) for p, log in two.items()}


def test_going_on(tmp_path):
    campaign = make(tmp_path)
    prepare(campaign, problem)
    iterator = run(campaign, problem, campaign.open_tasks())
    first = [next(iterator) for _ in range(3)]
    iterator.close()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("w*.json")}
    assert len(before) == len(first) == 3
    assert len(run_all(campaign)) == 5
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert run_all(campaign) == []
    assert len(run_all(make(tmp_path, seeds=range(3)))) == 4


def test_runs_that_end_with_an_error(tmp_path):
    campaign = make(tmp_path, problems=("broken", "deadly", "bowl"), algorithms=("random",), seeds=(0,))
    errors = {each.task.problem: each.error for each in run_all(campaign)}
    assert errors == {
        "broken": "ZeroDivisionError: of the problem",
        "deadly": "its process died: SIGKILL",
        "bowl": "",
    }
    assert {log.problem: log.error for log in logs(tmp_path).values()} == errors
    assert run_all(campaign) == []
    assert [each.task.problem for each in run_all(campaign, retry_errors=True)] == ["broken", "deadly"]


def test_limit_of_a_run(tmp_path):
    campaign = make(tmp_path, problems=("endless", "bowl"), algorithms=("random",), seeds=(0,), minutes=0.5 / 60)
    began = time.monotonic()
    errors = [each.error for each in run_all(campaign)]
    assert errors == ["over the limit of 0.00833333 minutes", ""]
    assert time.monotonic() - began < 30


@pytest.mark.slow
def test_a_run_that_does_not_heed_its_limit(tmp_path, monkeypatch):
    """Its process is ended from outside."""
    campaign = make(tmp_path, problems=("endless", "bowl"), algorithms=("random",), seeds=(0,), minutes=None)
    monkeypatch.setattr(campaigns, "PATIENCE", 10.0)
    campaign, tasks = replace(campaign, minutes=0.0), list(campaign.tasks())  # the tasks have no limit of their own
    prepare(campaign, problem)
    errors = [each.error for each in run(campaign, problem, tasks)]
    assert errors == ["given up after 10 seconds", ""]


def test_leaving_ends_the_processes(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY_FOLDER", str(tmp_path))
    campaign = make(tmp_path / "out", problems=("bowl", "endless"), algorithms=("random",), seeds=(0,))
    prepare(campaign, problem)
    iterator = run(campaign, problem, campaign.open_tasks(), jobs=2)
    assert next(iterator).task.problem == "bowl"
    deadline = time.monotonic() + 30
    while not (tmp_path / "began").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    helpers = [p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())]
    assert helpers
    iterator.close()
    assert psutil.wait_procs(helpers, timeout=10)[1] == []
    assert [path.name for path in (tmp_path / "out").rglob("w*.json")] == ["w1-s0.json"]
    assert threading.active_count() == 1


def test_manifest(tmp_path):
    campaign = make(tmp_path)
    prepare(campaign, problem)
    prepare(replace(campaign, suite="other", problems=("traded",)), problem)
    prepare(replace(campaign, problems=("bad-half",)), problem)
    found = manifest.read(tmp_path / "manifest.json")
    assert found.budget == 8
    assert {suite: sorted(problems) for suite, problems in found.suites.items()} == {
        "toys": ["bad-half", "bowl", "grid"],
        "other": ["traded"],
    }
    assert found.suites["other"]["traded"] == (1.0, 0.1, (1.0, 1.0))
    assert found.versions["numpy"]


def other_bowl(name: str, data: Path | None):
    return replace(PROBLEMS[name], best=-1.0)


@pytest.mark.parametrize(
    ("changes", "find", "text"),
    [
        pytest.param({"budget": 9}, problem, r"manifest.json: .* 8 trials, --budget is 9", id="budget"),
        pytest.param({}, other_bowl, "manifest.json: problem 'bowl' was another", id="problem"),
    ],
)
def test_what_is_not_mixed(tmp_path, changes, find, text):
    prepare(make(tmp_path, problems=("bowl",)), problem)
    before = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(PermanentError, match=text):
        prepare(make(tmp_path, problems=("bowl",), **changes), find)
    assert (tmp_path / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("text", ["", "[]", '{"budget": "many"}'])
def test_no_manifest(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(PermanentError, match=r"manifest.json: no manifest"):
        prepare(make(tmp_path), problem)


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        pytest.param("rndom", UnknownNameError, "did you mean 'random'", id="unknown"),
        pytest.param("tpe:startup=3", SpecError, "no such setting", id="unknown setting"),
        pytest.param("tpe:n_startup_trials=x", SpecError, "expected an integer", id="bad value"),
    ],
)
def test_nothing_runs_with_a_wrong_algorithm(tmp_path, name, error, text):
    with pytest.raises(error, match=text):
        prepare(make(tmp_path, algorithms=("random", name)), problem)
    assert list(tmp_path.iterdir()) == []
