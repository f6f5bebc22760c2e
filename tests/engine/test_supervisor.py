"""Many experiments by few threads: all run to their ends, wishes are carried out, one that is broken stops no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from katib.core.errors import NotFoundError, PermanentError
from katib.core.experiment import Budget, Desired, Experiment, ExperimentSpec, ResumePolicy, Verdict
from katib.core.trial import Key
from katib.engine import lifecycle
from katib.engine.supervisor import Supervisor, Worker
from tests.engine.house import SPEC, House, house
from tests.engine.scripted_runner import ScriptedRunner, lingers


def spec(name: str, **changes) -> ExperimentSpec:
    return replace(SPEC, key=Key("default", name), **{"budget": Budget(2, 4), **changes})


@contextmanager
def supervised(place: House, threads: int = 2, **options) -> Iterator[Supervisor]:
    supervisor = Supervisor(place.store, lambda: Worker(place.controller(), lambda: None), threads=threads, **options)
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.close()


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def verdict(place: House, name: str) -> Verdict | None:
    return place.store.get(Key("default", name)).status.verdict


def is_gone(place: House, name: str) -> bool:
    try:
        place.store.get(Key("default", name))
    except NotFoundError:
        return True
    return False


def test_more_experiments_than_threads_all_end():
    place = house()
    names = [f"e{number}" for number in range(6)]
    for name in names[:3]:
        lifecycle.create(place.store, spec(name), {})
    with supervised(place):
        for name in names[3:]:
            lifecycle.create(place.store, spec(name), {})
        eventually(lambda: all(verdict(place, name) for name in names))
    assert {verdict(place, name) for name in names} == {Verdict.MAX_TRIALS_REACHED}
    assert all(len(place.store.trials(Key("default", name))) == 4 for name in names)


def test_wishes_of_others_are_carried_out():
    place = House(ScriptedRunner(lingers))
    for name in ("stopped", "deleted"):
        lifecycle.create(place.store, spec(name), {})
    with supervised(place) as supervisor:
        eventually(lambda: len(place.runner.started) == 4)
        lifecycle.want(place.store, Key("default", "stopped"), Desired.STOP)
        lifecycle.want(place.store, Key("default", "deleted"), Desired.DELETE)
        eventually(lambda: place.store.get(Key("default", "stopped")).status.stopped)
        eventually(lambda: is_gone(place, "deleted"))
        eventually(lambda: supervisor.running == 0)
        lifecycle.want(place.store, Key("default", "stopped"), Desired.RUN)
        eventually(lambda: len(place.runner.started) == 6)


def test_an_experiment_that_ended_goes_on_with_more_trials_and_is_deleted():
    place = house()
    lifecycle.create(place.store, spec("e", resume_policy=ResumePolicy.LONG_RUNNING), {})
    key = Key("default", "e")
    with supervised(place):
        eventually(lambda: verdict(place, "e") is not None)
        lifecycle.set_budget(place.store, key, Budget(2, 7))
        eventually(lambda: len(place.store.trials(key)) == 7 and verdict(place, "e") is not None)
        lifecycle.want(place.store, key, Desired.DELETE)
        eventually(lambda: is_gone(place, "e"))


def test_what_another_process_runs_is_left_to_it():
    place = House(ScriptedRunner(lingers))
    key = lifecycle.create(place.store, spec("e"), {}).key
    other = place.controller("elsewhere:1:1")
    other.reconcile(key)
    with supervised(place) as supervisor:
        time.sleep(0.3)
        assert (supervisor.running, len(place.runner.started)) == (0, 2)
    other.close()


def test_those_that_are_not_accepted_are_not_touched():
    place = house()
    for name in ("ours", "theirs"):
        lifecycle.create(place.store, spec(name), {})
    with supervised(place, accepts=lambda experiment: experiment.key.name == "ours"):
        eventually(lambda: verdict(place, "ours") is not None)
    assert place.store.trials(Key("default", "theirs")) == []


class Picky(House):
    """Cannot make the parts of one experiment."""

    def assemble(self, experiment: Experiment):
        if experiment.key.name == "broken":
            raise self.error
        return super().assemble(experiment)


@pytest.mark.parametrize(
    ("error", "told"), [(PermanentError("no such part"), "no such part"), (ZeroDivisionError("x"), "internal error")]
)
def test_one_that_is_broken_tells_why_and_stops_no_other(error, told):
    place = Picky(house().runner)
    place.error = error
    for name in ("broken", "sound"):
        lifecycle.create(place.store, spec(name), {})
    with supervised(place, threads=1):
        eventually(lambda: verdict(place, "sound") is not None)
        eventually(lambda: len(place.store.events(Key("default", "broken"))) == 2)
        time.sleep(0.2)
    _, event = place.store.events(Key("default", "broken"))
    assert (event.type, event.reason) == ("Warning", "CannotRun")
    assert told in event.message


def test_closing_lets_go_and_the_next_one_goes_on():
    place = House(ScriptedRunner(lingers))
    key = lifecycle.create(place.store, spec("e"), {}).key
    with supervised(place):
        eventually(lambda: len(place.runner.started) == 2)
    before = threading.active_count()
    with supervised(place) as second:
        eventually(lambda: second.running == 1)
        lifecycle.want(place.store, key, Desired.STOP)
        eventually(lambda: place.store.get(key).status.stopped)
    assert len(place.runner.started) == 2
    assert threading.active_count() == before
