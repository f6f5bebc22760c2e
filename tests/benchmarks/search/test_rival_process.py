"""What goes wrong in a rival's process ends in one error that says what, and no process is left."""

from __future__ import annotations

import json
import os
import sys
import time
from types import SimpleNamespace

import pytest

from benchmarks.search import rival_process
from benchmarks.search.adapters.serve import Exhausted, Server
from benchmarks.search.rival_process import RivalProcess
from benchmarks.search.rivals import Rival
from katib.core.errors import AlgorithmError
from katib.core.history import History
from tests.benchmarks.search.rival_runs import REALS, spec_of

ECHO = "import sys, json\nfor line in sys.stdin: print(json.dumps({'is': json.loads(line)}), flush=True)\n"


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A process of a script that stands in for the rival's side."""
    opened = []

    def start(script: str, longest: float = 60.0) -> RivalProcess:
        (tmp_path / "serve.py").write_text(script)
        monkeypatch.setattr(rival_process, "_SERVE", tmp_path / "serve.py")
        opened.append(RivalProcess(sys.executable, "adapter", longest))
        return opened[-1]

    yield start
    for process in opened:
        process.close()


def is_gone(process: RivalProcess) -> bool:
    return process._process.poll() is not None


def test_a_line_is_answered_by_a_line(started):
    process = started(ECHO)
    assert process.answer("ask", 3) == {"is": {"ask": 3}}
    assert process.answer("tell", [["ü"]]) == {"is": {"tell": [["ü"]]}}
    process.close()
    assert is_gone(process)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param("import sys; sys.exit('no such thing')", "its process ended: no such thing", id="ends"),
        pytest.param("import os; os.kill(os.getpid(), 9)", "ended: exit status -9, without a word", id="killed"),
        pytest.param('input(); print(\'{"error": "singular"}\', flush=True); input()', "^singular$", id="an-error"),
        pytest.param("input(); print('Hello', flush=True); input()", "no answer of the protocol: 'Hello", id="chatter"),
    ],
)
def test_what_goes_wrong_is_told(started, script, message):
    process = started(script)
    with pytest.raises(AlgorithmError, match=message):
        process.answer("ask", 1)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("import time\nwhile True: time.sleep(1)", id="sleeps"),
        pytest.param("import signal, time\nsignal.signal(15, signal.SIG_IGN)\nwhile True: pass", id="deaf"),
        pytest.param("import subprocess\nsubprocess.run(['sleep', '60'])", id="with-a-child"),
    ],
)
def test_one_that_takes_too_long_is_killed(started, script):
    process, began = started(script, longest=0.5), time.perf_counter()
    with pytest.raises(AlgorithmError, match=r"no answer within 0\.5 seconds"):
        process.answer("ask", "x" * 1_000_000)  # more than a pipe holds: nobody reads it
    assert time.perf_counter() - began < 20
    process.close()
    assert is_gone(process)


def test_one_at_work_is_killed_at_the_end(started):
    process = started("import time\nwhile True: time.sleep(1)")
    process.close()
    assert is_gone(process)
    with pytest.raises(AlgorithmError, match="its process ended"):
        process.answer("ask", 1)


def test_it_has_one_core_and_no_python_settings_of_ours(started, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    process = started("import json, os, sys\nfor line in sys.stdin: print(json.dumps(dict(os.environ)), flush=True)")
    found = process.answer("ask", 1)
    assert "PYTHONPATH" not in found
    assert (found["OMP_NUM_THREADS"], found["PYTHONHASHSEED"]) == ("1", "0")
    assert found.get("PATH") == os.environ.get("PATH")


def test_an_interpreter_that_is_not_there_is_an_error():
    with pytest.raises(AlgorithmError, match="cannot be started"):
        RivalProcess("/nowhere/python", "adapter", 1.0)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        pytest.param({"x0": 0, "x1": 6.5, "x2": 0}, "lies outside the space: .*'x1': got 6.5", id="out-of-range"),
        pytest.param({"x0": 0, "x2": 0}, "no value of x1", id="incomplete"),
        pytest.param({"x0": 0, "x1": "a", "x2": 0}, "outside the space", id="no-number"),
    ],
)
def test_a_point_outside_the_space_is_the_rivals_error(started, point, message):
    answers = [{"versions": {}}, {"points": [{"#": 0, **point}], "exhausted": False, "seconds": 0.1}]
    lines = [json.dumps(answer) for answer in answers]
    started(f"import sys\nfor answer, line in zip({lines!r}, sys.stdin): print(answer, flush=True)")
    with (
        Rival("optuna-tpe", spec_of(REALS)) as rival,
        pytest.raises(AlgorithmError, match=f"optuna-tpe: .*{message}"),
    ):
        rival.suggest(History(REALS, spec_of(REALS).objective), 1)


class TwoPoints:
    """An optimiser of two points; it waits for the result of the first before the second."""

    def __init__(self, setup):
        self.setup, self.asked, self.told = setup, 0, []

    def ask(self):
        if self.asked > len(self.told):
            return None
        if self.asked == 2:
            raise Exhausted
        self.asked += 1
        return f"record {self.asked}", {"x": self.asked}

    def tell(self, results):
        self.told += results


def requests(server: Server, *lines: dict) -> list[dict]:
    return [json.loads(server.answer(json.dumps(line))) for line in lines]


SETUP = {
    "variant": "", "seed": 1, "budget": 9, "workers": 1, "parameters": [], "objectives": 1, "constraints": 0,
}  # fmt: skip


def test_the_server_keeps_records_by_id():
    made = []
    adapter = SimpleNamespace(PACKAGES=("numpy",), start=lambda setup: made.append(TwoPoints(setup)) or made[-1])
    server = Server(adapter)
    (versions,) = requests(server, {"setup": SETUP})
    assert versions["versions"].keys() == {"numpy"}
    (first,) = requests(server, {"ask": 3})
    assert (first["points"], first["exhausted"]) == ([{"#": 0, "x": 1}], False)
    told, second = requests(server, {"tell": [[first["points"][0], [0.5], []]]}, {"ask": 1})
    assert told["seconds"] >= 0
    assert second["points"] == [{"#": 1, "x": 2}]
    assert [tuple(each) for each in made[0].told] == [("record 1", [0.5], [])]
    _, last = requests(server, {"tell": [[second["points"][0], [], []]]}, {"ask": 1})
    assert (last["points"], last["exhausted"]) == ([], True)


def test_the_server_answers_what_an_adapter_raises(capsys):
    def start(setup):
        raise ValueError("bad space")

    server = Server(SimpleNamespace(PACKAGES=(), start=start))
    asked, failed, unknown = requests(server, {"ask": 1}, {"setup": SETUP}, {"sing": 1})
    assert asked == {"error": "RuntimeError: asked before it was set up"}
    assert failed == {"error": "ValueError: bad space"}
    assert unknown == {"error": "KeyError: 'sing'"}
    assert "Traceback" in capsys.readouterr().err
