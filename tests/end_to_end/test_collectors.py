"""Every kind of collector through the whole engine: ``katib run`` on an Experiment YAML, also across ``kill -9``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from katib.compose import Workshop
from katib.core.collector import CollectorSpec
from katib.core.errors import NotFoundError, SpecError
from katib.core.experiment import Budget, Component
from katib.core.objective import Objective
from katib.core.trial import TrialState
from katib.options import Options
from tests.end_to_end.collector_trials import CASES, Case, document
from tests.end_to_end.experiments import KEY, command_spec, katib, nothing_left, ran, run, until
from trial_runners.local.collecting import free_port

# The trial that is scraped changes its value twice a second.
OFTEN = "import os; os.environ['KATIB_SCRAPE_SECONDS'] = '0.1'"

Engine = Callable[[Path], subprocess.Popen[str]]

MARKS = {"TensorFlowEvent": pytest.mark.requires("tensorboardX")}


def every_kind(slow: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """One test for each kind. slow: kinds whose way is another one's, but for the format."""
    cases = []
    for kind, case in CASES.items():
        marks = [mark for name, mark in MARKS.items() if name == kind] + [pytest.mark.slow] * (kind in slow)
        cases.append(pytest.param(case, id=kind, marks=marks))
    return pytest.mark.parametrize("case", cases)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with nothing_left(tmp_path / "home"):
        yield tmp_path / "home"


@pytest.fixture
def workshop(home: Path) -> Iterator[Workshop]:
    """Looks at the store while a command runs the experiment."""
    workshop = Workshop(Options(home))
    yield workshop
    workshop.close()


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    """Starts ``katib run``, and sees to it that it does not outlive the test."""
    started: list[subprocess.Popen[str]] = []

    def start(file: Path) -> subprocess.Popen[str]:
        started.append(katib(home, "run", str(file), prelude=OFTEN))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def texts(workshop: Workshop) -> list[str]:
    """What is stored of the trial so far; nothing before the experiment is."""
    with suppress(NotFoundError):
        return [recorded.measurement.text for _, recorded in workshop.store.curve(KEY)]
    return []


def check(workshop: Workshop, case: Case) -> None:
    result = ran(workshop)
    (trial,) = result.trials
    assert (trial.state, trial.reason, trial.attempt) == (TrialState.SUCCEEDED, "", 1)
    assert result.lines == {0: list(case.texts)}
    assert trial.observation[case.metric].latest_text == case.texts[-1]
    assert [event.reason for event in result.events if event.type == "Warning"] == []


@every_kind()
def test_values_come_while_the_trial_runs(tmp_path: Path, engine: Engine, workshop: Workshop, case: Case) -> None:
    """The gate opens only once the first half is stored."""
    gate, file = tmp_path / "gate", tmp_path / "e.yaml"
    file.write_text(json.dumps(document(case, str(gate))))
    process = engine(file)
    until(lambda: texts(workshop) == list(case.texts[:3]))
    gate.touch()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    check(workshop, case)


@every_kind(slow=("File-TEXT", "File-filter", "File-JSON"))
def test_nothing_is_lost_and_nothing_twice_when_the_engine_is_killed(
    tmp_path: Path, home: Path, engine: Engine, workshop: Workshop, case: Case
) -> None:
    """The second half is reported while no engine lives."""
    gate, file = tmp_path / "gate", tmp_path / "e.yaml"
    file.write_text(json.dumps(document(case, str(gate))))
    first = engine(file)
    until(lambda: texts(workshop))
    first.kill()
    first.communicate()
    gate.touch()
    (journal,) = home.rglob("attempt.jsonl")
    until(lambda: '"exit"' in journal.read_text())
    second = engine(file)
    output, _ = second.communicate(timeout=120)
    assert second.returncode == 0, output
    check(workshop, case)


def custom(command: str, **fields: str) -> CollectorSpec:
    container = {"name": "c", "command": ["/bin/sh", "-c", command]}
    return CollectorSpec("Custom", options={"customCollector": container}, **fields)


HTTP = CollectorSpec("PrometheusMetric", options={"httpGet": {"port": 1, "path": "/m"}})
EVENTS = CollectorSpec("TensorFlowEvent", "/logs/tf", directory=True)


