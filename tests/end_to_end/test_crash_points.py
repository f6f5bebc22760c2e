"""The owner dies right before or right after each single effect it has: every commit, start and stop, one after the
other. The next owner brings the experiment to the same end, and nothing is left running."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from katib.core.errors import UnavailableError
from katib.core.experiment import Budget, Component, Desired, ExperimentSpec, Verdict
from katib.core.history import History
from katib.core.objective import Objective
from katib.core.ports import Phase
from katib.core.space import Real, SearchSpace
from katib.core.trial import Attempt, Trial, TrialState
from katib.engine import lifecycle
from katib.storage import check_store
from tests.database_servers import SERVERS, SharedServers, new_store
from tests.end_to_end.machine import KEY, Crash, Fuse, House, Machine, MachineRunner

BASE = ExperimentSpec(
    key=KEY,
    space=SearchSpace((Real("x", 0.0, 1.0),)),
    objective=Objective("loss"),
    algorithm=Component("random"),
    budget=Budget(parallel=3, max_trials=6),
    seed=5,
)


def lost_at_first(attempt: Attempt) -> Phase:
    """Every other trial's first attempt vanishes."""
    return Phase.LOST if attempt.id.attempt == 1 and attempt.number % 2 else Phase.SUCCEEDED


def failing(attempt: Attempt) -> Phase:
    return Phase.FAILED


SCENARIOS = {
    "budget": (BASE, Machine, Verdict.MAX_TRIALS_REACHED),
    "goal": (replace(BASE, objective=Objective("loss", goal=0.5)), Machine, Verdict.GOAL_REACHED),
    "late goal": (
        replace(BASE, objective=Objective("loss", goal=0.1), budget=Budget(3, 20), seed=17),
        Machine,
        Verdict.GOAL_REACHED,
    ),
    "lost": (BASE, lambda: Machine(lost_at_first), Verdict.MAX_TRIALS_REACHED),
    "failures": (replace(BASE, budget=Budget(3, 6, 2)), lambda: Machine(failing), Verdict.FAILED),
    "stopped early": (
        replace(BASE, stopper=Component("medianstop", {"min_trials_required": "1", "start_step": "1"})),
        Machine,
        Verdict.MAX_TRIALS_REACHED,
    ),
}


def effects_of(spec: ExperimentSpec, machine: Machine) -> int:
    fuse = Fuse()
    assert House(spec, machine).own(fuse)
    return fuse.effects


@pytest.mark.parametrize("name", SCENARIOS)
def test_death_around_every_effect(name: str) -> None:
    spec, machine, verdict = SCENARIOS[name]
    unbroken = House(spec, machine())
    unbroken.own(Fuse())
    unbroken.check(spec, verdict)
    parameters = {t.number: t.parameters for t in unbroken.opened.store.trials(KEY)}
    for at in range(effects_of(spec, machine())):
        house = House(spec, machine())
        assert not house.own(Fuse(at))
        assert house.own(Fuse())
        house.check(spec, verdict)
        for trial in house.opened.store.trials(KEY):
            assert trial.parameters == parameters.get(trial.number, trial.parameters)
        if name in ("budget", "stopped early"):
            assert {trial.attempt for trial in house.opened.store.trials(KEY)} == {1}


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("error", [Crash, UnavailableError])
def test_bad_luck_around_effects_on_a_server(
    kind: str, error: type[BaseException], servers: SharedServers, tmp_path: Path
) -> None:
    """Death, or no answer, around every fifth effect: what a rolled-back and a lost commit leave in a real database."""
    spec, machine, verdict = SCENARIOS["budget"]
    for at in range(0, effects_of(spec, machine()), 5):
        with new_store(kind, tmp_path, servers) as url:
            house = House(spec, machine(), url=url)
            assert house.own(Fuse(at, error)) is (error is not Crash)
            assert house.own(Fuse())
            house.check(spec, verdict)
            house.opened.store.close()
            assert check_store(url).damages == ()


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_answer_around_every_effect(name: str) -> None:
    """The store or the machine does not answer once, whether or not it has done what it was asked for."""
    spec, machine, verdict = SCENARIOS[name]
    for at in range(effects_of(spec, machine())):
        house = House(spec, machine())
        assert house.own(Fuse(at, UnavailableError))
        house.check(spec, verdict)
        assert [event.reason for event in house.opened.store.events(KEY)].count(verdict.value) == 1


def test_death_again_and_again() -> None:
    spec, machine, verdict = SCENARIOS["budget"]
    chance = random.Random(1)
    deaths = 0
    for _ in range(50):
        house = House(spec, machine())
        while not house.own(Fuse(chance.randrange(12))):
            deaths += 1
        house.check(spec, verdict)
        assert {trial.attempt for trial in house.opened.store.trials(KEY)} == {1}
    assert deaths > 200


@pytest.mark.parametrize("wish", [Desired.STOP, Desired.DELETE])
def test_death_while_a_wish_is_carried_out(wish: Desired) -> None:
    wishes = [(3, wish)]
    fuse = Fuse()
    assert House(BASE, Machine()).own(fuse, wishes)
    for at in range(fuse.effects):
        house = House(BASE, Machine())
        if not house.own(Fuse(at), wishes) and house.opened.store.list().items:
            lifecycle.want(house.opened.store, KEY, wish)
            house.own(Fuse())
        assert house.machine.running() == []
        if wish is Desired.DELETE:
            assert house.opened.store.list().items == ()
            assert house.machine.released >= set(house.machine.tasks)
            continue
        assert house.experiment.status.stopped
        lifecycle.want(house.opened.store, KEY, Desired.RUN)
        assert house.own(Fuse())
        house.check(BASE, Verdict.MAX_TRIALS_REACHED)
        assert {t.state for t in house.opened.store.trials(KEY)} == {TrialState.SUCCEEDED}


class Full(MachineRunner):
    """A machine that has no room for the first ``refusals`` starts."""

    refusals = 5

    def start(self, attempt: Attempt) -> None:
        if self.refusals:
            self.refusals -= 1
            raise UnavailableError("no space left on device")
        super().start(attempt)


def test_a_machine_without_room_is_waited_for() -> None:
    house = House(BASE, Machine(), runner=Full)
    controller = house.controller(Fuse())
    said = set()
    while controller.reconcile(KEY) is not None:
        said.add(house.experiment.status.waiting)
    assert said == {"", "no space left on device"}
    assert house.experiment.status.waiting == ""
    house.check(BASE, Verdict.MAX_TRIALS_REACHED)


class Broken:
    """A stopper that has a defect."""

    def reason_to_stop(self, trial: Trial, history: History) -> str | None:
        raise ZeroDivisionError("division by zero")


def test_a_broken_stopper_ends_the_experiment_with_its_text() -> None:
    house = House(BASE, Machine(), stopper=Broken())
    assert house.own(Fuse())
    house.check(BASE, Verdict.FAILED)
    assert house.experiment.status.message == "early stopping failed: ZeroDivisionError: division by zero"
