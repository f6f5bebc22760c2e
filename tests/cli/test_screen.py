"""What a run looks like: the live table on a terminal, wide and narrow, and lines elsewhere."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from katib.cli import screen
from katib.core.experiment import Budget, Component, Experiment, ExperimentSpec, ExperimentStatus
from katib.core.history import History
from katib.core.objective import MetricSummary, Objective
from katib.core.space import Choice, Real, SearchSpace
from katib.core.trial import Key, Trial, TrialState
from tests.cli.command_line import document, on_terminal, plain, write

SPACE = SearchSpace((Real("x", 0.0, 10.0), Choice("activation", ("relu", "a very long name of an activation"))))
SPEC = ExperimentSpec(
    key=Key("default", "exp"),
    space=SPACE,
    objective=Objective("loss"),
    algorithm=Component("random"),
    budget=Budget(parallel=2, max_trials=10),
)


def trial(number: int, state: TrialState = TrialState.SUCCEEDED, **fields: object) -> Trial:
    seen = {"loss": MetricSummary(number + 0.5, number + 1.5, number + 1.0, "", 0.0, 3)}
    values = {"x": float(number), "activation": "a very long name of an activation"}
    finished = 104.0 if state.finished else None
    begun = {"state": state, "seq": number + 1, "created": 99.0, "started": 100.0, "finished": finished}
    return Trial(number, f"exp-{number:08d}", values, **{"observation": seen, **begun, **fields})


def view(*trials: Trial, **status: object) -> tuple[Experiment, History]:
    counts = {state: sum(t.state is state for t in trials) for state in TrialState}
    spec_status = ExperimentStatus(counts=counts, **status)
    return Experiment(SPEC.key, "uid", SPEC, budget=SPEC.budget, status=spec_status), History(
        SPACE, SPEC.objective, trials
    )


def picture(columns: int, lines: int, experiment: Experiment, history: History, message: str = "") -> list[str]:
    """The last frame of a live table on a terminal of that size."""
    console = Console(file=io.StringIO(), width=columns, height=lines, force_terminal=True, color_system=None)
    with screen.Live(console=console, auto_refresh=False) as live:
        table = screen.LiveTable(live)
        table.show(experiment, history)
        if message:
            table.say(message)
        frame = console.render_lines(live.get_renderable())
    return ["".join(part.text for part in line).rstrip() for line in frame]


def test_table():
    trials = [trial(0), trial(1, TrialState.FAILED, reason="exit status 1"), trial(2, TrialState.RUNNING)]
    lines = picture(120, 30, *view(*trials, best=0, best_name="exp-00000000", best_value=0.5), "going")
    assert lines[0] == "experiment exp: random, minimize loss, 10 trials, 2 in parallel"
    assert lines[1].split() == ["TRIAL", "STATE", "PARAMETERS", "LATEST", "BEST", "TIME"]
    long = "a very long name of an activation"
    assert re.fullmatch(rf"exp-00000000 \*  Succeeded  x=0 activation={long} +1 +0.5 +4s", lines[2])
    assert re.fullmatch(rf"exp-00000001    Failed     x=1 activation={long} +2 +1.5 +4s", lines[3])
    assert re.match(r"exp-00000002    Running    x=2", lines[4])
    assert lines[5].endswith("2/10 done, about 16s left, 1 active, best loss 0.5")
    assert lines[6:] == ["exp-00000001 Failed: exit status 1", "going"]


@pytest.mark.parametrize("columns", [50, 62, 80, 100, 200])
@pytest.mark.parametrize("lines", [6, 12, 40])
def test_every_size(columns, lines):
    """One line a trial, names and numbers whole where there is room, the best trial always there."""
    trials = [trial(n) for n in range(30)] + [trial(30, TrialState.RUNNING)]
    frame = picture(columns, lines, *view(*trials, best=0, best_name="exp-00000000", best_value=0.5), "m" * 300)
    assert len(frame) <= lines
    assert all(len(line) <= columns - screen.ECHO for line in frame)
    rows = [line for line in frame if line.startswith("exp-")]
    assert len(rows) == max(1, min(screen.MOST_ROWS, lines - screen.OTHER_LINES))
    assert rows[0].startswith("exp-00000000 *")
    if columns >= 62:
        assert all(re.search(r"  [\d.]+  +[\d.]+", row) for row in rows)
    assert ("TIME" in frame[1]) == (columns >= screen.NARROW)


@pytest.mark.parametrize("running", [0, 1, 50])
def test_many_running_trials_do_not_push_the_progress_away(running):
    trials = [trial(n, TrialState.RUNNING) for n in range(running)]
    frame = picture(100, 20, *view(*trials))
    assert "0/10 done" in frame[-1]
    assert len(frame) == 3 + min(running, 13)


@pytest.mark.parametrize(
    ("done", "running", "left"),
    [
        pytest.param(0, 2, None, id="nothing known"),
        pytest.param(2, 2, 16.0, id="at the pace so far"),
        pytest.param(9, 1, 2.0, id="last one"),
        pytest.param(10, 0, None, id="over"),
        pytest.param(4, 0, None, id="resting"),
    ],
)
def test_time_left(done, running, left):
    trials = [trial(n) for n in range(done)] + [trial(done + n, TrialState.RUNNING) for n in range(running)]
    assert screen.time_left(*view(*trials)) == left


def test_live_run_on_a_terminal(home, tmp_path, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    script = "for i in 1 2 3; do echo loss=$i; sleep 0.2; done; echo loss=${trialParameters.x}"
    status, output = on_terminal(tmp_path, "run", write(tmp_path, document(script=script)))
    shown = plain(output)
    assert status == 0
    assert "\x1b[32m" in output  # green
    assert re.search(r"exp-\w{8}( \*)?  Running +x=[\d.]+ +[\d.]+ +[\d.]+ +\ds", shown)
    assert "about " in shown
    last = shown.rpartition("experiment exp: random")[2]
    assert last.count("Succeeded  x=") == 3
    assert "Running" not in last
    assert re.search(r"━{24} 3/3 done, best loss [\d.]+\n", last)
    assert "experiment exp succeeded in" in last


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
def test_terminals_without_colors(home, tmp_path, monkeypatch, variable):
    monkeypatch.setenv("NO_COLOR", "1" if variable == "NO_COLOR" else "")
    term = "dumb" if variable == "TERM" else "xterm-256color"
    status, output = on_terminal(tmp_path, "run", write(tmp_path, document()), term=term)
    assert status == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", output)
    if variable == "TERM":
        assert "\x1b" not in output
        assert len(re.findall(r"\d\d:\d\d:\d\d exp-\w{8} Succeeded", output)) == 3


def test_lines_of_an_experiment_that_goes_on(capsys):
    """Trials that ended before are not printed again; a wait is said once, and an attempt after the first."""
    before = [trial(0), trial(1)]
    experiment, history = view(*before)
    lines = screen.Lines(experiment)
    lines.show(experiment, history)
    experiment, history = view(*before, trial(2, TrialState.RUNNING, attempt=2), waiting="no service")
    for _ in range(2):
        lines.show(experiment, history)
    ended = trial(2, TrialState.METRICS_UNAVAILABLE, attempt=2, reason="nothing", observation={})
    lines.show(*view(*before, ended))
    texts = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in capsys.readouterr().out.splitlines()]
    assert texts == [
        "experiment exp: random, minimize loss, 10 trials, 2 in parallel, goes on after 2 trials",
        "exp-00000002 Running attempt 2 x=2 activation=a very long name of an activation",
        "waiting: no service",
        "exp-00000002 MetricsUnavailable [3/10] nothing",
    ]


def test_lines_of_trials_that_were_never_seen_to_run(capsys):
    """Their parameters are printed all the same; those of one that never ran are not."""
    lines = screen.Lines(view()[0])
    lines.show(*view(trial(0), trial(1, TrialState.KILLED, started=None, observation={}, reason="over")))
    texts = [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert texts == [
        "exp-00000000 Running x=0 activation=a very long name of an activation",
        "exp-00000000 Succeeded [1/10] loss=0.5",
        "exp-00000001 Killed [2/10] over",
    ]
