"""``katib.tune`` with a store and a name: a search that is gone on with."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import katib
from katib import search
from katib.core.errors import LeaseHeldError, SpecError
from katib.core.trial import TrialState

ROOT = Path(__file__).parents[2]
SPACE = {"x": search.double(-5, 5), "layers": search.int(1, 4)}


def bowl(parameters):
    return (parameters["x"] - 1) ** 2 + parameters["layers"]


def refuse(parameters):
    raise AssertionError("nothing is to run")


@pytest.fixture
def kept(tmp_path):
    def tune(objective=bowl, space=SPACE, **arguments):
        where = {"store": f"sqlite:///{tmp_path}/searches.db", "name": "bowl", "runner": "inline"}
        return katib.tune(objective, space, **{**where, "max_trials": 6, "seed": 1, **arguments})

    return tune


def test_one_that_is_over_gives_its_result(kept):
    first = kept()
    assert kept(refuse).trials == first.trials
    assert kept(refuse, max_trials=3).best_value == first.best_value


def test_more_trials_go_on_where_it_ended(kept):
    first, unbroken = kept(algorithm="random"), katib.tune(bowl, SPACE, max_trials=9, algorithm="random", seed=1)
    more = kept(algorithm="random", max_trials=9)
    assert more.trials[:6] == first.trials
    assert [trial.parameters for trial in more.trials] == [trial.parameters for trial in unbroken.trials]


@pytest.mark.parametrize(
    ("other", "text"),
    [
        ({"space": {"x": search.double(-5, 6)}}, "experiment 'bowl' exists with another space"),
        ({"direction": "maximize"}, "another metric, direction or goal"),
        ({"algorithm": "tpe"}, "another algorithm"),
        ({"seed": 2}, "another seed"),
        ({"name": "Bowl"}, "name: got 'Bowl'"),
        ({"store": "searches.db"}, "store: got 'searches.db', expected a URL"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_another_search_is_refused(kept, other, text):
    first = kept(max_trials=2)
    with pytest.raises(SpecError) as caught:
        kept(refuse, max_trials=4, **other)
    assert text in str(caught.value)
    assert kept(max_trials=2).trials == first.trials


PROGRAM = """
import sys, time
from pathlib import Path
import katib

URL, RAN, GO = sys.argv[1:]

def objective(parameters):
    Path(RAN).open("a").write("run\\n")
    if Path(GO).exists():
        return parameters["x"]
    time.sleep(600)

if __name__ == "__main__":
    space = {"x": katib.search.double(0, 1)}
    result = katib.tune(
        objective, space, max_trials=3, parallel=2, algorithm="random", store=URL, name="cut", seed=1
    )
    print([trial.attempt for trial in result.trials], [trial.parameters["x"] for trial in result.trials])
"""


@pytest.mark.parametrize(
    ("number", "lost"), [pytest.param(signal.SIGINT, 0, id="Ctrl-C"), pytest.param(signal.SIGKILL, 1, id="kill -9")]
)
def test_what_ran_runs_again(tmp_path, number, lost):
    script, ran, go = tmp_path / "program.py", tmp_path / "ran", tmp_path / "go"
    script.write_text(PROGRAM)
    url = f"sqlite:///{tmp_path}/searches.db"
    command = [sys.executable, str(script), url, str(ran), str(go)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not ran.exists() or len(ran.read_text().split()) < 2:
        assert time.monotonic() < end
        time.sleep(0.02)
    with pytest.raises(LeaseHeldError):
        katib.tune(refuse, {"x": search.double(0, 1)}, max_trials=3, algorithm="random", store=url, name="cut", seed=1)
    time.sleep(0.5)
    process.send_signal(number)
    process.wait(60)
    go.touch()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    unbroken = katib.tune(lambda p: p["x"], {"x": search.double(0, 1)}, max_trials=3, algorithm="random", seed=1)
    assert done.stdout == f"[2, 2, 1] {[trial.parameters['x'] for trial in unbroken.trials]}\n"
    result = katib.tune(refuse, {"x": search.double(0, 1)}, max_trials=3, algorithm="random", store=url, name="cut")
    assert {trial.state for trial in result.trials} == {TrialState.SUCCEEDED}
    assert [sum(trial.failures.values()) for trial in result.trials] == [lost, lost, 0]
