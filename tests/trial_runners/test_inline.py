"""The inline runner: the contract, and what is particular to running in the caller's thread."""

from __future__ import annotations

import math
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import katib.report
from katib.core.errors import RunnerError, SpecError
from katib.core.ports import Phase, Runner
from katib.core.trial import Attempt, FailureClass
from tests.contracts.runner_contract import RunnerContract, attempt_id, follow, update_of
from tests.trial_runners.function_adapter import FunctionAdapter
from tests.trial_runners.objectives import attempt, perform
from trial_runners.inline import InlineRunner


class InlineAdapter(FunctionAdapter):
    asynchronous = False

    def open(self) -> Runner:
        return InlineRunner(perform, metric="loss")


class TestInline(RunnerContract):
    @pytest.fixture
    def adapter(self) -> InlineAdapter:
        return InlineAdapter()


def run(objective: Any, **parameters: Any) -> Any:
    """Run one attempt of ``objective`` inline; the answer is all that was seen of it."""
    runner = InlineRunner(objective, metric="loss")
    runner.start(Attempt(attempt_id(), 0, parameters))
    return follow(runner, attempt_id())


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        pytest.param(0.5, [("loss", 0.5, "0.5")], id="float"),
        pytest.param(3, [("loss", 3.0, "3")], id="int"),
        pytest.param(1e-05, [("loss", 1e-05, "1e-05")], id="small"),
        pytest.param(np.float32(0.5), [("loss", 0.5, "0.5")], id="numpy-float32"),
        pytest.param(np.float64(0.1), [("loss", 0.1, "0.1")], id="numpy-float64"),
        pytest.param(np.int64(7), [("loss", 7.0, "7.0")], id="numpy-int"),
        pytest.param(np.array(0.25), [("loss", 0.25, "0.25")], id="numpy-0d"),
        pytest.param(math.nan, [("loss", None, "nan")], id="nan"),
        pytest.param(-math.inf, [("loss", None, "-inf")], id="inf"),
        pytest.param({"loss": 1, "acc": 0.5}, [("loss", 1.0, "1"), ("acc", 0.5, "0.5")], id="dict"),
    ],
)
def test_returned_values_become_measurements(returned: Any, expected: list[Any]) -> None:
    seen = run(lambda parameters: returned)
    assert seen.last.phase is Phase.SUCCEEDED, seen.last
    assert [(m.metric, m.value, m.text) for m in seen.measurements] == expected
    assert all(m.step is None and m.time > 1e9 for m in seen.measurements)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        pytest.param(None, "returned NoneType and measured nothing, but not 'loss'", id="none"),
        pytest.param(True, "got True (bool), expected a number", id="bool"),
        pytest.param(np.bool_(True), "(bool", id="numpy-bool"),
        pytest.param("0.5", "returned '0.5'", id="text"),
        pytest.param([0.5], "got [0.5] (list), expected a number", id="list"),
        pytest.param((0.5, 0.6), "(tuple), expected a number", id="tuple"),
        pytest.param(np.zeros(2), "(ndarray), expected a number", id="array"),
        pytest.param(1j, "(complex), expected a number", id="complex"),
        pytest.param(10**400, "(int), expected a number", id="overflow"),
        pytest.param({"acc": 0.5}, "measured acc, but not 'loss'", id="dict-without-objective"),
        pytest.param({"loss": "low"}, "metric 'loss': got 'low' (str), expected a number", id="dict-of-text"),
        pytest.param({3: 0.5}, "metric name 3: expected printable text", id="dict-key"),
        pytest.param({"a\nloss": 0.5}, "expected printable text", id="dict-key-with-line-end"),
        pytest.param(lambda: 0.5, "(function), expected a number", id="function"),
    ],
)
def test_returned_values_that_are_refused(returned: Any, said: str) -> None:
    last = run(lambda parameters: returned).last
    assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.USER_ERROR)
    assert said in last.reason
    assert "expected a number ('loss'), a dict of numbers by metric name, or None after report_metrics" in last.reason


