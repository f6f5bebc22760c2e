"""What every store must do. A test module derives a class from ``StoreContract`` and gives it a fixture ``opened``."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from katib.core.changes import Changes, Event, Touched, TrialChange, stamp
from katib.core.errors import AlreadyExistsError, ConflictError, FencedError, KatibError, NotFoundError, SpecError
from katib.core.experiment import Budget, Component, Desired, Experiment, ExperimentSpec, ExperimentStatus
from katib.core.objective import Measurement, MetricSummary, Objective
from katib.core.ports import Store
from katib.core.space import Choice, Integer, Real, SearchSpace
from katib.core.trial import Cursor, Key, Trial, TrialState
from katib.storage import Opened

KEY = Key("team", "study")
SPACE = SearchSpace((Real("lr", 0.001, 1), Integer("layers", 1, 9), Choice("optimizer", ("adam", "sgd"))))
SPEC = ExperimentSpec(KEY, SPACE, Objective("loss"), Component("random"), seed=1)


def experiment(key: Key = KEY, uid: str = "uid-1", labels: dict[str, str] | None = None) -> Experiment:
    """An experiment that was not stored yet."""
    return Experiment(key, uid, replace(SPEC, key=key, labels=labels or {}), {"kind": "Experiment"}, created=1.5)


def create(store: Store, key: Key = KEY, uid: str = "uid-1", labels: dict[str, str] | None = None) -> Experiment:
    """Store an experiment, and read it again."""
    store.commit(Changes(key, experiment(key, uid, labels)), expected=0)
    return store.get(key)


def trial(number: int, prefix: str = "study", **fields: object) -> Trial:
    """A trial as its owner makes it."""
    parameters = {"lr": 0.1 / (number + 1), "layers": 3, "optimizer": "adam"}
    return replace(Trial(number, f"{prefix}-{number:04}", parameters, created=100.0 + number), **fields)


def measured(trial: Trial, *values: float) -> TrialChange:
    """The trial with more measurements."""
    reports = tuple(Measurement("loss", value, str(value), 200.0) for value in values)
    return TrialChange(replace(trial, measured=trial.measured + len(values)), reports)


def add_trials(store: Store, *numbers: int, key: Key = KEY, prefix: str = "study") -> None:
    """One commit with a new trial for each number."""
    store.commit(Changes(key, trials=tuple(TrialChange(trial(n, prefix)) for n in numbers)))


class StoreContract:
    """The suite."""

    # Creating and reading

    def test_an_experiment_comes_back_as_it_was_given(self, opened: Opened) -> None:
        given = experiment()
        committed = opened.store.commit(Changes(KEY, given), expected=0)
        assert opened.store.get(KEY) == replace(given, generation=1, revision=committed.revision)
        assert committed.first_seq == 1

    def test_a_new_experiment_has_no_status_but_the_one_in_the_commit(self, opened: Opened) -> None:
        written = replace(experiment(), status=ExperimentStatus(message="not this"), generation=7, seq=7, revision=7)
        opened.store.commit(Changes(KEY, written, status=ExperimentStatus(message="this")), expected=0)
        got = opened.store.get(KEY)
        assert (got.status.message, got.generation, got.seq) == ("this", 1, 0)

    @pytest.mark.parametrize(
        "read",
        [
            pytest.param(lambda store: store.get(KEY), id="get"),
            pytest.param(lambda store: store.trial(KEY, "study-0000"), id="trial"),
            pytest.param(lambda store: store.commit(Changes(KEY, events=(Event(1, "Normal", "r", "m"),))), id="commit"),
            pytest.param(lambda store: store.commit(Changes(KEY, experiment()), expected=1), id="edit"),
            pytest.param(lambda store: store.commit(Changes(KEY, experiment())), id="edit-blindly"),
            pytest.param(lambda store: store.commit(Changes(KEY, delete=True)), id="delete"),
        ],
    )
    def test_what_is_not_there_is_not_found(self, opened: Opened, read: Callable[[Store], object]) -> None:
        with pytest.raises(NotFoundError):
            read(opened.store)

    def test_an_unknown_experiment_has_no_records(self, opened: Opened) -> None:
        store = opened.store
        assert [*store.trials(KEY), *store.curve(KEY), *store.curve(KEY, 1), *store.events(KEY)] == []

    def test_a_trial_of_another_experiment_is_not_found(self, opened: Opened) -> None:
        create(opened.store)
        create(opened.store, Key("team", "other"))
        add_trials(opened.store, 0)
        with pytest.raises(NotFoundError):
            opened.store.trial(Key("team", "other"), "study-0000")

    def test_records_keep_types_and_odd_values(self, opened: Opened) -> None:
        create(opened.store)
        odd = trial(
            0,
            parameters={"a": 1, "b": 1.0, "c": True, "d": "1", "e": None, "f": math.inf, "g": -0.0, "h": 2**65},
            observation={"loss": MetricSummary(latest_text="nan", count=1)},
            cursors={"stdout": Cursor(2**40, True)},
            message="\x00\udcff é ☃",
        )
        report = Measurement("loss", None, "Genotype('\x00')", -math.inf)
        opened.store.commit(Changes(KEY, trials=(TrialChange(replace(odd, measured=1), (report,)),)))
        assert repr(opened.store.trial(KEY, "study-0000")) == repr(replace(odd, measured=1, seq=2))
        ((_, recorded),) = opened.store.curve(KEY)
        assert repr(recorded.measurement) == repr(report)

    def test_long_records_come_back(self, opened: Opened) -> None:
        document = {"kind": "Experiment", "long": "é%s:\\' " * 100_000}
        opened.store.commit(Changes(KEY, replace(experiment(), document=document)), expected=0)
        opened.store.commit(Changes(KEY, trials=(TrialChange(trial(0, message="m" * 300_000)),)))
        assert opened.store.get(KEY).document == document
        assert opened.store.trial(KEY, "study-0000").message == "m" * 300_000

    # Compare and set

    @pytest.mark.parametrize(
        ("expected", "error"),
        [
            pytest.param(None, None, id="blind"),
            pytest.param(2, None, id="the-one-read"),
            pytest.param(1, ConflictError, id="older"),
            pytest.param(3, ConflictError, id="newer"),
            pytest.param(0, AlreadyExistsError, id="must-not-exist"),
        ],
    )
    def test_an_edit_is_refused_unless_its_generation_is_the_stored_one(
        self, opened: Opened, expected: int | None, error: type[KatibError] | None
    ) -> None:
        first = create(opened.store)
        opened.store.commit(Changes(KEY, first), expected=1)
        edit = Changes(KEY, replace(first, desired=Desired.STOP))
        if error is None:
            opened.store.commit(edit, expected=expected)
        else:
            with pytest.raises(error):
                opened.store.commit(edit, expected=expected)
        got = opened.store.get(KEY)
        assert (got.generation, got.desired) == ((3, Desired.STOP) if error is None else (2, Desired.RUN))

    def test_an_edit_of_a_deleted_namesake_is_refused(self, opened: Opened) -> None:
        read = create(opened.store, uid="uid-1")
        opened.store.commit(Changes(KEY, delete=True))
        create(opened.store, uid="uid-2")
        with pytest.raises(ConflictError):
            opened.store.commit(Changes(KEY, replace(read, desired=Desired.DELETE)), expected=1)

    def test_the_owner_and_editors_do_not_overwrite_each_other(self, opened: Opened) -> None:
        read = create(opened.store)
        status = ExperimentStatus({TrialState.PENDING: 1}, best=0, best_value=0.5)
        opened.store.commit(Changes(KEY, status=status, trials=(TrialChange(trial(0)),)))
        opened.store.commit(Changes(KEY, replace(read, budget=Budget(9), desired=Desired.STOP)), expected=1)
        add_trials(opened.store, 1)
        got = opened.store.get(KEY)
        assert (got.status, got.seq) == (status, 2)
        assert (got.budget, got.desired, got.generation) == (Budget(9), Desired.STOP, 2)

    def test_of_two_threads_with_the_same_generation_one_wins(self, opened: Opened) -> None:
        create(opened.store)

        def edit(parallel: int) -> bool:
            barrier.wait()
            try:
                opened.store.commit(Changes(KEY, replace(read, budget=Budget(parallel))), expected=read.generation)
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            for _ in range(20):
                read, barrier = opened.store.get(KEY), threading.Barrier(4)
                won = list(pool.map(edit, range(1, 5)))
                assert sum(won) == 1
                assert opened.store.get(KEY).budget.parallel == won.index(True) + 1

    def test_threads_lose_no_commit(self, opened: Opened) -> None:
        keys = [Key("team", f"study-{i}") for i in range(4)]
        for key in keys:
            create(opened.store, key)
        start = opened.store.get(keys[-1]).revision

        def work(key: Key) -> None:
            for number in range(25):
                add_trials(opened.store, number, key=key, prefix=key.name)
                opened.store.trials(key)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, keys))
        assert max(opened.store.get(key).revision for key in keys) == start + 100
        for key in keys:
            assert [t.seq for t in opened.store.trials(key)] == list(range(1, 26))

    # Fencing

    def test_only_the_newest_fence_may_write(self, opened: Opened) -> None:
        create(opened.store)
        first = opened.leases.acquire(KEY, "elsewhere:1:1.0", ttl=0.0)
        opened.store.commit(Changes(KEY, trials=(TrialChange(trial(0)),)), fence=first.fence)
        second = opened.leases.acquire(KEY, "elsewhere:2:1.0", ttl=60.0)
        with pytest.raises(FencedError):
            opened.store.commit(Changes(KEY, trials=(TrialChange(trial(1)),)), fence=first.fence)
        opened.store.commit(Changes(KEY, trials=(TrialChange(trial(2)),)), fence=second.fence)
        assert [t.number for t in opened.store.trials(KEY)] == [0, 2]

    def test_a_fence_that_nobody_gave_out_is_refused(self, opened: Opened) -> None:
        create(opened.store)
        with pytest.raises(FencedError):
            opened.store.commit(Changes(KEY, status=ExperimentStatus()), fence=1)

    def test_a_former_owner_is_fenced_off_a_new_experiment_of_the_same_name(self, opened: Opened) -> None:
        create(opened.store)
        lease = opened.leases.acquire(KEY, "elsewhere:1:1.0", ttl=60.0)
        opened.store.commit(Changes(KEY, delete=True))
        with pytest.raises(FencedError):
            opened.store.commit(Changes(KEY, status=ExperimentStatus()), fence=lease.fence)
        create(opened.store, uid="uid-2")
        with pytest.raises(FencedError):
            opened.store.commit(Changes(KEY, status=ExperimentStatus()), fence=lease.fence)
        assert opened.leases.acquire(KEY, "elsewhere:2:1.0", ttl=60.0).fence > lease.fence

    # Trials and measurements

    def test_numbers_are_those_of_stamp(self, opened: Opened) -> None:
        create(opened.store)
        add_trials(opened.store, 0)
        changes = Changes(KEY, trials=(measured(trial(0), 0.5, 0.4), TrialChange(trial(1)), measured(trial(2), 0.3)))
        committed = opened.store.commit(changes)
        assert committed.first_seq == 2
        assert opened.store.get(KEY).seq == 7
        assert opened.store.trials(KEY) == [stamped.trial for stamped in stamp(changes, committed.first_seq)]
        curve = [(n, r.seq, r.attempt, r.sequence, r.measurement.value) for n, r in opened.store.curve(KEY)]
        assert curve == [(0, 2, 1, 0, 0.5), (0, 3, 1, 1, 0.4), (2, 6, 1, 0, 0.3)]

    @pytest.mark.parametrize(
        ("start", "limit", "numbers"),
        [(0, 2, [0, 1]), (2, 2, [2, 3]), (4, 2, [4]), (5, 2, []), (1, 99, [1, 2, 3, 4]), (0, 0, [])],
    )
    def test_pages_of_trials_in_order_of_number(
        self, opened: Opened, start: int, limit: int, numbers: list[int]
    ) -> None:
        store = opened.store
        create(store)
        create(store, Key("team", "other"), uid="uid-2")
        add_trials(store, 0, 1, 2, 3, 4)
        add_trials(store, 0, 1, key=Key("team", "other"), prefix="other")
        store.commit(Changes(KEY, trials=(TrialChange(trial(1, state=TrialState.SUCCEEDED)),)))  # not the newest seq
        assert [t.number for t in store.numbered(KEY, start, limit)] == numbers
        assert store.numbered(Key("team", "unknown"), start, limit) == []

    def test_records_since_a_seq_come_in_order(self, opened: Opened) -> None:
        create(opened.store)
        add_trials(opened.store, 0, 1, 2)
        opened.store.commit(Changes(KEY, trials=(measured(trial(0), 0.5),)))
        opened.store.commit(Changes(KEY, trials=(TrialChange(trial(1, state=TrialState.RUNNING)),)))
        opened.store.commit(Changes(KEY, trials=(measured(trial(0, measured=1), 0.4),)))
        assert [(t.number, t.seq) for t in opened.store.trials(KEY)] == [(2, 3), (1, 6), (0, 8)]
        assert [t.number for t in opened.store.trials(KEY, since=3)] == [1, 0]
        assert opened.store.trials(KEY, since=8) == []
        assert [r.seq for _, r in opened.store.curve(KEY, 0)] == [4, 7]
        assert [r.seq for _, r in opened.store.curve(KEY, 0, since=4)] == [7]
        assert opened.store.curve(KEY, 1) == []

    def test_a_new_attempt_counts_its_measurements_from_zero(self, opened: Opened) -> None:
        create(opened.store)
        opened.store.commit(Changes(KEY, trials=(measured(trial(0), 0.5, 0.4),)))
        opened.store.commit(Changes(KEY, trials=(measured(trial(0, attempt=2), 0.9),)))
        assert [(r.attempt, r.sequence) for _, r in opened.store.curve(KEY, 0)] == [(1, 0), (1, 1), (2, 0)]

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            pytest.param((measured(trial(0), 0.7),), ConflictError, id="measurement-twice"),
            pytest.param((TrialChange(trial(0, name="else")),), ConflictError, id="number-of-another-trial"),
            pytest.param((TrialChange(trial(9, name="study-0000")),), AlreadyExistsError, id="name-in-the-experiment"),
            pytest.param((TrialChange(trial(9, "other")), TrialChange(trial(8, "other", name="other-0009"))),
                         AlreadyExistsError, id="name-in-the-commit"),
            pytest.param((TrialChange(trial(9, "other")), TrialChange(trial(9, "another"))),
                         ConflictError, id="number-in-the-commit"),
            pytest.param((TrialChange(trial(9, name="far-0000")),), AlreadyExistsError, id="name-in-the-namespace"),
        ],
    )  # fmt: skip
    def test_what_must_be_unique_is_refused_and_nothing_is_written(
        self, opened: Opened, changes: tuple[TrialChange, ...], error: type[KatibError]
    ) -> None:
        create(opened.store)
        create(opened.store, Key("team", "far"))
        add_trials(opened.store, 0, key=Key("team", "far"), prefix="far")
        opened.store.commit(Changes(KEY, trials=(measured(trial(0), 0.5),)))
        before = opened.store.get(KEY), opened.store.trials(KEY), opened.store.curve(KEY)
        fine = TrialChange(trial(5))
        with pytest.raises(error):
            opened.store.commit(Changes(KEY, status=ExperimentStatus(message="lost"), trials=(fine, *changes)))
        assert (opened.store.get(KEY), opened.store.trials(KEY), opened.store.curve(KEY)) == before
        with pytest.raises(NotFoundError):
            opened.store.trial(KEY, fine.trial.name)

    def test_a_trial_name_may_be_used_in_another_namespace(self, opened: Opened) -> None:
        for namespace in ("team", "guests"):
            create(opened.store, Key(namespace, "study"))
            add_trials(opened.store, 0, key=Key(namespace, "study"))
        assert opened.store.trial(Key("guests", "study"), "study-0000").number == 0

    def test_the_last_record_of_a_trial_in_a_commit_stays(self, opened: Opened) -> None:
        create(opened.store)
        changes = tuple(TrialChange(trial(0, state=state)) for state in (TrialState.PENDING, TrialState.RUNNING))
        opened.store.commit(Changes(KEY, trials=changes))
        assert [(t.seq, t.state) for t in opened.store.trials(KEY)] == [(2, TrialState.RUNNING)]

    def test_events_come_oldest_first(self, opened: Opened) -> None:
        create(opened.store)
        events = [Event(float(i), "Normal", "Reason", f"message {i}", trial=f"t{i}") for i in range(5)]
        opened.store.commit(Changes(KEY, events=tuple(events[:3])))
        opened.store.commit(Changes(KEY, events=tuple(events[3:])))
        assert opened.store.events(KEY) == events
        assert opened.store.events(KEY, limit=3) == events[2:]
        assert opened.store.events(KEY, limit=0) == []

    # Deletion

    def test_deletion_takes_everything_that_belongs_to_the_experiment(self, opened: Opened) -> None:
        create(opened.store)
        create(opened.store, Key("team", "other"))
        add_trials(opened.store, 0, key=Key("team", "other"), prefix="other")
        event = Event(1.0, "Normal", "r", "m")
        opened.store.commit(Changes(KEY, trials=(measured(trial(0), 0.5),), events=(event,)))
        opened.store.commit(Changes(KEY, delete=True))
        with pytest.raises(NotFoundError):
            opened.store.get(KEY)
        new = create(opened.store, uid="uid-2")
        assert (new.seq, new.generation, new.uid) == (0, 1, "uid-2")
        store = opened.store
        assert [*store.trials(KEY), *store.curve(KEY), *store.events(KEY)] == []
        opened.store.commit(Changes(KEY, trials=(measured(trial(0), 0.5),)))
        assert len(opened.store.trials(Key("team", "other"))) == 1

    # Lists

    def test_lists_are_in_order_and_cut_into_pages(self, opened: Opened) -> None:
        keys = [Key(space, f"study-{i}") for space in ("b", "a") for i in (2, 10, 1)]
        for key in keys:
            create(opened.store, key)
        assert [e.key for e in opened.store.list().items] == sorted(keys)
        got, cont = [], ""
        while True:
            page = opened.store.list(limit=2, cont=cont)
            got += page.items
            cont = page.cont
            if not cont:
                break
            assert len(page.items) == 2
        assert got == list(opened.store.list().items)
        assert [e.key for e in opened.store.list("a").items] == sorted(k for k in keys if k.namespace == "a")
        assert opened.store.list("c").items == ()
        assert opened.store.list("a", limit=3).cont == ""

    def test_names_differ_by_case_and_come_in_order_of_their_characters(self, opened: Opened) -> None:
        names = ["b", "B", "a", "A", "a-1", "a1", "é", "e", "z", "\ufb00", "\U0001d54f"]
        for name in names:
            create(opened.store, Key("team", name), uid=name)
        assert [e.key.name for e in opened.store.list().items] == sorted(names)
        assert [opened.store.get(Key("team", name)).uid for name in names] == names

    def test_lists_can_be_narrowed_to_labels(self, opened: Opened) -> None:
        for i in range(7):
            create(opened.store, Key("a", f"s{i}"), labels={"parity": str(i % 2), "all": "yes"})
        wanted = {"parity": "1", "all": "yes"}
        first = opened.store.list(selector=wanted, limit=2)
        rest = opened.store.list(selector=wanted, limit=2, cont=first.cont)
        assert [e.key.name for e in (*first.items, *rest.items)] == ["s1", "s3", "s5"]
        assert rest.cont == ""
        assert opened.store.list(selector={"parity": "2"}).items == ()

    @pytest.mark.parametrize("page", [{"cont": "nonsense"}, {"cont": "[1]"}, {"limit": 0}], ids=str)
    def test_a_bad_page_is_refused(self, opened: Opened, page: dict[str, object]) -> None:
        with pytest.raises(SpecError):
            opened.store.list(**page)

    # The change feed

    def test_the_feed_tells_what_was_touched_last(self, opened: Opened) -> None:
        other = Key("team", "other")
        create(opened.store)  # 1
        create(opened.store, other)  # 2
        add_trials(opened.store, 0, 1)  # 3
        opened.store.commit(Changes(KEY, trials=(TrialChange(trial(0, state=TrialState.RUNNING)),)))  # 4
        opened.store.commit(Changes(other, events=(Event(1.0, "Normal", "r", "m"),)))  # 5
        lines = [Touched(3, KEY, "study-0001"), Touched(4, KEY), Touched(4, KEY, "study-0000"), Touched(5, other)]
        assert opened.store.changes(0) == lines
        assert opened.store.changes(3) == lines[1:]
        assert opened.store.changes(4) == lines[3:]
        assert opened.store.changes(5) == []
        assert opened.store.changes(99) == []

    def test_the_feed_tells_deletions(self, opened: Opened) -> None:
        create(opened.store)  # 1
        add_trials(opened.store, 0)  # 2
        opened.store.commit(Changes(KEY, delete=True))  # 3
        assert opened.store.changes(0) == [Touched(3, KEY, deleted=True)]
        create(opened.store, uid="uid-2")  # 4
        assert opened.store.changes(0) == [Touched(3, KEY, deleted=True), Touched(4, KEY)]
        opened.store.commit(Changes(KEY, delete=True))  # 5
        assert opened.store.changes(0) == [Touched(5, KEY, deleted=True)]

    def test_a_refused_commit_uses_no_revision(self, opened: Opened) -> None:
        create(opened.store)
        with pytest.raises(ConflictError):
            opened.store.commit(Changes(KEY, experiment()), expected=5)
        assert opened.store.changes(1) == []
        opened.store.commit(Changes(KEY, status=ExperimentStatus()))
        assert opened.store.get(KEY).revision == 2

    def test_the_feed_waits_for_the_first_commit(self, opened: Opened) -> None:
        create(opened.store)
        start = time.monotonic()
        assert opened.store.changes(1, timeout=0.15) == []
        assert time.monotonic() - start >= 0.15
        timer = threading.Timer(0.1, add_trials, (opened.store, 0))
        timer.start()
        start = time.monotonic()
        assert opened.store.changes(1, timeout=30.0) == [Touched(2, KEY), Touched(2, KEY, "study-0000")]
        assert time.monotonic() - start < 5.0
        timer.join()

    def test_a_long_feed_is_complete(self, opened: Opened) -> None:
        create(opened.store)
        for first in range(0, 1500, 300):
            add_trials(opened.store, *range(first, first + 300))
        names = [line.trial for line in opened.store.changes(2) if line.trial]
        assert names == [f"study-{i:04}" for i in range(300, 1500)]
