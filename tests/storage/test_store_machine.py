"""Random operations on the SQL store and its in-memory twin give the same answers, errors and contents."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from katib.core.changes import Changes, TrialChange
from katib.core.errors import KatibError
from katib.core.trial import Key
from katib.storage import Opened, check_store, open_store
from tests.contracts.store_contract import experiment
from tests.database_servers import SERVERS, SharedServers, new_store
from tests.storage import core_strategies as some

KEYS = [Key("a", "x"), Key("a", "y"), Key("b", "x")]
keys = st.sampled_from(KEYS)
small = st.integers(0, 3)
fences = st.none() | st.integers(1, 4)
names = st.sampled_from(["t0", "t1", "t2", "t3"])
trials = st.builds(replace, some.trials, number=small, name=names, attempt=st.integers(1, 2))
changed = st.builds(
    lambda trial, reports, before: TrialChange(replace(trial, measured=before + len(reports)), tuple(reports)),
    trials,
    st.lists(some.measurements, max_size=2),
    small,
)


def outcome(action: Callable[[Opened], object], opened: Opened) -> object:
    """What an operation comes to: its answer, or the kind of its error."""
    try:
        return action(opened)
    except KatibError as error:
        return type(error)


class Twins(RuleBasedStateMachine):
    """Every step is done to both."""

    def __init__(self, new_url: AbstractContextManager[str]) -> None:
        super().__init__()
        self.ending = ExitStack()
        url = self.ending.enter_context(new_url)
        self.sql = open_store(url)
        self.ending.callback(self.sound, url)
        self.ending.callback(self.sql.store.close)
        self.memory = open_store("memory://")

    def teardown(self) -> None:
        self.ending.close()

    def sound(self, url: str) -> None:
        """Whatever was done, the check finds nothing that it would call damage."""
        assert [d for d in check_store(url).damages if not d.text.endswith("are there")] == []

    def both(self, action: Callable[[Opened], object]) -> None:
        assert repr(outcome(action, self.sql)) == repr(outcome(action, self.memory))

    @rule(key=keys, uid=st.sampled_from(["u1", "u2"]), status=st.none() | some.statuses)
    def create(self, key: Key, uid: str, status: object) -> None:
        self.both(lambda o: o.store.commit(Changes(key, experiment(key, uid), status=status), expected=0))

    @rule(key=keys, uid=st.sampled_from(["u1", "u2"]), expected=st.none() | small, budget=some.budgets)
    def edit(self, key: Key, uid: str, expected: int | None, budget: object) -> None:
        if expected != 0:
            edited = replace(experiment(key, uid), budget=budget)
            self.both(lambda o: o.store.commit(Changes(key, edited), expected=expected))

    @rule(
        key=keys,
        fence=fences,
        status=st.none() | some.statuses,
        trials=st.lists(changed, max_size=3),
        events=st.lists(some.events, max_size=2),
    )
    def record(self, key: Key, fence: int | None, status: object, trials: list, events: list) -> None:
        changes = Changes(key, status=status, trials=tuple(trials), events=tuple(events))
        self.both(lambda o: o.store.commit(changes, fence=fence))

    @rule(key=keys, fence=fences, expected=st.none() | st.integers(1, 3))
    def delete(self, key: Key, fence: int | None, expected: int | None) -> None:
        self.both(lambda o: o.store.commit(Changes(key, delete=True), expected=expected, fence=fence))

    @rule(key=keys, holder=st.sampled_from(["afar:1:1.0", "afar:2:1.0"]), ttl=st.sampled_from([0.0, 1e6]))
    def acquire(self, key: Key, holder: str, ttl: float) -> None:
        self.both(lambda o: o.leases.acquire(key, holder, ttl).fence)

    @rule(key=keys, since=st.integers(0, 20), number=st.none() | small, limit=small)
    def read(self, key: Key, since: int, number: int | None, limit: int) -> None:
        self.both(lambda o: list(o.store.trials(key, since)))
        self.both(lambda o: list(o.store.curve(key, number, since)))
        self.both(lambda o: list(o.store.events(key, limit)))
        self.both(lambda o: list(o.store.changes(since)))

    @rule(key=keys, name=names)
    def read_trial(self, key: Key, name: str) -> None:
        self.both(lambda o: o.store.trial(key, name))

    @rule(namespace=st.sampled_from([None, "a", "b", "c"]), limit=st.integers(1, 3), after=st.none() | keys)
    def read_list(self, namespace: str | None, limit: int, after: Key | None) -> None:
        cont = f'["{after.namespace}", "{after.name}"]' if after else ""
        self.both(lambda o: o.store.list(namespace, limit=limit, cont=cont))

    @invariant()
    def same_contents(self) -> None:
        self.both(lambda o: o.store.list())


SETTINGS = settings(
    max_examples=20, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize("kind", ["sqlite", *SERVERS])
def test_the_twins_are_alike(kind: str, servers: SharedServers, tmp_path_factory: pytest.TempPathFactory) -> None:
    run_state_machine_as_test(
        lambda: Twins(new_store(kind, tmp_path_factory.mktemp("twin"), servers)), settings=SETTINGS
    )