@pytest.mark.parametrize(
    ("script", "collector", "reasons"),
    [
        pytest.param("true", CollectorSpec("File", "/a/m.log"), ["metrics/m.log was not written"], id="File-absent"),
        pytest.param("echo x >/a/m.log", CollectorSpec("File", "/a/m.log"), ["metrics/m.log has 2 bytes"], id="File"),
        pytest.param(
            """echo '{"acc": 1}' >/a/m.log""",
            CollectorSpec("File", "/a/m.log", "JSON"),
            ["it did report acc"],
            id="File-JSON-other-key",
        ),
        pytest.param("true", EVENTS, ["event files in ", "/metrics/tf: none", "tag 'loss'"], id="events-none"),
        pytest.param("echo rubbish >/logs/tf/x.tfevents", EVENTS, ["/metrics/tf: x.tfevents"], id="events-rubbish"),
        pytest.param("sleep 1", HTTP, ["no process of the trial listens on port 1 or "], id="Prometheus-nobody"),
        pytest.param("echo loss=1", CollectorSpec("Push"), ["was not written", "katib.report_metrics"], id="Push-none"),
        pytest.param(
            "sleep 0.5", custom("echo no such thing >&2; exit 3"), ["exit status 3 (no such thing)"], id="Custom-fails"
        ),
        pytest.param("sleep 0.5", custom("echo lost=1"), ["printed 7 bytes"], id="Custom-prints-another"),
        pytest.param(
            "sleep 0.5",
            CollectorSpec("Custom", options={"customCollector": {"name": "c", "command": ["no-such-program"]}}),
            ["'no-such-program' is not on this machine"],
            id="Custom-no-program",
        ),
    ],
)
def test_the_reason_says_where_was_looked_and_what_was_there(
    tmp_path: Path, script: str, collector: CollectorSpec, reasons: list[str]
) -> None:
    result = run(tmp_path, command_spec(["/bin/sh", "-c", script], collector=collector))
    (trial,) = result.trials
    assert trial.state is TrialState.METRICS_UNAVAILABLE
    assert [reason for reason in reasons if reason not in trial.reason] == [], trial.reason


@pytest.mark.parametrize(
    ("collector", "reason"),
    [
        pytest.param(
            CollectorSpec("PrometheusMetric", options={"httpGet": {"host": "example.com"}}),
            "source.httpGet.host: got 'example.com'",
            id="another host",
        ),
        pytest.param(
            CollectorSpec("Custom", options={"customCollector": {"name": "c", "image": "x"}}),
            "collector.customCollector: the container has no 'command'",
            id="no command",
        ),
    ],
)
def test_what_cannot_be_done_here_fails_the_trial_with_its_path(
    tmp_path: Path, collector: CollectorSpec, reason: str
) -> None:
    (trial,) = run(tmp_path, command_spec(["true"], collector=collector)).trials
    assert trial.state is TrialState.FAILED
    assert reason in trial.reason


def test_a_custom_command_that_fails_is_told_although_the_metric_is_there(tmp_path: Path) -> None:
    result = run(tmp_path, command_spec(["/bin/sleep", "0.5"], collector=custom("echo loss=1; echo oh >&2; exit 3")))
    assert result.trials[0].state is TrialState.SUCCEEDED
    (event,) = [event for event in result.events if event.reason == "MetricsCollectorFailed"]
    assert "with exit status 3 (oh)" in event.message


SERVE = """
import os, sys, time
from prometheus_client import Gauge, start_http_server
loss = Gauge("loss", "of the trial")
loss.set(float(sys.argv[1]))
try:
    start_http_server(int(sys.argv[2]), addr="127.0.0.1")  # one of them gets it, the others must not be taken for it
except OSError:
    start_http_server(int(os.environ["KATIB_METRICS_PORT"]), addr="127.0.0.1")
time.sleep(2)
"""


def test_trials_at_the_same_time_never_get_the_values_of_another_one(tmp_path: Path) -> None:
    port = free_port()
    collector = CollectorSpec("PrometheusMetric", options={"httpGet": {"port": port, "path": "/metrics"}})
    argv = [sys.executable, "-c", SERVE, "${trialParameters.x}", str(port)]
    result = run(tmp_path, command_spec(argv, collector=collector, budget=Budget(4, 4)))
    assert {trial.state for trial in result.trials} == {TrialState.SUCCEEDED}
    for trial in result.trials:
        assert trial.observation["loss"].latest == pytest.approx(float(str(trial.parameters["x"])))


