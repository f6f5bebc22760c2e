"""The local runner: what commands may do to it, and what becomes of them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from katib.core.collector import CollectorSpec
from katib.core.errors import RunnerError
from katib.core.ports import Phase
from katib.core.trial import Attempt, Cursor, FailureClass
from tests.contracts.runner_contract import Followed, attempt_id, follow, until, update_of
from tests.trial_runners.local_attempts import command, living, nothing_left, python, shell
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.local import LocalRunner, wrapper
from trial_runners.local import runner as runner_module
from trial_runners.local.processes import sessions
from trial_runners.output import CHUNK_BYTES, FolderLogReader


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with nothing_left(tmp_path / "runs"):
        yield tmp_path / "runs"


@pytest.fixture
def runner(root: Path, tmp_path: Path) -> Iterator[LocalRunner]:
    runner = LocalRunner(root, cwd=tmp_path, gpus=())
    yield runner
    runner.close()


def run(runner: LocalRunner, attempt: Attempt) -> Followed:
    runner.start(attempt)
    return follow(runner, attempt.id)


@pytest.mark.parametrize(
    ("script", "phase", "failure", "reason"),
    [
        pytest.param("exit 0", Phase.SUCCEEDED, None, "", id="success"),
        pytest.param("exit 3", Phase.FAILED, FailureClass.USER_ERROR, "exit status 3", id="status"),
        pytest.param("no-such-program", Phase.FAILED, FailureClass.USER_ERROR, "program not found", id="inner 127"),
        pytest.param("kill -SEGV $$", Phase.FAILED, FailureClass.USER_ERROR, "killed by signal SIGSEGV", id="crash"),
        pytest.param("kill -ABRT $$", Phase.FAILED, FailureClass.USER_ERROR, "killed by signal SIGABRT", id="abort"),
        pytest.param("kill -KILL $$", Phase.LOST, FailureClass.LOST, "SIGKILL from outside", id="killed"),
        pytest.param("kill -TERM $$", Phase.LOST, FailureClass.LOST, "SIGTERM from outside", id="terminated"),
        pytest.param("kill -TERM 0; exit 4", Phase.LOST, FailureClass.LOST, "SIGTERM", id="whole group terminated"),
    ],
)
def test_how_it_ends(runner: LocalRunner, script: str, phase: Phase, failure: FailureClass, reason: str) -> None:
    last = run(runner, shell(script)).last
    assert (last.phase, last.failure) == (phase, failure)
    assert reason in last.reason


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param(["no-such-program", "x"], id="by name"),
        pytest.param(["/opt/none/train.py"], id="by path"),
        pytest.param(["exit", "0"], id="shell builtin"),
        pytest.param(["/etc/passwd"], id="not executable"),
        pytest.param(["/"], id="folder"),
    ],
)
def test_program_that_is_not_here(runner: LocalRunner, argv: list[str]) -> None:
    last = run(runner, command(argv)).last
    assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.USER_ERROR)
    assert argv[0] in last.reason
    assert "example/image" in last.reason


def test_stop_right_after_the_start_is_not_lost(runner: LocalRunner) -> None:
    """The wrapper may have caught the signal before its command was there."""
    ids = [attempt_id(f"trial-{i}") for i in range(12)]
    for id in ids:
        runner.start(command(["sleep", "60"], id=id))
        runner.stop(id, grace=50)
    assert {follow(runner, id, timeout=30).last.phase for id in ids} == {Phase.STOPPED}


def test_command_that_cannot_be(runner: LocalRunner) -> None:
    with pytest.raises(RunnerError, match="NUL"):
        runner.start(command(["/bin/echo", "a\0b"]))
    with pytest.raises(RunnerError, match="name is empty or contains '='"):
        runner.start(command(["/bin/true"], env={"A=B": "1"}))
    with pytest.raises(RunnerError, match="other"):
        runner.start(Attempt(attempt_id(), 0, {}, command(["/bin/true"]).run, "other"))
    last = run(runner, command(["/bin/echo", "x" * 4_000_000])).last
    assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.USER_ERROR)
    assert "longer than this system allows" in last.reason


def test_arguments_arrive_untouched(runner: LocalRunner) -> None:
    words = [
        "",
        " ",
        "a b",
        "it's",
        '"q"',
        "line\nbreak",
        "$HOME `id` $(id)",
        "*",
        "\\",
        "--",
        "-e",
        "ü☃",
        "a;b|c&d>e",
        "!x",
    ]
    code = "import sys, json; print(json.dumps(sys.argv[1:]))"
    assert json.loads(run(runner, command(["python", "-c", code, *words])).text()) == words


def test_shell_builtins_are_not_meant(runner: LocalRunner) -> None:
    assert run(runner, command(["printf", r"%s|", r"a\nb", "c"])).text() == rb"a\nb|c|"


def test_names_stay_inside_the_root(runner: LocalRunner, root: Path) -> None:
    for name in ("..", ".", "a/b", "", "a/../../b", "-x"):
        with pytest.raises(RunnerError, match="cannot name a folder"):
            runner.start(command(["/bin/true"], id=attempt_id(name)))
    assert [path for path in root.iterdir() if path.is_dir()] == []


class TestOutput:
    def test_both_streams_are_one_source(self, runner: LocalRunner, root: Path) -> None:
        seen = run(runner, shell("echo out; echo err >&2; echo again"))
        assert seen.text() == b"out\nerr\nagain\n"
        assert FolderLogReader(root).read(attempt_id(), 4, 3) == b"err"
        assert FolderLogReader(root).read(attempt_id("nobody"), 0, 100) == b""

    def test_is_seen_while_it_runs(self, runner: LocalRunner) -> None:
        attempt = python("import time; print('epoch=1'); time.sleep(60)")
        runner.start(attempt)
        until(lambda: bool(update_of(runner, attempt.id).chunks))
        (chunk,) = update_of(runner, attempt.id).chunks
        assert (chunk.data, chunk.final) == (b"epoch=1\n", False)

    def test_binary_rubbish(self, runner: LocalRunner) -> None:
        seen = run(runner, python("import os, sys; sys.stdout.buffer.write(bytes(range(256)) * 4000); sys.exit(1)"))
        assert seen.text() == bytes(range(256)) * 4000
        assert not any(ord(letter) < 32 and letter not in "\n\t" for letter in seen.last.message)
        assert len(seen.last.message.encode()) <= 4096

    def test_a_line_of_ten_megabytes_comes_in_pieces(self, runner: LocalRunner) -> None:
        seen = run(runner, python("print('x' * 10_000_000)"))
        assert len(seen.text()) == 10_000_001
        assert max(len(chunk.data) for chunk in seen.chunks) <= CHUNK_BYTES
        assert [chunk.final for chunk in seen.chunks].count(True) == 1

    def test_too_much_of_it_ends_the_trial(self, root: Path) -> None:
        runner = LocalRunner(root, gpus=(), log_limit=1 << 20)
        last = run(runner, shell("while :; do head -c 100000 /dev/zero; done")).last
        runner.close()
        assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.USER_ERROR)
        assert "the limit is 1.0 MiB" in last.reason

    def test_message_is_the_tail(self, runner: LocalRunner) -> None:
        script = r"for i in $(seq 50); do echo line $i; done; printf '\033[31m 1%%\r 99%%\033[0m\n'; exit 1"
        lines = run(runner, shell(script)).last.message.split("\n")
        assert lines[0] == "line 32"
        assert lines[-2:] == ["line 50", " 99%"]


class TestMetricsFile:
    path = "/no-such-folder/metrics.log"
    collector = CollectorSpec("File", path)

    def test_is_the_source(self, runner: LocalRunner) -> None:
        attempt = command(["/bin/sh", "-c", 'echo noise; echo loss=1 >"$0"', self.path], collector=self.collector)
        seen = run(runner, attempt)
        assert {chunk.source for chunk in seen.chunks} == {"metrics"}
        assert seen.text("metrics") == b"loss=1\n"

    def test_is_named_by_a_variable(self, runner: LocalRunner) -> None:
        script = 'echo loss=1 >"$KATIB_METRICS_FILE"; echo loss=2 >>"$KATIB_METRICS_DIR/metrics.log"'
        assert run(runner, shell(script, collector=self.collector)).text("metrics") == b"loss=1\nloss=2\n"

    @pytest.mark.parametrize(
        "script",
        [
            pytest.param("true", id="never written"),
            pytest.param('mkfifo "$KATIB_METRICS_FILE"', id="pipe"),
            pytest.param('mkdir "$KATIB_METRICS_FILE"', id="folder"),
        ],
    )
    def test_without_a_file_the_source_ends_empty(self, runner: LocalRunner, script: str) -> None:
        (chunk,) = run(runner, shell(script, collector=self.collector)).chunks
        assert (chunk.source, chunk.start, chunk.data, chunk.final) == ("metrics", Cursor(), b"", True)


class TestEnvironment:
    def test_what_a_trial_is_told(self, runner: LocalRunner, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KATIB_STORE", "postgresql://user:secret@host/db")
        monkeypatch.setenv("OF_THE_USER", "yes")
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        script = "import os, json; print(json.dumps(dict(os.environ)))"
        attempt = python(script, env={"LEARNING_RATE": "1e-3", "MKL_NUM_THREADS": "7"}, limits={"cpu": "1500m"})
        told = json.loads(run(runner, attempt).text())
        folder = root / "team" / "study" / "trial-a" / "1"
        expected = {
            "KATIB_ATTEMPT_ID": str(folder),
            "KATIB_NAMESPACE": "team",
            "KATIB_EXPERIMENT_NAME": "study",
            "KATIB_TRIAL_NAME": "trial-a",
            "KATIB_ATTEMPT": "1",
            "KATIB_CHECKPOINT_DIR": str(folder / "checkpoint"),
            "LEARNING_RATE": "1e-3",
            "OF_THE_USER": "yes",
            "PYTHONUNBUFFERED": "1",
            "OMP_NUM_THREADS": "2",
            "MKL_NUM_THREADS": "7",
        }
        assert {name: told.get(name) for name in expected} == expected
        assert "KATIB_STORE" not in told

    def test_python_is_the_engines_own(self, runner: LocalRunner) -> None:
        assert run(runner, command(["python", "-c", "import psutil"])).last.phase is Phase.SUCCEEDED

    def test_where_it_starts(self, runner: LocalRunner, tmp_path: Path) -> None:
        (tmp_path / "work").mkdir()
        for number, (wanted, actual) in enumerate(
            [("/no/such", tmp_path), (str(tmp_path / "work"), tmp_path / "work")]
        ):
            attempt = command(["pwd"], id=attempt_id(f"t{number}"), working_dir=wanted)
            assert run(runner, attempt).text().decode().strip() == str(actual)


class TestLimits:
    def test_deadline(self, runner: LocalRunner) -> None:
        began = time.monotonic()
        last = run(runner, command(["sleep", "60"], deadline=1)).last
        assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.TIME_OUT)
        assert "activeDeadlineSeconds, 1 s" in last.reason
        assert 1 <= time.monotonic() - began < 30  # the command would sleep for 60

    def test_deadline_of_the_deaf(self, runner: LocalRunner, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wrapper, "_DEADLINE_GRACE", 0.3)
        last = run(runner, shell("trap '' TERM; sleep 60", deadline=1)).last
        assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.TIME_OUT)

    def test_memory(self, runner: LocalRunner) -> None:
        hog = "import time; x = bytearray(300 << 20); time.sleep(60)"
        last = run(runner, python(hog, limits={"memory": "100Mi"})).last
        assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.OUT_OF_MEMORY)
        assert "the limit is 100.0 MiB" in last.reason

    def test_memory_that_is_shared_counts_once(self, runner: LocalRunner) -> None:
        forks = "import os, time; x = b'x' * (80 << 20); [os.fork() for _ in range(2)]; time.sleep(1.5)"
        assert run(runner, python(forks, limits={"memory": "200Mi"})).last.phase is Phase.SUCCEEDED

    def test_kernel_out_of_memory(self, runner: LocalRunner, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runner_module, "oom_kills", lambda: runner_kills + 1)
        runner_kills = runner._oom_kills
        first, second = shell("kill -KILL $$", id=attempt_id("t1")), shell("kill -KILL $$", id=attempt_id("t2"))
        assert run(runner, first).last.failure is FailureClass.OUT_OF_MEMORY
        assert run(runner, second).last.phase is Phase.LOST, "one kill of the kernel is blamed once"
        assert update_of(runner, first.id).failure is FailureClass.OUT_OF_MEMORY


class TestNothingIsLeftRunning:
    @pytest.mark.parametrize(
        "script",
        [
            pytest.param("sleep 300 & exit 0", id="background"),
            pytest.param("(sleep 300 & sleep 300 &) & sleep 300 & exit 0", id="several"),
            pytest.param("env -i sleep 300 & exit 0", id="without environment"),
            pytest.param("(trap '' TERM HUP; sleep 300) & exit 0", id="deaf"),
            pytest.param("setsid sleep 300 & sleep 0.2; exit 0", id="own session"),
            pytest.param("setsid setsid sh -c 'sleep 300 & sleep 300 &' ; exit 0", id="daemon"),
            pytest.param("setsid sh -c 'trap \"\" TERM; sleep 300' & sleep 0.2; exit 0", id="deaf daemon"),
        ],
    )
    def test_after_a_success(self, runner: LocalRunner, root: Path, script: str) -> None:
        attempt = shell(script)
        runner.start(attempt)
        session = _pid(root)
        last = follow(runner, attempt.id).last
        assert last.phase is Phase.SUCCEEDED
        assert sessions([session]) == {session: []}
        until(lambda: is_swept(runner, root))

    def test_after_a_stop(self, runner: LocalRunner, root: Path, tmp_path: Path) -> None:
        script = "trap '' TERM; (sleep 300 & setsid sleep 300 &) ; : >ready; sleep 300"
        attempt = shell(script)
        runner.start(attempt)
        until((tmp_path / "ready").exists)
        runner.stop(attempt.id, grace=0.2)
        assert follow(runner, attempt.id).last.phase is Phase.STOPPED
        until(lambda: is_swept(runner, root))

    def test_close_ends_what_was_left(self, runner: LocalRunner, root: Path) -> None:
        assert run(runner, shell("setsid sh -c 'trap \"\" TERM; sleep 300' & sleep 0.2; exit 0")).last.phase.ended
        runner.close()
        until(lambda: not living(root), timeout=3)

    def test_output_of_left_children_is_read(self, runner: LocalRunner) -> None:
        script = "(trap 'echo bye; exit' TERM; sleep 300 & wait) & sleep 0.3; exit 0"
        assert run(runner, shell(script)).text() == b"bye\n"

    def test_what_multiplies(self, runner: LocalRunner, root: Path) -> None:
        """Processes that replace themselves all the time cannot be ended one by one."""
        script = "trap '' TERM; f() { sleep 0.01; f & }; f & f & f & exit 0"
        assert run(runner, shell(script)).last.phase is Phase.SUCCEEDED
        assert sessions([_pid(root)]) == {_pid(root): []}

    def test_a_stopped_process_is_killed(self, runner: LocalRunner, root: Path) -> None:
        attempt = shell("kill -STOP $$; exit 1")
        runner.start(attempt)
        time.sleep(0.2)
        runner.stop(attempt.id, grace=0.2)
        assert follow(runner, attempt.id).last.phase is Phase.STOPPED
        assert not living(root)

    def test_when_the_wrapper_is_killed(self, runner: LocalRunner, root: Path) -> None:
        attempt = command(["sleep", "300"])
        runner.start(attempt)
        os.kill(_pid(root), signal.SIGKILL)
        last = follow(runner, attempt.id).last
        assert (last.phase, last.failure) == (Phase.LOST, FailureClass.LOST)
        assert not living(root)

    def test_other_trials_are_not_touched(self, runner: LocalRunner) -> None:
        stays = command(["sleep", "300"], id=attempt_id("stays"))
        runner.start(stays)
        assert run(runner, shell("setsid sleep 300 & sleep 0.2")).last.phase is Phase.SUCCEEDED
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            assert update_of(runner, stays.id).phase is Phase.RUNNING
            time.sleep(0.1)


class TestCheckpoints:
    def write(self, text: str) -> str:
        return f'cat "$KATIB_CHECKPOINT_DIR"/* 2>/dev/null; echo {text} >"$KATIB_CHECKPOINT_DIR"/{text}'

    def test_parent(self, runner: LocalRunner, root: Path) -> None:
        parent = shell(self.write("one"), id=attempt_id("parent"))
        run(runner, parent)
        child = run(runner, shell(self.write("two"), id=attempt_id("child"), parent=parent.id))
        assert child.text() == b"one\n"
        assert [path.name for path in AttemptFolder.of(root, parent.id).checkpoint.iterdir()] == ["one"]

    def test_retry_goes_on_from_the_last_attempt(self, runner: LocalRunner) -> None:
        parent = shell(self.write("one"), id=attempt_id("parent"))
        run(runner, parent)
        run(runner, shell(self.write("two"), id=attempt_id("child"), parent=parent.id))
        again = run(runner, shell(self.write("three"), id=attempt_id("child", attempt=2), parent=parent.id))
        assert again.text() == b"one\ntwo\n"

    def test_a_released_parent_gives_nothing_and_the_log_says_so(self, runner: LocalRunner) -> None:
        parent = shell(self.write("one"), id=attempt_id("parent"))
        run(runner, parent)
        runner.release(parent.id)
        child = run(runner, shell(self.write("two"), id=attempt_id("child"), parent=parent.id))
        assert child.text() == b"katib: trial parent has left no checkpoint to continue from\n"

    def test_a_parent_that_saved_nothing_is_as_good_as_none(self, runner: LocalRunner) -> None:
        parent = shell("true", id=attempt_id("parent"))
        run(runner, parent)
        child = run(runner, shell(self.write("two"), id=attempt_id("child"), parent=parent.id))
        assert child.text() == b"katib: trial parent has left no checkpoint to continue from\n"

    def test_the_path_of_the_yaml_leads_to_the_folder(self, runner: LocalRunner, root: Path) -> None:
        words = "echo one >/opt/ckpt/one; cat $FROM/one"
        attempt = shell(words, checkpoint_path="/opt/ckpt/", env={"FROM": "/opt/ckpt"})
        assert run(runner, attempt).text() == b"one\n"
        assert (AttemptFolder.of(root, attempt.id).checkpoint / "one").read_text() == "one\n"

    def test_release_of_everything_ends_what_runs(self, runner: LocalRunner, root: Path) -> None:
        attempt = command(["sleep", "300"])
        runner.start(attempt)
        runner.release(attempt.id, everything=True)
        until(lambda: not living(root))
        assert [path for path in root.iterdir() if path.is_dir()] == []


def is_swept(runner: LocalRunner, root: Path) -> bool:
    """Whether nothing runs below ``root``; lets the runner look."""
    list(runner.poll({}))
    return not living(root)


def _pid(root: Path) -> int:
    folder = AttemptFolder.of(root, attempt_id())
    until(lambda: folder.progress().pid is not None)
    pid = folder.progress().pid
    assert pid is not None
    return pid
