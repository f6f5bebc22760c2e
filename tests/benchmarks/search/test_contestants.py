"""Names of contestants: settings, order, short names, and what is refused."""

from __future__ import annotations

import pytest

from benchmarks.search.contestants import ALIASES, contestant, expand
from benchmarks.search.simulation import simulate
from katib.core.errors import KatibError
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
