"""Hyperband with checkpoints on this machine: a promoted trial continues where its parent stopped, and only checkpoints
that nothing will continue from are removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from algorithms.hyperband import BRACKET, CONFIG, RUNG
from katib.compose import Workshop
from katib.core.experiment import Budget, Component, ExperimentSpec, Verdict
from katib.core.space import Integer, Real, SearchSpace
from katib.core.trial import Trial, TrialState
from katib.engine import lifecycle
from katib.options import Options
from tests.end_to_end.experiments import KEY, Ran, command_spec, nothing_left, ran

# Trains from the epoch of its checkpoint to the one asked for, and says which epochs it did itself.
TRAIN = """
file=$KATIB_CHECKPOINT_DIR/epoch
epoch=0
if [ -e "$file" ]; then epoch=$(cat "$file"); fi
echo "began after epoch $epoch"
while [ "$epoch" -lt "$1" ]; do
  epoch=$((epoch + 1))
  echo "step=$epoch loss=$2"
done
echo "$epoch" >"$file"
echo "$KATIB_TRIAL_NAME" >>"$KATIB_CHECKPOINT_DIR/line"
"""


def spec(parallel: int, max_trials: int | None) -> ExperimentSpec:
    words = ["${trialParameters.epochs}", "${trialParameters.x}"]
    return command_spec(
        ["/bin/sh", "-c", TRAIN, "train", *words],
        space=SearchSpace((Real("x", 0.0, 1.0), Integer("epochs", 1, 9))),
        algorithm=Component("hyperband", {"resource_name": "epochs", "eta": "3", "r_l": "9"}),
        budget=Budget(parallel, max_trials),
        seed=3,
    )


def checkpoint(home: Path, trial: Trial) -> Path:
    return home / "trials" / KEY.namespace / KEY.name / trial.name / str(trial.attempt) / "checkpoint"


def began_after(home: Path, trial: Trial) -> int:
    log = checkpoint(home, trial).with_name("stdout.log").read_text()
    return int(log.splitlines()[0].removeprefix("began after epoch "))


def ancestors(trials: tuple[Trial, ...], trial: Trial) -> list[Trial]:
    line = [trial]
    while line[-1].parent is not None:
        line.append(trials[line[-1].parent])
    return line


def check(home: Path, found: Ran) -> list[Trial]:
    """Returns the trials whose checkpoints are left."""
    trials = found.trials
    assert {trial.state for trial in trials} == {TrialState.SUCCEEDED}
    promoted = [trial for trial in trials if trial.parent is not None]
    assert promoted
    for trial in trials:
        epochs = int(str(trial.parameters["epochs"]))
        parent = trials[trial.parent] if trial.parent is not None else None
        assert (parent is not None) == (trial.labels[RUNG] != "0")
        start = int(str(parent.parameters["epochs"])) if parent else 0
        assert began_after(home, trial) == start
        assert len(found.lines[trial.number]) == epochs - start
        if parent:
            assert (parent.labels[BRACKET], parent.labels[CONFIG]) == (trial.labels[BRACKET], trial.labels[CONFIG])
            assert parent.parameters["x"] == trial.parameters["x"]
    kept = [trial for trial in trials if checkpoint(home, trial).exists()]
    for trial in kept:
        names = (checkpoint(home, trial) / "line").read_text().splitlines()
        assert names == [ancestor.name for ancestor in reversed(ancestors(trials, trial))]
    return kept


def results(found: Ran) -> list[Trial]:
    """The trials that were given the whole resource."""
    return [trial for trial in found.trials if trial.parameters["epochs"] == 9]


@pytest.mark.parametrize("parallel", [1, 4])
def test_promotions_continue_from_checkpoints(tmp_path: Path, parallel: int) -> None:
    workshop = Workshop(Options(tmp_path))
    with nothing_left(tmp_path):
        lifecycle.create(workshop.store, spec(parallel, None), {})
        controller = workshop.controller()
        experiment = controller.run(KEY)
        controller.close()
        found = ran(workshop)
        workshop.close()
    assert experiment.status.verdict is Verdict.SEARCH_EXHAUSTED
    assert len(found.trials) == 9 + 3 + 1 + 5 + 1 + 3
    assert check(tmp_path, found) == results(found)


def test_an_owner_that_stops_and_another_that_goes_on_lose_no_checkpoint(tmp_path: Path) -> None:
    """A new owner after every few looks; promotions still find their parents' checkpoints."""
    with nothing_left(tmp_path):
        workshop = Workshop(Options(tmp_path))
        lifecycle.create(workshop.store, spec(2, 22), {})
        owners = 0
        done = False
        while not done:
            owners += 1
            controller = workshop.controller()
            for _ in range(2):
                if (delay := controller.reconcile(KEY)) is None:
                    done = True
                    break
                controller.wait(KEY, delay)
            controller.close()
        found = ran(workshop)
        workshop.close()
    assert owners > 3
    assert len(found.trials) == 22
    kept = {trial.number for trial in check(tmp_path, found)}
    assert kept >= {trial.number for trial in results(found)}
    assert not kept & {t.number for t in found.trials if t.labels[BRACKET] == "0" and t.parameters["epochs"] != 9}
    assert found.experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
