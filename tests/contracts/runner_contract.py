"""What every runner must do. A test module derives a class from ``RunnerContract`` and gives it an ``adapter``.

The adapter knows how to open the runner under test and how to make attempts that behave in a certain way; the suite
knows what must come of them. ``follow`` is the loop that the engine runs, cut down to one attempt.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from katib.core.objective import Measurement
from katib.core.ports import Chunk, Phase, Runner, Update
from katib.core.trial import Attempt, AttemptId, Cursor, FailureClass, Key

# Of the attempts that these tests make; whoever needs one of his own for each test puts its name here.
NAMESPACE = "team"


def attempt_id(trial: str = "trial-a", attempt: int = 1, experiment: str = "study") -> AttemptId:
    """The name of one run in the namespace that all these tests use."""
    return AttemptId(Key(NAMESPACE, experiment), trial, attempt)


class RunnerAdapter(ABC):
    """Opens the runner under test and makes attempts for it.

    asynchronous: ``start`` returns before the work is done, so a stop can reach it. outlives: attempts go on after
    ``close`` and are found by the next runner. prints: standard output arrives as chunks of the source ``stdout``.
    delay: seconds that may pass until the runner sees what has happened where the attempt runs.
    """

    asynchronous = True
    outlives = True
    prints = True
    delay = 0.0

    @abstractmethod
    def open(self) -> Runner:
        """A runner over the same place each time, as after a restart. The adapter's fixture cleans up."""

    @abstractmethod
    def append_line(self, id: AttemptId, path: Path) -> Attempt:
        """Adds one line to the file ``path`` and succeeds."""

    @abstractmethod
    def fail(self, id: AttemptId) -> Attempt:
        """Leaves the text ``went wrong`` where its users look for errors, and fails."""

    @abstractmethod
    def sleep(self, id: AttemptId, seconds: float) -> Attempt:
        """Sleeps, then succeeds; ends at once when asked to."""

    @abstractmethod
    def ignore_stop(self, id: AttemptId, seconds: float, ready: Path) -> Attempt:
        """Creates the file ``ready`` once it is deaf to requests to end, then sleeps and succeeds."""

    def print_text(self, id: AttemptId, text: str) -> Attempt:
        """Prints ``text`` (no line end is added) and succeeds. Only where ``prints``."""
        raise NotImplementedError


@dataclass
class Followed:
    """All that was seen of one attempt until its end. last: its final update; cursors: where reading ended."""

    last: Update
    chunks: list[Chunk] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    cursors: dict[str, Cursor] = field(default_factory=dict)

    def text(self, source: str = "stdout") -> bytes:
        """What the source held, put together."""
        return b"".join(chunk.data for chunk in self.chunks if chunk.source == source)


def update_of(runner: Runner, id: AttemptId, cursors: dict[str, Cursor] | None = None) -> Update:
    """One poll for one attempt, which must bring exactly one update."""
    (update,) = runner.poll({id: cursors or {}})
    assert update.id == id
    return update


def follow(
    runner: Runner,
    id: AttemptId,
    timeout: float = 20.0,
    consume: Callable[[Chunk], int] = lambda chunk: len(chunk.data),
) -> Followed:
    """Poll until the attempt has ended and all is read. ``consume``: how many bytes of a chunk the collector takes."""
    deadline = time.monotonic() + timeout
    seen = Followed(Update(id, Phase.WAITING))
    while not seen.last.phase.ended or seen.last.more:
        assert time.monotonic() < deadline, f"no end within {timeout} s: {seen.last}"
        runner.wait(0.2)
        seen.last = update_of(runner, id, seen.cursors)
        seen.measurements.extend(seen.last.measurements)
        seen.cursors.update(seen.last.ends)
        for chunk in seen.last.chunks:
            taken = consume(chunk)
            seen.chunks.append(chunk._replace(data=chunk.data[:taken]))
            seen.cursors[chunk.source] = Cursor(chunk.start.offset + taken)
    return seen


