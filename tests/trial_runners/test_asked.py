"""The runner of asked trials: the contract, with threads that ask; and its other side, by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from katib.core.errors import RunnerError
from katib.core.ports import Phase, Runner
from katib.core.trial import Attempt, AttemptId, FailureClass
from katib.report import Report, TrialStopped, measure
from tests.contracts.runner_contract import RunnerContract, attempt_id, follow, update_of
from tests.trial_runners.function_adapter import FunctionAdapter
from tests.trial_runners.objectives import perform
from trial_runners.asked import AskedRunner, Ticket
from trial_runners.objective_call import Ending, call

CLIENTS = 4


class AskedAdapter(FunctionAdapter):
    """Threads that ask for attempts and do what these say."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def open(self) -> Runner:
        runner = AskedRunner(metric="loss")
        for _ in range(CLIENTS):
            thread = threading.Thread(target=self._work, args=(runner,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return runner

    def close(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(5)

    def _work(self, runner: AskedRunner) -> None:
        while not self._over.is_set():
            ticket = Ticket()
            runner.ask(ticket)
            while ticket.attempt is None and not self._over.is_set():
                time.sleep(0.002)
            if ticket.attempt is not None:
                self._perform(runner, ticket.attempt)

    def _perform(self, runner: AskedRunner, attempt: Attempt) -> None:
        def receive(reports: tuple[Report, ...]) -> None:
            runner.report(attempt.id, reports)
            if runner.stopping(attempt.id):
                raise TrialStopped

        def deaf(parameters: dict[str, Any]) -> float:
            Path(parameters["ready"]).touch()
            self._over.wait(parameters["seconds"])
            return 0.5

        objective = deaf if attempt.parameters["do"] == "spin" else perform
        runner.tell(attempt.id, call(objective, attempt.parameters, "loss", receive))


class TestAsked(RunnerContract):
    @pytest.fixture
    def adapter(self) -> Iterator[AskedAdapter]:
        adapter = AskedAdapter()
        yield adapter
        adapter.close()


LOSS = Ending(reports=measure({"loss": 0.5}))


def started(*names: str) -> tuple[AskedRunner, list[AttemptId]]:
    runner = AskedRunner(metric="loss")
    attempts = [Attempt(attempt_id(name), i, {}) for i, name in enumerate(names)]
    for attempt in attempts:
        runner.start(attempt)
    return runner, [attempt.id for attempt in attempts]


def ask(runner: AskedRunner) -> Ticket:
    ticket = Ticket()
    runner.ask(ticket)
    return ticket


def phase(runner: AskedRunner, id: AttemptId) -> Phase:
    return update_of(runner, id).phase


def test_first_come_first_served_on_both_sides() -> None:
    runner, ids = started("a", "b")
    tickets = [ask(runner) for _ in range(4)]
    runner.start(Attempt(attempt_id("c"), 2, {}))
    assert [ticket.attempt and ticket.attempt.id for ticket in tickets] == [*ids, attempt_id("c"), None]
    assert all(ticket.asked for ticket in tickets)


def test_one_in_line_waits_and_one_that_is_taken_runs() -> None:
    runner, (a, b) = started("a", "b")
    assert (phase(runner, a), phase(runner, b)) == (Phase.WAITING, Phase.WAITING)
    ask(runner)
    assert (phase(runner, a), phase(runner, b)) == (Phase.RUNNING, Phase.WAITING)


def test_a_ticket_that_is_withdrawn_gets_nothing() -> None:
    runner, _ = started()
    first, second = ask(runner), ask(runner)
    assert runner.withdraw(first)
    runner.start(Attempt(attempt_id(), 0, {}))
    assert (first.attempt, second.attempt is not None) == (None, True)
    assert not runner.withdraw(second)
    assert not runner.stopping(attempt_id())


def test_what_is_given_back_goes_to_the_next_who_asks() -> None:
    runner, (a, b) = started("a", "b")
    ticket = ask(runner)
    runner.give_back(ticket)
    assert phase(runner, a) is Phase.WAITING
    assert [ask(runner).attempt.id for _ in range(2)] == [a, b]


def test_what_is_given_back_while_it_is_stopped_ends() -> None:
    runner, (a,) = started("a")
    ticket = ask(runner)
    runner.stop(a)
    runner.give_back(ticket)
    assert phase(runner, a) is Phase.STOPPED


def test_what_is_in_line_is_stopped_at_once() -> None:
    runner, (a,) = started("a")
    runner.stop(a)
    assert phase(runner, a) is Phase.STOPPED
    assert ask(runner).attempt is None


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        pytest.param(LOSS, Phase.SUCCEEDED, id="value"),
        pytest.param(Ending(), Phase.STOPPED, id="nothing"),
        pytest.param(Ending(FailureClass.USER_ERROR, reason="x"), Phase.STOPPED, id="failure"),
    ],
)
def test_what_is_told_of_a_stopped_one(ending: Ending, expected: Phase) -> None:
    runner, (a,) = started("a")
    ask(runner)
    runner.stop(a)
    assert (phase(runner, a), runner.stopping(a)) == (Phase.RUNNING, True)
    assert runner.tell(a, ending)
    last = follow(runner, a)
    assert last.last.phase is expected
    assert len(last.measurements) == len(ending.reports)


def test_a_value_is_needed_for_success() -> None:
    runner, (a,) = started("a")
    ask(runner)
    with pytest.raises(ValueError, match="accuracy was measured, but not 'loss'"):
        runner.tell(a, Ending(reports=measure({"accuracy": 1})))
    assert phase(runner, a) is Phase.RUNNING
    runner.report(a, measure({"loss": 1}))
    assert runner.tell(a, Ending())
    assert phase(runner, a) is Phase.SUCCEEDED


def test_reports_are_counted_and_told_once() -> None:
    runner, (a,) = started("a")
    assert runner.report(a, measure({"loss": 1})) is None
    ask(runner)
    assert runner.report(a, measure({"loss": 3, "other": 1}, 0)) == 2
    assert runner.report(a, measure({"loss": 2}, 1)) == 3
    assert [m.text for m in update_of(runner, a).measurements] == ["3", "1", "2"]
    assert runner.tell(a, LOSS)
    assert not runner.tell(a, LOSS)
    assert runner.report(a, measure({"loss": 1})) is None
    assert [m.text for m in update_of(runner, a).measurements] == ["0.5"]


def test_nothing_is_given_out_while_that_is_not_allowed() -> None:
    runner, (a,) = started("a")
    runner.allow(False)
    ticket = ask(runner)
    assert ticket.attempt is None
    runner.allow(True)
    assert ticket.attempt.id == a


def test_interrupted_it_gives_out_nothing_and_ends_what_is_out() -> None:
    runner, (a, b) = started("a", "b")
    ask(runner)
    runner.interrupt()
    runner.allow(True)
    assert ask(runner).attempt is None
    assert (phase(runner, a), phase(runner, b)) == (Phase.STOPPED, Phase.WAITING)


def test_closed_it_starts_nothing() -> None:
    runner, _ = started()
    runner.close()
    with pytest.raises(RunnerError, match="closed"):
        runner.start(Attempt(attempt_id(), 0, {}))


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda runner, id: ask(runner), id="ask"),
        pytest.param(lambda runner, id: runner.report(id, measure({"loss": 1})), id="report"),
        pytest.param(lambda runner, id: runner.tell(id, LOSS), id="tell"),
        pytest.param(lambda runner, id: runner.wake(), id="wake"),
        pytest.param(lambda runner, id: runner.interrupt(), id="interrupt"),
        pytest.param(lambda runner, id: runner.close(), id="close"),
    ],
)
def test_what_wakes_its_owner(act) -> None:
    runner, (a,) = started("a")
    ask(runner)
    runner.poll({})
    woken = threading.Event()

    def wait() -> None:
        runner.wait(60)
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    assert not woken.wait(0.05)
    act(runner, a)
    assert woken.wait(30)


def test_a_grace_that_passes_wakes_its_owner() -> None:
    runner, (a,) = started("a")
    ask(runner)
    runner.poll({})
    runner.stop(a, grace=0.1)
    runner.wait(60)
    assert phase(runner, a) is Phase.STOPPED
    assert not runner.tell(a, LOSS)
