"""The command line as its users have it: in this process, as a process of its own, and on a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

from trial_runners.local.processes import marked

KATIB = [sys.executable, "-m", "katib.cli.main"]
TIMEOUT = 30.0
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


def document(name: str = "exp", script: str = "echo loss=${trialParameters.x}", **spec: Any) -> dict[str, Any]:
    """An Experiment of three trials, one at a time, whose trials run ``script`` in a shell."""
    container = {"name": "main", "image": "none", "command": ["sh", "-c", script]}
    used = "${trialParameters.x}" in script
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": name},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "loss"},
            "algorithm": {"algorithmName": "random"},
            "parallelTrialCount": 1,
            "maxTrialCount": 3,
            "parameters": [
                {"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0.5", "max": "2"}},
            ],
            "trialTemplate": {
                "primaryContainerName": "main",
                "trialParameters": [{"name": "x", "reference": "x"}] if used else [],
                "trialSpec": {
                    "apiVersion": "batch/v1",
                    "kind": "Job",
                    "spec": {"template": {"spec": {"containers": [container]}}},
                },
            },
            **spec,
        },
    }


def function_document(entry_point: str, name: str = "function", **spec: Any) -> dict[str, Any]:
    """An Experiment whose trials call a Python function."""
    template = {"apiVersion": "katib.dev/v1", "kind": "PythonFunction", "spec": {"entryPoint": entry_point}}
    return document(name, trialTemplate={"trialSpec": template}, **spec)


def write(folder: Path, tree: dict[str, Any]) -> Path:
    """The document as a file in ``folder``, named after the experiment."""
    path = folder / f"{tree['metadata']['name']}.yaml"
    path.write_text(yaml.safe_dump(tree, sort_keys=False))
    return path


def until(condition: Callable[[], Any], what: str, timeout: float = TIMEOUT) -> Any:
    """What ``condition`` gives as soon as that is true."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {timeout} s for: {what}"
        time.sleep(0.02)
    return found


class Process:
    """A ``katib`` process with its output in files."""

    def __init__(self, folder: Path, words: Sequence[str]) -> None:
        self._out = folder / f"{id(self)}.out"
        self._err = folder / f"{id(self)}.err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.popen = subprocess.Popen(
                [*KATIB, *map(str, words)], stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=folder
            )

    @property
    def out(self) -> str:
        """Standard output so far."""
        return self._out.read_text()

    @property
    def err(self) -> str:
        """Standard error so far."""
        return self._err.read_text()

    def said(self, text: str) -> None:
        """Wait until it printed ``text``."""
        until(lambda: text in self.out + self.err or self.popen.poll() is not None, f"{text!r} from katib")
        assert text in self.out + self.err

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.popen.send_signal(number)

    def end(self) -> Answer:
        """Wait for its end."""
        return Answer(self.popen.wait(TIMEOUT), self.out, self.err)


@contextmanager
def started(folder: Path, *words: str | Path) -> Iterator[Process]:
    """A ``katib`` process; killed at the end if it still runs."""
    process = Process(folder, [str(word) for word in words])
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.wait(TIMEOUT)


def on_terminal(folder: Path, *words: str | Path, term: str = "xterm-256color") -> tuple[int, str]:
    """Exit status and output of a command on a terminal of 100 columns and 30 lines."""
    size = ("COLUMNS", "LINES")  # of the terminal of the tests themselves
    environment = {name: value for name, value in os.environ.items() if name not in size}
    terminal, end = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    output, deadline = b"", time.monotonic() + TIMEOUT
    process = subprocess.Popen(
        [*KATIB, *map(str, words)],
        stdin=end,
        stdout=end,
        stderr=end,
        cwd=folder,
        env={**environment, "TERM": term},
        start_new_session=True,
    )
    os.close(end)
    try:
        while time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.1)[0]:
                output += os.read(terminal, 1 << 16)
    except OSError:  # the last one who had it open has ended
        pass
    finally:
        os.close(terminal)
        if process.poll() is None:
            process.kill()
        status = process.wait()
    return status, output.decode()


def plain(output: str) -> str:
    """Terminal output without its escape sequences."""
    return ESCAPES.sub("", output).replace("\r", "")


def trial_counts(katib: Callable[..., Answer], name: str = "exp") -> dict[str, int]:
    """How many trials the status of an experiment counts, by field."""
    status = json.loads(katib("get", "experiment", name, "-o", "json").out)["status"]
    return {key: value for key, value in status.items() if key.startswith("trials")}


def running_trials(home: Path) -> list[psutil.Process]:
    """Living processes of trials of ``home``."""
    return [process for processes in marked(home.resolve() / "trials").values() for process in processes]