def test_an_exception_fails_the_trial_with_its_own_traceback() -> None:
    last = run(perform, do="fail").last
    assert (last.phase, last.failure, last.reason) == (Phase.FAILED, FailureClass.USER_ERROR, "ValueError: went wrong")
    assert 'raise ValueError("went wrong")' in last.message
    assert "objective_call.py" not in last.message


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(KeyError("lr"), "KeyError: 'lr'", id="key"),
        pytest.param(AssertionError(), "AssertionError", id="without-text"),
        pytest.param(ValueError("x" * 10_000), "ValueError: " + "x" * 488, id="long"),
        pytest.param(OSError("bad \udcff name\0"), "OSError: bad \\udcff name\\0", id="surrogate-and-nul"),
        pytest.param(ExceptionGroup("two", [ValueError("a")]), "ExceptionGroup: two (1 sub-exception)", id="group"),
    ],
)
def test_reasons_are_short_and_storable(error: Exception, reason: str) -> None:
    def objective(parameters: dict[str, Any]) -> float:
        raise error

    last = run(objective).last
    assert last.reason == reason
    assert len(last.message) <= 4000
    (last.reason + last.message).encode()


def test_memory_error_is_its_own_class() -> None:
    assert run(perform, do="out of memory").last.failure is FailureClass.OUT_OF_MEMORY


@pytest.mark.parametrize(
    ("code", "phase"),
    [
        pytest.param(0, Phase.SUCCEEDED, id="zero"),
        pytest.param(None, Phase.SUCCEEDED, id="none"),
        pytest.param(3, Phase.FAILED, id="three"),
        pytest.param("no data", Phase.FAILED, id="text"),
    ],
)
def test_system_exit(code: Any, phase: Phase) -> None:
    def objective(parameters: dict[str, Any]) -> None:
        katib.report.report_metrics(loss=1.0)
        raise SystemExit(code)

    last = run(objective).last
    assert last.phase is phase
    assert last.reason == ("" if phase is Phase.SUCCEEDED else f"SystemExit: {code}")


def test_reports_come_before_the_returned_value_in_order_with_steps() -> None:
    seen = run(perform, do="curve", count=3)
    assert [(m.metric, m.value, m.step) for m in seen.measurements] == [
        ("loss", 1.0, 0),
        ("loss", 0.5, 1),
        ("loss", 1 / 3, 2),
        ("loss", 0.0, None),
        ("accuracy", 0.75, None),
    ]


def test_none_is_fine_after_a_report() -> None:
    seen = run(perform, do="report only")
    assert seen.last.phase is Phase.SUCCEEDED
    assert [m.value for m in seen.measurements] == [0.25]


def test_reports_from_a_thread_of_the_objective_arrive() -> None:
    def objective(parameters: dict[str, Any]) -> None:
        thread = threading.Thread(target=katib.report.report_metrics, kwargs={"loss": 0.5})
        thread.start()
        thread.join()

    assert [m.value for m in run(objective).measurements] == [0.5]


def test_long_ones_run_one_at_each_wait_in_order_of_start() -> None:
    called: list[int] = []

    def objective(parameters: dict[str, int]) -> float:
        called.append(parameters["i"])
        time.sleep(0.01)
        return 0.5

    runner = InlineRunner(objective, metric="loss")
    ids = [attempt_id(f"trial-{i}") for i in range(3)]
    for i, id in enumerate(ids):
        runner.start(Attempt(id, i, {"i": i}))
    assert [u.phase for u in runner.poll({id: {} for id in ids})] == [Phase.WAITING] * 3
    runner.wait(0)
    assert called == [0]
    runner.stop(ids[1])
    assert [u.phase for u in runner.poll({id: {} for id in ids})] == [Phase.SUCCEEDED, Phase.STOPPED, Phase.WAITING]
    runner.wait(0)
    assert called == [0, 2]


def test_short_ones_run_several_at_a_wait() -> None:
    runner = InlineRunner(lambda parameters: 0.5, metric="loss")
    ids = [attempt_id(f"trial-{i}") for i in range(4)]
    for i, id in enumerate(ids):
        runner.start(Attempt(id, i, {}))
    runner.wait(0)
    phases = [u.phase for u in runner.poll({id: {} for id in ids})]
    assert phases.count(Phase.SUCCEEDED) > 1


def test_it_runs_in_the_callers_thread_with_its_own_copy_of_the_parameters() -> None:
    threads = []

    def objective(parameters: dict[str, Any]) -> float:
        threads.append(threading.current_thread())
        parameters.clear()
        return 0.5

    parameters = {"lr": 0.1}
    runner = InlineRunner(objective, metric="loss")
    runner.start(Attempt(attempt_id(), 0, parameters))
    runner.wait(0)
    assert threads == [threading.current_thread()]
    assert parameters == {"lr": 0.1}


