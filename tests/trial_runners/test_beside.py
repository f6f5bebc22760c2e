"""Programs that collect metrics beside a local trial: they end with it, are found nowhere after it, and a slow endpoint
holds nobody up."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from katib.core.collector import CollectorSpec
from katib.core.errors import RunnerError
from katib.core.ports import Phase
from katib.core.trial import FailureClass
from tests.contracts.runner_contract import attempt_id, follow, until, update_of
from tests.trial_runners.local_attempts import command, living, nothing_left, python, shell
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.local import LocalRunner
from trial_runners.local.collecting import scrape_seconds

SERVER = """
import http.server, os, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with answering:
                answer(self)
        finally:
            answered.set()
    def say(self, body, status=200):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *args): ...
answering, answered = threading.Lock(), threading.Event()
def serve(port):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
"""
OWN = "serve(int(os.environ['KATIB_METRICS_PORT']))\n"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    with nothing_left(tmp_path / "runs"):
        yield tmp_path / "runs"


@pytest.fixture
def runner(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalRunner]:
    monkeypatch.setenv("KATIB_SCRAPE_SECONDS", "0.1")
    runner = LocalRunner(root, gpus=())
    yield runner
    runner.close()


def custom(script: str, **container: object) -> CollectorSpec:
    tree = {"name": "c", "command": ["/bin/sh", "-c", script.replace("$", "$$")], **container}
    return CollectorSpec("Custom", options={"customCollector": tree})


def http(port: int = 1, **action: object) -> CollectorSpec:
    return CollectorSpec("PrometheusMetric", options={"httpGet": {"port": port, "path": "/metrics", **action}})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class TestCustomCommand:
    def test_prints_the_metrics_in_the_surroundings_of_the_trial(self, runner: LocalRunner, tmp_path: Path) -> None:
        script = (
            'echo $KATIB_TRIAL_NAME $KATIB_ATTEMPT $OF_TRIAL $JOB $OWN "$0"; pwd; cat /no-such-folder/m.log; echo x >&2'
        )
        collector = CollectorSpec(
            "Custom",
            "/no-such-folder/m.log",
            options={
                "customCollector": {
                    "name": "c",
                    "command": ["/bin/sh", "-c", f"sleep 0.3; {script}".replace("$", "$$"), "/no-such-folder/x"],
                    "env": [
                        {"name": "OWN", "value": "at /no-such-folder/y"},
                        {"name": "JOB", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    ],
                    "workingDir": str(tmp_path),
                }
            },
        )
        attempt = shell(
            "echo from the trial >/no-such-folder/m.log; sleep 0.6", collector=collector, env={"OF_TRIAL": "t"}
        )
        runner.start(attempt)
        seen = follow(runner, attempt.id)
        folder = AttemptFolder.of(runner._root, attempt.id)
        assert seen.text("collector").decode().splitlines() == [
            f"trial-a 1 t x at {folder.metrics}/y {folder.metrics}/x",
            str(tmp_path),
            "from the trial",
        ]
        assert (seen.last.phase, seen.last.problem) == (Phase.SUCCEEDED, "")
        assert folder.collector_errors.read_text() == "x\n"

    def test_is_there_for_the_shortest_trial(self, runner: LocalRunner) -> None:
        attempt = command(["/bin/true"], collector=custom("echo loss=1"))
        runner.start(attempt)
        assert follow(runner, attempt.id).text("collector") == b"loss=1\n"

    def test_is_asked_to_end_after_the_trial_and_may_say_a_last_word(self, runner: LocalRunner) -> None:
        collector = custom("trap 'echo loss=2; exit' TERM; echo loss=1; while :; do sleep 0.05; done")
        attempt = shell("sleep 0.3", collector=collector)
        runner.start(attempt)
        seen = follow(runner, attempt.id)
        assert seen.text("collector") == b"loss=1\nloss=2\n"
        assert seen.last.problem == ""

    @pytest.mark.parametrize(
        ("script", "problem"),
        [
            pytest.param("exit 0", "", id="it may end early"),
            pytest.param("exit 3", "it ended before the trial, with exit status 3", id="status"),
            pytest.param("echo why >&2; exit 3", "with exit status 3 (why)", id="with its last words"),
            pytest.param("kill -SEGV $$", "with signal SIGSEGV", id="signal"),
            pytest.param("until [ -e end ]; do sleep 0.02; done; exit 4", "exit status 4", id="after the trial"),
            pytest.param("trap '' TERM; sleep 600 & wait; sleep 600", "did not end within 5 s", id="stubborn"),
        ],
    )
    def test_what_goes_wrong_is_told(self, runner: LocalRunner, root: Path, script: str, problem: str) -> None:
        trial = "until [ -e up ]; do sleep 0.02; done; sleep 0.5; : >end"
        attempt = shell(trial, collector=custom(f": >up; {script}"), working_dir=str(root.parent))
        runner.start(attempt)
        last = follow(runner, attempt.id, timeout=20).last
        assert last.phase is Phase.SUCCEEDED
        assert bool(last.problem) == bool(problem)
        assert problem in last.problem
        assert not living(root)

    @pytest.mark.parametrize("grace", [10.0, 0.0])
    def test_ends_with_a_trial_that_is_stopped(
        self, runner: LocalRunner, root: Path, tmp_path: Path, grace: float
    ) -> None:
        attempt = shell("sleep 600", collector=custom(f": >{tmp_path}/up; setsid sleep 600 & sleep 600"))
        runner.start(attempt)
        until((tmp_path / "up").exists)
        runner.stop(attempt.id, grace=grace)
        assert follow(runner, attempt.id).last.phase is Phase.STOPPED
        runner.close()
        assert not living(root)

    def test_ends_with_a_trial_whose_wrapper_is_killed_and_no_engine_lives(
        self, runner: LocalRunner, root: Path, tmp_path: Path
    ) -> None:
        attempt = command(["/bin/sleep", "600"], collector=custom(f": >{tmp_path}/up; sleep 600"))
        runner.start(attempt)
        until((tmp_path / "up").exists)
        runner.close()
        wrapper = AttemptFolder.of(root, attempt.id).progress().pid
        assert wrapper is not None
        os.killpg(wrapper, 9)
        until(lambda: not living(root))

    def test_ends_when_all_traces_of_the_trial_are_removed(
        self, runner: LocalRunner, root: Path, tmp_path: Path
    ) -> None:
        attempt = shell("sleep 600", collector=custom(f"trap '' TERM; : >{tmp_path}/up; sleep 600"))
        runner.start(attempt)
        until((tmp_path / "up").exists)
        runner.release(attempt.id, everything=True)
        until(lambda: not living(root))
        assert list(root.rglob("*.log")) == []

    def test_its_output_is_limited_with_the_trials(self, root: Path) -> None:
        runner = LocalRunner(root, gpus=(), log_limit=2000)
        attempt = shell("sleep 600", collector=custom("while :; do echo nothing of interest; sleep 0.001; done"))
        runner.start(attempt)
        last = follow(runner, attempt.id).last
        runner.close()
        assert (last.phase, last.failure) == (Phase.FAILED, FailureClass.USER_ERROR)
        assert "its metrics collector printed" in last.reason

    def test_its_memory_is_none_of_the_trials(self, runner: LocalRunner) -> None:
        hog = "exec python -c 'import time; x = bytearray(300 << 20); time.sleep(2)'"
        attempt = shell("sleep 1.5", collector=custom(hog), limits={"memory": "64Mi"})
        runner.start(attempt)
        assert follow(runner, attempt.id).last.phase is Phase.SUCCEEDED


class TestScraper:
    def records(self, runner: LocalRunner, script: str, collector: CollectorSpec) -> tuple[list[dict], str]:
        """What was kept of the scrapes of a trial, and what is told of the place."""
        attempt = python(SERVER + script, collector=collector)
        runner.start(attempt)
        seen = follow(runner, attempt.id, timeout=30)
        assert seen.last.phase is Phase.SUCCEEDED, seen.last
        return [json.loads(line) for line in seen.text("collector").splitlines()], seen.last.looked

    def test_keeps_what_changed_and_the_other_samples_of_its_name(self, runner: LocalRunner) -> None:
        script = (
            """
