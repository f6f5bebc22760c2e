"""The examples do what they say: each is valid, runs to its best trial, and shows what it is an example of."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from algorithms import ALGORITHMS, STOPPERS
from algorithms.hyperband import RUNG
from algorithms.population_based_training import GENERATION, MEMBER
from benchmarks.examples import Example, Ran, examples, main, read_experiment, run, run_command
from katib.core.collector import CollectorSpec
from katib.core.experiment import ExperimentSpec, Verdict
from katib.core.objective import Measurement, Objective
from katib.core.ports import Chunk
from katib.core.trial import Cursor, Trial, TrialState
from katib.metrics import COLLECTORS, create_collector
from katib.resources.load import load_experiment
from katib.resources.validation import Known

ROOT = Path(__file__).parents[2]
ALL = {example.name: example for example in examples()}
EXPERIMENTS = [name for name, example in ALL.items() if example.path.suffix == ".yaml"]
QUICK = {"collectors/push", "collectors/stdout", "katib_client", "smallest", "tune"}


def spec_of(name: str) -> ExperimentSpec:
    return load_experiment(ALL[name].path, known=Known(ALGORITHMS, STOPPERS)).spec


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiments_are_valid(name: str) -> None:
    spec = spec_of(name)
    assert spec.budget.parallel == 2
    create_collector(spec.collector, spec.objective)
    assert f"katib run {ALL[name].path.relative_to(ROOT)}" in ALL[name].path.read_text()


def test_there_is_one_for_every_algorithm_stopper_and_collector() -> None:
    specs = {name: spec_of(name) for name in EXPERIMENTS}
    searches = {name: spec for name, spec in specs.items() if name.startswith("algorithms/")}
    shown = set(ALGORITHMS) - {"darts"}  # a trial is a whole search: nas/darts-digits
    assert {spec.algorithm.name for spec in searches.values()} == shown
    assert {spec.stopper.name for spec in searches.values() if spec.stopper} == set(STOPPERS)
    assert set(searches) == {f"algorithms/{name}" for name in (*shown, *STOPPERS)}
    collectors = [spec.collector for name, spec in specs.items() if name.startswith("collectors/")]
    assert {collector.kind for collector in collectors} == set(COLLECTORS)
    assert {collector.format for collector in collectors if collector.kind == "File"} == {"TEXT", "JSON"}


def marks_of(example: Example) -> list[pytest.MarkDecorator]:
    parts = {"skopt" if package == "sklearn" else package for package in example.needs}
    return [*map(pytest.mark.requires, sorted(parts)), *([] if example.name in QUICK else [pytest.mark.slow])]


@pytest.mark.parametrize("example", [pytest.param(e, id=e.name, marks=marks_of(e)) for e in ALL.values()])
def test_examples_run(example: Example, tmp_path: Path) -> None:
    ran = run(example, tmp_path, timeout=280)
    assert ran.status == 0, ran.output
    if ran.experiment is None:
        return
    objective, status = ran.experiment.spec.objective, ran.experiment.status
    assert status.verdict in (Verdict.MAX_TRIALS_REACHED, Verdict.SEARCH_EXHAUSTED, Verdict.GOAL_REACHED)
    ended = [trial for trial in ran.trials if trial.state is not TrialState.KILLED]
    assert len(ended) == len(ran.trials) or status.verdict is Verdict.GOAL_REACHED  # the goal ends what still runs
    assert {trial.state for trial in ended} <= {TrialState.SUCCEEDED, TrialState.EARLY_STOPPED}
    assert all(trial.observation.keys() == set(objective.metrics) for trial in ended)
    values = [objective.value(trial.observation) for trial in ended]
    assert status.best_value == min(values, key=objective.loss)
    assert len(set(values)) > len(values) / 2
    for prefix, check in CHECKS.items():
        if example.name.startswith(prefix):
            check(ran)


@pytest.mark.requires("ray")
@pytest.mark.ray
@pytest.mark.slow
def test_the_function_runs_on_ray_as_it_does_here(tmp_path: Path) -> None:
    command = ALL["ray/function"].command
    here, there = (
        read_experiment(run_command([*command, *options, "--parallel", "1"], home), home)
        for options, home in (((), tmp_path / "here"), (("--runner", "ray"), tmp_path / "there"))
    )
    assert there.status == 0, there.output
    assert [trial.parameters for trial in here.trials] == [trial.parameters for trial in there.trials]


def check_grid(ran: Ran) -> None:
    assert ran.experiment.status.verdict is Verdict.SEARCH_EXHAUSTED
    assert len({tuple(trial.parameters.values()) for trial in ran.trials}) == len(ran.trials) == 12


def check_hyperband(ran: Ran) -> None:
    assert len(ran.trials) == 9 + 3 + 1 + 5 + 1 + 3
    for trial in ran.trials:
        parent = ran.trials[trial.parent] if trial.parent is not None else None
        assert (parent is None) == (trial.labels[RUNG] == "0")
        done = int(parent.parameters["epochs"]) if parent else 0
        assert len(losses(ran, trial)) == int(trial.parameters["epochs"]) - done


def check_population(ran: Ran) -> None:
    assert max(int(trial.labels[GENERATION]) for trial in ran.trials) >= 4
    children = [(trial, ran.trials[trial.parent]) for trial in ran.trials if trial.parent is not None]
    taken_over = [(trial, parent) for trial, parent in children if trial.labels[MEMBER] != parent.labels[MEMBER]]
    assert len(taken_over) >= 4
    assert all(trial.parameters != parent.parameters for trial, parent in taken_over)
    for trial, parent in children:
        if parent.parent is None and trial.parameters == parent.parameters:  # four epochs in two trials
            whole = run_softmax(trial, "--data=digits", "--epochs=4")
            assert losses(ran, parent) + losses(ran, trial) == pytest.approx(whole, abs=1e-4)
    first = [losses(ran, trial)[-1] for trial in ran.trials if trial.parent is None]
    assert ran.experiment.status.best_value < min(first)


def check_median(ran: Ran) -> None:
    stopped = [trial for trial in ran.trials if trial.state is TrialState.EARLY_STOPPED]
    assert stopped
    assert all(10 <= len(losses(ran, trial)) < 40 for trial in stopped)
    assert all(len(losses(ran, trial)) == 40 for trial in ran.trials if trial not in stopped)


def check_reports(ran: Ran) -> None:
    """What was collected is what the training finds for the same parameters. Prometheus sees some of it."""
    for trial in ran.trials:
        expected = run_softmax(trial, "--data=wine", "--epochs=5")
        if ran.experiment.spec.collector.kind == "PrometheusMetric":
            assert losses(ran, trial)[-1] == pytest.approx(expected[-1], abs=1e-4)
        else:
            assert losses(ran, trial) == pytest.approx(expected, abs=1e-4)


CHECKS: dict[str, Callable[[Ran], None]] = {
    "algorithms/grid": check_grid,
    "algorithms/hyperband": check_hyperband,
    "algorithms/medianstop": check_median,
    "algorithms/pbt": check_population,
    "collectors/": check_reports,
}


def losses(ran: Ran, trial: Trial) -> list[float | None]:
    metric = ran.experiment.spec.objective.metric
    return [report.value for number, report in ran.reports if number == trial.number and report.metric == metric]


def run_softmax(trial: Trial, *options: str) -> list[float]:
    """The losses of the same training, in this process and without checkpoints."""
    module = softmax()
    words = [f"--{name}={value}" for name, value in trial.parameters.items()]
    return [epoch.loss for epoch in module.train(module.parser("").parse_args([*options, *words]))]


def softmax() -> ModuleType:
    spec = importlib.util.spec_from_file_location("softmax", ROOT / "examples" / "training" / "softmax.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_prints_a_table_and_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["smallest", "--out", str(tmp_path / "times.json")]) == 0
    assert "trials, best loss" in capsys.readouterr().out
    assert '"case": "smallest"' in (tmp_path / "times.json").read_text()


def train(*options: str, checkpoints: Path | None = None) -> tuple[Measurement, ...]:
    """Run the digits network as a trial and read its output as the engine does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KATIB_")}
    if checkpoints is not None:
        environment["KATIB_CHECKPOINT_DIR"] = str(checkpoints)
    command = [sys.executable, "examples/digits/train.py", "--hidden-units=16", *options]
    output = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=120).stdout
    collector = create_collector(CollectorSpec(), Objective("accuracy", additional=("loss",)))
    return collector(Chunk("stdout", Cursor(), output, 0.0, final=True)).measurements


@pytest.mark.slow
@pytest.mark.requires("skopt")
def test_training_continues_from_its_checkpoint(tmp_path: Path) -> None:
    whole = train("--epochs=2")
    first = train("--epochs=1", checkpoints=tmp_path)
    rest = train("--epochs=2", checkpoints=tmp_path)
    assert [(m.metric, m.step) for m in whole] == [("accuracy", 1), ("loss", 1), ("accuracy", 2), ("loss", 2)]
    assert [*first, *rest] == [*whole]


@pytest.mark.slow
@pytest.mark.requires("skopt")
def test_bad_options_give_bad_metrics() -> None:
    *_, good, _ = train("--epochs=2")
    *_, bad, _ = train("--epochs=2", "--learning-rate=1", "--momentum=0.95")
    assert good.value > 0.8
    assert bad.value < 0.5