def test_an_objective_can_be_stopped_from_inside() -> None:
    def objective(parameters: dict[str, Any]) -> float:
        katib.report.report_metrics(loss=1.0)
        assert update_of(runner, attempt_id()).phase is Phase.RUNNING
        runner.stop(attempt_id())
        try:
            katib.report.report_metrics(loss=0.5)
        except Exception:
            pytest.fail("a stop must pass through 'except Exception'")
        return 0.1

    runner = InlineRunner(objective, metric="loss")
    runner.start(Attempt(attempt_id(), 0, {}))
    seen = follow(runner, attempt_id())
    assert seen.last.phase is Phase.STOPPED
    assert [m.value for m in seen.measurements] == [0.5]  # the first was taken by the poll inside


def test_keyboard_interrupt_passes_through() -> None:
    runner = InlineRunner(perform, metric="loss")
    runner.start(attempt(attempt_id(), "interrupt"))
    with pytest.raises(KeyboardInterrupt):
        runner.wait(1)
    last = update_of(runner, attempt_id())
    assert (last.phase, last.reason) == (Phase.STOPPED, "interrupted")


def test_environment_lasts_as_long_as_the_call(tmp_path: Path) -> None:
    runner = InlineRunner(perform, metric="loss", root=tmp_path / "trials")
    runner.start(attempt(attempt_id(), "environment", path=str(tmp_path / "seen")))
    assert follow(runner, attempt_id()).last.phase is Phase.SUCCEEDED
    assert (tmp_path / "seen").read_text().splitlines() == [
        "KATIB_ATTEMPT=1",
        f"KATIB_CHECKPOINT_DIR={tmp_path}/trials/team/study/trial-a/1/checkpoint",
        "KATIB_EXPERIMENT_NAME=study",
        "KATIB_NAMESPACE=team",
        "KATIB_SEED=0",
        "KATIB_TRIAL_NAME=trial-a",
    ]
    assert not [name for name in os.environ if name.startswith("KATIB_TRIAL")]


def test_a_missing_checkpoint_is_told_in_the_log(tmp_path: Path) -> None:
    runner = InlineRunner(perform, metric="loss", root=tmp_path)
    parent, child = attempt_id("parent"), attempt_id("child")
    runner.start(attempt(child, "checkpoint", text="cde", parent=parent))
    assert follow(runner, child).measurements[0].value == 3
    log = (tmp_path / "team/study/child/1/stdout.log").read_text()
    assert log == "katib: trial parent has left no checkpoint to continue from\n"


def test_a_retry_goes_on_from_the_last_attempt(tmp_path: Path) -> None:
    runner = InlineRunner(perform, metric="loss", root=tmp_path)
    first, again = attempt_id("one"), attempt_id("one", attempt=2)
    runner.start(attempt(first, "checkpoint", text="ab"))
    follow(runner, first)
    runner.start(attempt(again, "checkpoint", text="cde"))
    assert follow(runner, again).measurements[0].value == 5


def test_a_child_continues_from_its_parents_checkpoint(tmp_path: Path) -> None:
    runner = InlineRunner(perform, metric="loss", root=tmp_path)
    parent, child = attempt_id("parent"), attempt_id("child")
    runner.start(attempt(parent, "checkpoint", text="ab"))
    assert follow(runner, parent).measurements[0].value == 2
    runner.start(attempt(child, "checkpoint", text="cde", parent=parent))
    assert follow(runner, child).measurements[0].value == 5
    assert (tmp_path / "team/study/parent/1/checkpoint/state.txt").read_text() == "ab"
    runner.release(parent)
    assert not (tmp_path / "team/study/parent/1/checkpoint").exists()
    runner.release(child, everything=True)
    assert not (tmp_path / "team/study/child").exists()


def test_a_folder_that_cannot_be_made_is_no_fault_of_the_objective(tmp_path: Path) -> None:
    (tmp_path / "team").write_text("a file is in the way")
    runner = InlineRunner(perform, metric="loss", root=tmp_path)
    runner.start(attempt(attempt_id(), "constant"))
    last = follow(runner, attempt_id()).last
    assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.INFRASTRUCTURE)


def test_names_that_climb_are_refused(tmp_path: Path) -> None:
    runner = InlineRunner(perform, metric="loss", root=tmp_path)
    with pytest.raises(RunnerError, match="cannot name a folder"):
        runner.start(attempt(attempt_id("../../x"), "constant"))


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(SpecError, match="expected a function of the parameters"):
        InlineRunner("objective", metric="loss")  # type: ignore[arg-type]


def test_a_closed_runner_starts_nothing() -> None:
    runner = InlineRunner(perform, metric="loss")
    runner.close()
    with pytest.raises(RunnerError, match="closed"):
        runner.start(attempt(attempt_id(), "constant"))