def until(condition: Callable[[], bool], timeout: float = 10.0) -> None:
    """Wait for ``condition``; fails after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"condition did not come true within {timeout} s"
        time.sleep(0.01)


class RunnerContract:
    """One test per promise of ``katib.core.ports.Runner``."""

    @pytest.fixture
    def adapter(self) -> RunnerAdapter:
        raise NotImplementedError("the deriving class gives the adapter")

    @pytest.fixture
    def runner(self, adapter: RunnerAdapter):
        runner = adapter.open()
        yield runner
        runner.close()

    def test_success(self, adapter: RunnerAdapter, runner: Runner, tmp_path: Path) -> None:
        attempt = adapter.append_line(attempt_id(), tmp_path / "lines")
        runner.start(attempt)
        last = follow(runner, attempt.id).last
        assert (last.phase, last.failure) == (Phase.SUCCEEDED, None)
        assert (tmp_path / "lines").read_text().count("\n") == 1

    def test_failure_says_why(self, adapter: RunnerAdapter, runner: Runner) -> None:
        attempt = adapter.fail(attempt_id())
        runner.start(attempt)
        last = follow(runner, attempt.id).last
        assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.USER_ERROR)
        assert last.reason
        assert "went wrong" in last.message

    def test_the_end_is_told_again(self, adapter: RunnerAdapter, runner: Runner) -> None:
        attempt = adapter.fail(attempt_id())
        runner.start(attempt)
        seen = follow(runner, attempt.id)
        again = update_of(runner, attempt.id, seen.cursors)
        assert (again.phase, again.failure, again.reason) == (seen.last.phase, seen.last.failure, seen.last.reason)
        assert not again.measurements

    def test_started_twice_runs_once(self, adapter: RunnerAdapter, runner: Runner, tmp_path: Path) -> None:
        attempt = adapter.append_line(attempt_id(), tmp_path / "lines")
        runner.start(attempt)
        runner.start(attempt)
        follow(runner, attempt.id)
        runner.start(attempt)
        follow(runner, attempt.id)
        assert (tmp_path / "lines").read_text().count("\n") == 1

    def test_attempts_of_a_trial_are_apart(self, adapter: RunnerAdapter, runner: Runner, tmp_path: Path) -> None:
        first, second = adapter.fail(attempt_id(attempt=1)), adapter.append_line(attempt_id(attempt=2), tmp_path / "x")
        runner.start(first)
        assert follow(runner, first.id).last.phase is Phase.FAILED
        runner.start(second)
        assert follow(runner, second.id).last.phase is Phase.SUCCEEDED
        assert update_of(runner, first.id).phase is Phase.FAILED

    def test_one_update_for_each_asked(self, adapter: RunnerAdapter, runner: Runner, tmp_path: Path) -> None:
        attempts = [adapter.append_line(attempt_id(f"trial-{i}"), tmp_path / "lines") for i in range(3)]
        for attempt in attempts:
            runner.start(attempt)
        asked = {attempt.id: {} for attempt in attempts[:2]}
        assert [update.id for update in runner.poll(asked)] == list(asked)
        assert list(runner.poll({})) == []
        assert [follow(runner, attempt.id).last.phase for attempt in attempts] == [Phase.SUCCEEDED] * 3

    def test_what_was_never_started_is_lost(self, runner: Runner) -> None:
        last = update_of(runner, attempt_id("nobody"))
        assert last.phase is Phase.LOST
        assert last.reason

    def test_stop(self, adapter: RunnerAdapter, runner: Runner) -> None:
        _needs(adapter.asynchronous)
        attempt = adapter.sleep(attempt_id(), 60)
        runner.start(attempt)
        until(lambda: update_of(runner, attempt.id).phase is Phase.RUNNING, adapter.delay)
        runner.stop(attempt.id, grace=10)
        runner.stop(attempt.id, grace=10)
        last = follow(runner, attempt.id, timeout=9).last
        assert (last.phase, last.failure) == (Phase.STOPPED, None)

    def test_stop_of_the_deaf(self, adapter: RunnerAdapter, runner: Runner, tmp_path: Path) -> None:
        _needs(adapter.asynchronous)
        attempt = adapter.ignore_stop(attempt_id(), 60, tmp_path / "ready")
        runner.start(attempt)
        until(lambda: update_of(runner, attempt.id).phase is Phase.RUNNING, adapter.delay)
        until((tmp_path / "ready").exists)
        began = time.monotonic()
        runner.stop(attempt.id, grace=0.5)
        assert time.monotonic() - began < 0.4, "stop must return at once"
        assert follow(runner, attempt.id).last.phase is Phase.STOPPED
        assert time.monotonic() - began >= 0.4, "killed before its grace was over"

    def test_stop_without_grace_kills(self, adapter: RunnerAdapter, runner: Runner, tmp_path: Path) -> None:
        _needs(adapter.asynchronous)
        attempt = adapter.ignore_stop(attempt_id(), 60, tmp_path / "ready")
        runner.start(attempt)
        until(lambda: update_of(runner, attempt.id).phase is Phase.RUNNING, adapter.delay)
        until((tmp_path / "ready").exists)
        runner.stop(attempt.id, grace=60)
        runner.stop(attempt.id, grace=0)
        assert follow(runner, attempt.id, timeout=5 + adapter.delay).last.phase is Phase.STOPPED

    def test_stop_after_the_end_changes_nothing(self, adapter: RunnerAdapter, runner: Runner, tmp_path: Path) -> None:
        attempt = adapter.append_line(attempt_id(), tmp_path / "lines")
        runner.start(attempt)
        follow(runner, attempt.id)
        runner.stop(attempt.id)
        runner.stop(attempt_id("nobody"))
        assert follow(runner, attempt.id).last.phase is Phase.SUCCEEDED

    def test_wait_is_woken_by_an_end(self, adapter: RunnerAdapter, runner: Runner) -> None:
        _needs(adapter.asynchronous)
        attempt = adapter.sleep(attempt_id(), 0.3)
        began = time.monotonic()
        runner.start(attempt)
        while not update_of(runner, attempt.id).phase.ended:
            runner.wait(10.0)
        assert time.monotonic() - began < 8 + adapter.delay

    def test_wait_without_time_returns(self, runner: Runner) -> None:
        began = time.monotonic()
        runner.wait(0)
        assert time.monotonic() - began < 1

    def test_output_arrives_whole(self, adapter: RunnerAdapter, runner: Runner) -> None:
        _needs(adapter.prints)
        text = "loss=0.5\nlöss=1\n" * 1000 + "half a line"
        attempt = adapter.print_text(attempt_id(), text)
        runner.start(attempt)
        seen = follow(runner, attempt.id)
        assert seen.text() == text.encode()
        assert [chunk.final for chunk in seen.chunks].count(True) == 1
        assert seen.chunks[-1].final
        assert all(abs(chunk.time - time.time()) < 60 for chunk in seen.chunks)

    def test_what_was_not_consumed_comes_again(self, adapter: RunnerAdapter, runner: Runner) -> None:
        _needs(adapter.prints)
        attempt = adapter.print_text(attempt_id(), "one\ntwo\nthree")
        runner.start(attempt)
        whole_lines = follow(runner, attempt.id, consume=lambda chunk: chunk.data.rfind(b"\n") + 1)
        assert whole_lines.text() == b"one\ntwo\n"
        (rest,) = update_of(runner, attempt.id, whole_lines.cursors).chunks
        assert (rest.start, rest.data, rest.final) == (Cursor(8), b"three", True)

    def test_after_a_restart(self, adapter: RunnerAdapter, runner: Runner) -> None:
        _needs(adapter.asynchronous)
        attempt = adapter.sleep(attempt_id(), 1)
        runner.start(attempt)
        until(lambda: update_of(runner, attempt.id).phase is Phase.RUNNING, adapter.delay)
        runner.close()
        next_runner = adapter.open()
        last = follow(next_runner, attempt.id).last
        next_runner.close()
        assert last.phase is (Phase.SUCCEEDED if adapter.outlives else Phase.LOST)

    def test_release_removes_all_traces(self, adapter: RunnerAdapter, runner: Runner, tmp_path: Path) -> None:
        attempt = adapter.append_line(attempt_id(), tmp_path / "lines")
        runner.start(attempt)
        follow(runner, attempt.id)
        runner.release(attempt.id)
        assert update_of(runner, attempt.id).phase is Phase.SUCCEEDED
        runner.release(attempt.id, everything=True)
        runner.release(attempt.id, everything=True)
        assert update_of(runner, attempt.id).phase is Phase.LOST

    def test_close_twice(self, adapter: RunnerAdapter) -> None:
        runner = adapter.open()
        runner.close()
        runner.close()


def _needs(capability: bool) -> None:
    if not capability:
        pytest.skip("not what this runner is for")
