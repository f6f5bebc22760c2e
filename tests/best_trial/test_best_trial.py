"""The best-trial report: its facts, the interval over repeats, and what it looks like."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from katib.best_trial import as_document, as_markdown, as_text, read_best_trial, report_trial
from katib.core.changes import Changes, TrialChange
from katib.core.experiment import Component, Experiment, ExperimentSpec, ExperimentStatus
from katib.core.objective import Direction, Measurement, Objective, Target, observe
from katib.core.space import Choice, Integer, Real, SearchSpace
from katib.core.trial import Key, Trial, TrialState
from katib.engine import lifecycle
from katib.engine.names import trial_seed
from katib.storage import open_store

SPACE = SearchSpace((Real("lr", 1e-5, 1), Integer("layers", 1, 4), Choice("mode", ("a|b", "`c`"))))
POINT = {"lr": 1e-5, "layers": 3, "mode": "a|b"}
ACCURACY = Objective("acc", Direction.MAXIMIZE, 0.9, additional=("seen",))
TWO = Objective("acc", Direction.MAXIMIZE, others=(Target("ms"),))


def experiment(objective: Objective) -> Experiment:
    spec = ExperimentSpec(Key("default", "exp"), SPACE, objective, Component("tpe"), seed=7)
    return Experiment(spec.key, "u", spec)


def trial(number: int, curves: dict[str, list[str]], state=TrialState.SUCCEEDED, **point) -> Trial:
    reports = [
        Measurement(name, float(text) if text[0].isdigit() or text[0] == "-" else None, text, float(at))
        for name, texts in curves.items()
        for at, text in enumerate(texts)
    ]
    return Trial(
        number, f"exp-{number:08d}", {**POINT, **point}, state=state, seq=number + 1, observation=observe({}, reports),
        started=100.0, finished=225.5,
    )  # fmt: skip


def test_facts():
    report = as_document(report_trial(experiment(ACCURACY), trial(4, {"acc": ["0.5", "0.8", "0.7"], "seen": ["all"]})))
    accuracy = {"name": "acc", "value": 0.8, "strategy": "max", "direction": "maximize", "goal": 0.9, "reports": 3}
    seen = dict.fromkeys(("value", "goal", "min", "max", "latest")) | {"name": "seen", "strategy": "max"}
    assert json.loads(json.dumps(report)) == report == {
        "experiment": "exp", "namespace": "default", "algorithm": "tpe", "trial": "exp-00000004", "number": 4,
        "state": "Succeeded", "attempt": 1, "parameters": POINT, "seed": 7, "trial_seed": trial_seed(7, 4),
        "metrics": [
            {**accuracy, "min": 0.5, "max": 0.8, "latest": 0.7, "latest_text": "0.7"},
            {**seen, "direction": "", "latest_text": "all", "reports": 1},
        ],
        "repeats": None, "seconds": 125.5, "files": None, "checkpoint": None, "command": "", "front": [],
        "architecture": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "mean", "interval"),
    [
        pytest.param(["1", "2", "3"], 2, (2 - 2.484138, 2 + 2.484138), id="t-of-two-degrees"),
        pytest.param(["5", "5"], 5, (5, 5), id="equal"),
        pytest.param(["4"], 4, None, id="one-run"),
        pytest.param(["4", "nan"], 4, None, id="one-with-a-value"),
        pytest.param(["1.7e308", "-1.7e308", "1.7e308"], 1.7e308 / 3, None, id="wider-than-numbers"),
    ],
)
def test_interval_over_repeats(values, mean, interval):
    objective = replace(ACCURACY, repeats=3)
    runs = [trial(n, {"acc": [value]}) for n, value in enumerate(values)]
    strangers = [trial(8, {"acc": ["9"]}, layers=1), trial(9, {"acc": ["9"]}, state=TrialState.FAILED)]
    report = report_trial(experiment(objective), runs[0], [*runs, *strangers])
    found = report.repeats
    assert found.mean == pytest.approx(mean)
    assert (found.low, found.high) == ((None, None) if interval is None else pytest.approx(interval, rel=1e-6))
    assert found.runs == sum(value != "nan" for value in values)
    assert ("95 % interval" in as_text(report)) is (interval is not None)


def test_text():
    trials = [
        trial(0, {"acc": ["0.9"], "ms": ["30"]}),
        trial(1, {"acc": ["0.5"], "ms": ["1"]}, lr=0.123456),
        trial(2, {"acc": ["0.4"], "ms": ["2"]}),
    ]
    report = report_trial(experiment(TWO), trials[0], trials, files="/home/me/exp/1", checkpoint="/home/me/exp/1/c")
    assert as_text(report).splitlines() == [
        "best trial exp-00000000 (number 0, Succeeded)",
        "  metrics",
        "    acc         0.9  (max)",
        "    ms          30   (min)",
        "  parameters",
        "    lr          1e-05",
        "    layers      3",
        "    mode        a|b",
        f"  seed          {trial_seed(7, 0)} (the experiment's: 7)",
        "  ran for       2m6s",
        "  files         /home/me/exp/1",
        "  checkpoint    /home/me/exp/1/c",
        "trials that none beats in every objective: 2",
        "                acc  ms",
        "  exp-00000000  0.9  30  lr=1e-05 layers=3 mode=a|b",
        "  exp-00000001  0.5  1   lr=0.1235 layers=3 mode=a|b",
    ]


def test_markdown_takes_no_text_for_its_own():
    report = replace(report_trial(experiment(ACCURACY), trial(0, {"acc": ["0.5"]})), command="echo ```; ls")
    page = as_markdown(report)
    assert "| mode | a\\|b |" in page
    assert page.endswith("## Run it again\n\n````sh\necho ```; ls\n````")
    assert "| acc | maximize | 0.5 | max | 0.5 | 0.5 | 0.5 |" in page


def test_read_from_a_store(tmp_path):
    store = open_store("memory://").store
    made = lifecycle.create(store, experiment(ACCURACY).spec, {})
    assert read_best_trial(store, tmp_path, made) is None
    best = replace(trial(0, {"acc": ["0.5"]}), attempt=2)
    status = ExperimentStatus({TrialState.SUCCEEDED: 1}, best=0, best_name=best.name)
    store.commit(Changes(made.key, status=status, trials=(TrialChange(best),)))
    folder = tmp_path / "default" / "exp" / best.name / "2"
    (folder / "checkpoint").mkdir(parents=True)
    report = read_best_trial(store, tmp_path, store.get(made.key))
    assert (report.files, report.checkpoint) == (str(folder), None)
    (folder / "checkpoint" / "model").touch()
    assert read_best_trial(store, tmp_path, store.get(made.key)).checkpoint == str(folder / "checkpoint")


def test_an_architecture():
    genotype = (
        "Genotype(normal=[[('skip_connection', 0), ('skip_connection', 1)]], normal_concat=range(2, 3), "
        "reduce=[[('skip_connection', 0), ('skip_connection', 1)]], reduce_concat=range(2, 3))"
    )
    searched = experiment(replace(ACCURACY, additional=("Best-Genotype",)))
    found = trial(0, {"acc": ["0.5"], "Best-Genotype": ["Genotype(", genotype]})
    report = report_trial(searched, found)
    assert as_document(report)["architecture"] == genotype
    assert f"## Architecture\n\n```\n{genotype}\n```" in as_markdown(report)
    assert [line.rstrip() for line in as_text(report).splitlines() if "Best" in line or "acc " in line] == [
        "    acc            0.5  (max)",
        f"    Best-Genotype  {genotype}",
    ]
    assert "katib nas draw exp" in as_text(report)
    assert report_trial(searched, trial(0, {"acc": ["0.5"]}, architecture="gothic")).architecture is None