body = 'loss{a="1"} 1\\nloss{a="2"} 2\\nacc 1\\nprocess_cpu 7\\n# HELP loss x\\n'
def answer(handler): handler.say(body)
"""
            + OWN
            + """
time.sleep(0.7)
body = 'loss{a="1"} 1\\nloss{a="2"} 3\\nacc 2\\n'
time.sleep(0.7)
body = 'loss{a="1"} 1\\nloss{a="2"} 3\\nacc 3\\nlr 1\\n'
time.sleep(0.7)
"""
        )
        records, looked = self.records(runner, script, http())
        assert [{key: record[key] for key in record if key != "time"} for record in records] == [
            {"new": ['loss{a="1"} 1', 'loss{a="2"} 2'], "same": [], "names": ["acc"]},
            {"new": ['loss{a="2"} 3'], "same": ['loss{a="1"} 1']},
            {"names": ["acc", "lr"]},
        ]
        assert all(abs(record["time"] - time.time()) < 60 for record in records)
        assert " answered" in looked

    def test_asks_as_it_was_told(self, runner: LocalRunner) -> None:
        script = (
            """
def answer(handler):
    handler.say(f"loss 1\\nasked{{path=\\"{handler.path}\\",x=\\"{handler.headers['X-Token']}\\"}} 1\\n")