def test_a_filter_that_pythons_matcher_never_ends_with(tmp_path: Path) -> None:
    script = "head -c 100000 /dev/zero | tr '\\0' a; echo '! loss'; echo aaaa loss=0.5"
    collector = CollectorSpec(filters=(r"((?:a+)+)(x) loss$", r"(loss)=(\S+)"))
    result = run(tmp_path, command_spec(["/bin/sh", "-c", script], collector=collector))
    assert result.lines == {0: ["0.5"]}


def test_what_else_was_seen_is_kept_within_bounds(tmp_path: Path) -> None:
    keys = {f"{'long' * 100}{number}": 1 for number in range(100)}
    (tmp_path / "report").write_text(json.dumps(keys))
    argv = ["/bin/cat", str(tmp_path / "report")]
    (trial,) = run(tmp_path / "home", command_spec(argv, collector=CollectorSpec(format="JSON"))).trials
    assert trial.state is TrialState.METRICS_UNAVAILABLE
    assert "longlong" in trial.reason
    assert len(trial.reason) < 5000


GETTING_WORSE = """
import os, sys, time
from tests.metrics.test_event_files import event
from katib.metrics.generated.event_pb2 import SummaryValue
first = not os.path.exists(sys.argv[1])
open(sys.argv[1], "w").close()
with open("/logs/tf/a.tfevents", "ab", buffering=0) as file:
    for step in range(3 if first else 100_000):
        file.write(event(SummaryValue(tag=b"loss", simple_value=1 if first else 9), wall_time=time.time(), step=step))
        time.sleep(0.05)
"""


def test_early_stopping_sees_events_while_they_come(tmp_path: Path) -> None:
    """The first trial is good, the second one would never end. (Katib's collector of events cannot stop any.)"""
    argv = ["/usr/bin/env", f"PYTHONPATH={Path(__file__).parents[2]}", "python", "-c", GETTING_WORSE]
    stopper = Component("medianstop", {"min_trials_required": "1", "start_step": "1"})
    spec = command_spec([*argv, str(tmp_path / "mark")], collector=EVENTS, stopper=stopper, budget=Budget(1, 2))
    result = run(tmp_path / "home", spec)
    assert [trial.state for trial in result.trials] == [TrialState.SUCCEEDED, TrialState.EARLY_STOPPED]
    assert "median" in result.trials[1].reason


def test_damaged_event_files_are_told_and_cost_nothing_else(tmp_path: Path) -> None:
    script = """
import os
from tests.metrics.test_event_files import event
from katib.metrics.generated.event_pb2 import SummaryValue
good = event(SummaryValue(tag=b"loss", simple_value=0.5))
with open("/logs/tf/a.tfevents", "wb") as file:
    file.write(good + good[:-1] + b"?" + good)
"""
    root = str(Path(__file__).parents[2])
    argv = ["/usr/bin/env", f"PYTHONPATH={root}", "python", "-c", script]
    result = run(tmp_path, command_spec(argv, collector=EVENTS))
    assert result.lines == {0: ["0.5", "0.5"]}
    (event,) = [event for event in result.events if event.reason == "MetricsSkipped"]
    assert event.message.startswith("a.tfevents: skipped bytes from byte ")


@pytest.mark.parametrize(
    ("line", "state"),
    [("nan", TrialState.METRICS_UNAVAILABLE), ("", TrialState.METRICS_UNAVAILABLE), ("Genotype(a)", "Succeeded")],
)
@pytest.mark.parametrize("kind", ["File", "Custom"])
def test_values_without_a_number_mean_the_same_to_all_kinds(tmp_path: Path, kind: str, line: str, state: str) -> None:
    report = json.dumps({"loss": line})
    collector = CollectorSpec("File", "/a/m.log", "JSON")
    script = f"echo '{report}' >/a/m.log"
    if kind == "Custom":
        collector, script = custom(f"echo '{report}'", format="JSON"), "sleep 0.5"
    (trial,) = run(tmp_path, command_spec(["/bin/sh", "-c", script], collector=collector)).trials
    assert trial.state == state


def test_functions_have_no_collector_beside_them(tmp_path: Path) -> None:
    workshop = Workshop(Options(tmp_path, runner="inline", objective=lambda parameters: 1.0))
    with pytest.raises(SpecError, match=r"metricsCollectorSpec.collector.kind: got 'TensorFlowEvent'.*'inline'"):
        workshop.check(command_spec(["true"], collector=EVENTS, objective=Objective("loss")))
    workshop.close()
