"""Names of contestants: settings, order, short names, and what is refused."""

from __future__ import annotations

import pytest

from benchmarks.search import contestants
from benchmarks.search.contestants import ALIASES, contestant, expand
from benchmarks.search.environments import NoEnvironmentError, State, Status, path_of
from benchmarks.search.rivals import RIVALS
from benchmarks.search.simulation import simulate
from katib.core.errors import KatibError
from tests.benchmarks.search.test_simulation import without_times
from tests.benchmarks.search.toys import PROBLEMS, conditions


@pytest.mark.parametrize(
    ("names", "full"),
    [
        (["random", "tpe"], ["random", "tpe"]),
        (["tpe", "random", "tpe"], ["tpe", "random"]),
        (["tpe:n_startup_trials=4:gamma=2"], ["tpe:gamma=2:n_startup_trials=4"]),
        (["tpe:b=1:a=2", "tpe:a=2:b=1"], ["tpe:a=2:b=1"]),
        (["ours", "random"], list(ALIASES["ours"])),
        (["a.b:C:x=1"], ["a.b:C:x=1"]),
        (["optuna-tpe", "random"], ["optuna-tpe", "random"]),
    ],
)
def test_expand(names, full):
    assert expand(names) == full


@pytest.mark.parametrize("name", ["tpe", "tpe:n_startup_trials=4", "algorithms.random_search:RandomSearch"])
def test_name_is_kept(name):
    assert contestant(name).name == name


def test_settings_reach_the_algorithm():
    logs = [
        simulate(PROBLEMS["bowl"], contestant(name), conditions(budget=8))
        for name in ("tpe", "tpe:n_startup_trials=2", "tpe:n_startup_trials=20")
    ]
    points = [[trial.parameters for trial in log.trials] for log in logs]
    assert points[0][:2] == points[1][:2] == points[2][:2]
    assert points[1][2:] != points[2][2:]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tpe:n_startup_trials=4:x", "got 'x', expected setting=value"),
        ("tpe:a=../b", "got 'a=../b', expected setting=value"),
        ("tpe:a=1:a=2", "'a' is given twice"),
        ("tpee", "did you mean 'tpe'"),
        ("nothing:x=1", "settings are for our own algorithms"),
        ("no.such:Thing", "there is no module 'no.such'"),
        ("pbt", "pbt needs the setting 'n_population'"),
    ],
)
def test_refused(name, text):
    with pytest.raises(KatibError, match=text):
        contestant(name)


def status_by_name(environment, root=None):
    failed = Status(State.FAILED, "pip:\n no such version")
    return {"hebo": Status(State.ABSENT, "install it"), "smac": failed}.get(environment.name, Status(State.INSTALLED))


def test_short_names_leave_out_what_nobody_tried_to_install(monkeypatch):
    monkeypatch.setattr(contestants, "status_of", status_by_name)
    assert expand(["rivals", "random"]) == [*(name for name in RIVALS if name != "hebo"), "random"]
    assert contestants.left_out(["rivals", "random"]) == {"hebo": "install it"}
    assert expand(["hebo", "slow-rivals"])[0] == "hebo"  # who names it is told that it is absent
    assert contestants.left_out(["hebo", "slow-rivals"]) == {}
    assert contestants.left_out(["fast-rivals", "ours"]) == {}


def test_fast_and_slow_rivals_are_all():
    assert {*ALIASES["fast-rivals"], *ALIASES["slow-rivals"]} == {*RIVALS} == {*ALIASES["rivals"]}
    assert {"optuna-gp", "hebo", "smac", "ax", "vizier", "skopt"} <= {*ALIASES["slow-rivals"]}


def test_a_rival_that_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("KATIB_BENCH_ENVIRONMENTS", str(tmp_path))
    with pytest.raises(NoEnvironmentError, match="'hebo' is absent: install it with: katib bench install hebo"):
        contestant("hebo")
    environment = RIVALS["hebo"].environment
    path_of(environment).with_name(f"{path_of(environment).name}.failed").write_text("no such version")
    log = simulate(PROBLEMS["bowl"], contestant("hebo"), conditions())
    assert (log.error, log.trials) == ("environment 'hebo' is failed: no such version", ())


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("problem", ["bowl", "bad-half", "grid"])
def test_a_rival_plays(problem, workers):
    first, again = (
        simulate(PROBLEMS[problem], contestant("optuna-tpe"), conditions(budget=14, workers=workers)) for _ in range(2)
    )
    assert first.error == ""
    assert first.versions["optuna"]
    assert without_times(first) == without_times(again)
    assert len(first.trials) == 14
    assert all(0 < trial.ask < 1 for trial in first.trials)


def test_what_a_rival_cannot_use():
    log = simulate(PROBLEMS["traded"], contestant("optuna-cmaes"), conditions())
    assert log.error.startswith("not applicable: optuna-cmaes has no ")