"""
            + OWN
            + "time.sleep(0.7)"
        )
        collector = http(path="/m?x=1", httpHeaders=[{"name": "X-Token", "value": "secret"}], host="localhost")
        attempt = python(SERVER + script, collector=collector)
        attempt = type(attempt)(attempt.id, 0, {}, attempt.run, "main", collector=collector, metrics=("asked",))
        runner.start(attempt)
        (record,) = [json.loads(line) for line in follow(runner, attempt.id).text("collector").splitlines()]
        assert record["new"] == ['asked{path="/m?x=1",x="secret"} 1']

    def test_the_port_can_be_named_in_arguments(self, runner: LocalRunner) -> None:
        job = command(["echo", "--port=$(KATIB_METRICS_PORT)", "$(KATIB_TRIAL_NAME)", "$(NO)"], collector=http())
        run = json.loads(json.dumps(job.run).replace("$$", "$"))
        attempt = type(job)(job.id, 0, {}, run, "main", collector=job.collector, metrics=("loss",))
        runner.start(attempt)
        follow(runner, attempt.id)
        folder = AttemptFolder.of(runner._root, attempt.id)
        order = folder.order()
        assert order is not None
        assert folder.log.read_text() == f"--port={order.env['KATIB_METRICS_PORT']} trial-a $(NO)\n"

    def test_the_port_of_the_yaml_is_scraped_if_the_trial_listens_there(self, runner: LocalRunner) -> None:
        port = free_port()
        script = f"def answer(handler): handler.say('loss 1')\nserve({port})\ntime.sleep(0.7)"
        records, looked = self.records(runner, script, http(port))
        assert records[0]["new"] == ["loss 1"]
        assert looked.startswith(f"http://127.0.0.1:{port}/metrics answered")

    def test_another_programs_port_is_never_scraped(self, runner: LocalRunner) -> None:
        """Two trials have one port in common: only the one that got it is scraped there."""
        port = free_port()
        script = f"def answer(handler): handler.say('loss 1')\nserve({port})\ntime.sleep(3)"
        first = python(SERVER + script, collector=http(port), id=attempt_id("first"))
        runner.start(first)
        until(lambda: bool(update_of(runner, first.id).chunks))
        records, looked = self.records(runner, "time.sleep(1)", http(port))
        assert records == []
        assert looked.startswith(f"no process of the trial listens on port {port} or ")
        follow(runner, first.id)

    @pytest.mark.parametrize(
        ("answer", "looked"),
        [
            pytest.param("handler.say('x', 503)", "answered 503 Service Unavailable", id="status"),
            pytest.param(
                "handler.send_response(302), handler.send_header('Location', 'http://x.io/'), handler.end_headers()",
                "answered 302",
                id="redirects are not followed",
            ),
            pytest.param("handler.wfile.write(b'rubbish\\r\\n\\r\\n')", "did not answer", id="no HTTP"),
            pytest.param("handler.say('x' * (5 << 20))", "more than 4194304 bytes", id="too much"),
            pytest.param("handler.say('')", "answered", id="nothing"),
        ],
    )
    def test_what_the_endpoint_did_is_told(self, runner: LocalRunner, answer: str, looked: str) -> None:
        script = f"def answer(handler): {answer}\n{OWN}answered.wait(20)\ntime.sleep(0.3)\nanswering.acquire()"
        records, said = self.records(runner, script, http())  # it does not end in the middle of an answer
        assert records == []
        assert looked in said

    def test_an_endpoint_that_hangs_holds_nobody_up(self, runner: LocalRunner, root: Path) -> None:
        script = SERVER + "def answer(handler):\n    open('asked', 'w')\n    time.sleep(600)\n" + OWN
        script += "while not os.path.exists('go'): time.sleep(0.02)\nos._exit(0)"
        attempt = python(script, collector=http(), working_dir=str(root.parent))
        runner.start(attempt)
        until((root.parent / "asked").exists)
        assert update_of(runner, attempt.id).phase is Phase.RUNNING
        (root.parent / "go").touch()
        assert follow(runner, attempt.id).last.phase is Phase.SUCCEEDED
        assert not living(root)

    def test_it_ends_with_a_trial_that_is_killed(self, runner: LocalRunner, root: Path) -> None:
        script = SERVER + "def answer(handler): time.sleep(600)\n" + OWN + "time.sleep(600)"
        attempt = python(script, collector=http())
        runner.start(attempt)
        until(lambda: len(living(root)) >= 4)
        runner.stop(attempt.id, grace=0)
        assert follow(runner, attempt.id).last.phase is Phase.STOPPED
        until(lambda: not living(root))


@pytest.mark.parametrize("text", ["0", "-1", "nan", "soon", "1e9"])
def test_a_bad_interval_is_an_error(text: str) -> None:
    with pytest.raises(RunnerError, match=r"KATIB_SCRAPE_SECONDS: got .*, expected seconds between 0.01 and 3600"):
        scrape_seconds({"KATIB_SCRAPE_SECONDS": text})


def test_the_interval_of_the_engine_is_not_passed_on_to_trials(runner: LocalRunner) -> None:
    attempt = shell("echo x${KATIB_SCRAPE_SECONDS}x")
    runner.start(attempt)
    assert follow(runner, attempt.id).text() == b"xx\n"


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "::2", "localhost.example.com"])
def test_only_this_machine_is_scraped(runner: LocalRunner, host: str) -> None:
    with pytest.raises(RunnerError, match=r"source\.httpGet\.host: got"):
        runner.start(command(["/bin/true"], collector=http(host=host)))


def test_the_order_of_a_scrape_is_for_the_owner_alone(runner: LocalRunner, root: Path) -> None:
    """It may hold a token."""
    attempt = command(["/bin/sleep", "600"], collector=http(httpHeaders=[{"name": "Token", "value": "confidential"}]))
    runner.start(attempt)
    (journal,) = root.rglob("attempt.jsonl")
    assert "confidential" in journal.read_text()
    assert journal.stat().st_mode & 0o077 == 0
    until(lambda: len(living(root)) >= 3)
    assert "confidential" not in str([process.cmdline() + list(process.environ().items()) for process in living(root)])
    runner.stop(attempt.id, grace=0)
    follow(runner, attempt.id)
