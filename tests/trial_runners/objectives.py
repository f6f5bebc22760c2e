"""Objectives for the tests of the function runners. An importable module, so workers find these by name; a light one,
so they do it quickly."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import katib.report
from katib.core.trial import Attempt, AttemptId


def attempt(id: AttemptId, do: str, number: int = 0, parent: AttemptId | None = None, **parameters: Any) -> Attempt:
    """An attempt that makes ``perform`` do one of the things below."""
    return Attempt(id, number, {"do": do, **parameters}, parent=parent)


def perform(parameters: dict[str, Any]) -> Any:
    """The objective behind ``attempt``."""
    return _DEEDS[parameters.pop("do")](**parameters)


def _append(path: str) -> float:
    with open(path, "a") as file:
        file.write("line\n")
    return 1.0


def _fail() -> float:
    raise ValueError("went wrong")


def _sleep(seconds: float) -> float:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        katib.report_metrics(loss=1.0)
        time.sleep(0.01)
    return 0.5


def _spin(seconds: float, ready: str) -> float:
    Path(ready).write_text(str(os.getpid()))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pass
    return 0.5


def _swallow_exceptions() -> float:
    while True:
        try:
            katib.report_metrics(loss=1.0)
            time.sleep(0.001)
        except Exception:
            pass


def _curve(count: int) -> dict[str, float]:
    for step in range(count):
        katib.report_metrics({"loss": 1.0 / (step + 1)}, step=step)
    return {"loss": 0.0, "accuracy": 0.75}


def _report_only() -> None:
    katib.report_metrics(loss=0.25)


def _stopped_while_failing() -> float:
    try:
        return _sleep(60)
    finally:
        raise KeyError("clean-up failed")


def _environment(path: str) -> float:
    Path(path).write_text("\n".join(f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith("KATIB_")))
    return 1.0


def _checkpoint(text: str) -> float:
    folder = Path(os.environ["KATIB_CHECKPOINT_DIR"])
    file = folder / "state.txt"
    file.write_text((file.read_text() if file.exists() else "") + text)
    return float(len(file.read_text()))


def _segfault() -> None:
    ctypes.string_at(0)


def _exit_in_child() -> float:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    return 0.5


def _leave_child(path: str) -> float:
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    Path(path).write_text(str(child))
    os._exit(5)


def _print(text: str) -> float:
    print(text)
    os.system("echo from a child")
    print("error text", file=sys.stderr)
    return 1.0


def _signal(signum: int) -> None:
    os.kill(os.getpid(), signum)
    time.sleep(60)  # another thread may be the one that takes it


def _memory_error() -> float:
    raise MemoryError("too much")


def _await(begun: str, go: str) -> float:
    _append(begun)
    while not os.path.exists(go):
        katib.report_metrics(loss=1.0)
        time.sleep(0.05)
    return 0.5


_DEEDS: dict[str, Callable[..., Any]] = {
    "fail": _fail,
    "sleep": _sleep,
    "await": _await,
    "spin": _spin,
    "swallow": _swallow_exceptions,
    "curve": _curve,
    "report only": _report_only,
    "fail on stop": _stopped_while_failing,
    "environment": _environment,
    "checkpoint": _checkpoint,
    "segfault": _segfault,
    "fork": _exit_in_child,
    "leave child": _leave_child,
    "print": _print,
    "out of memory": _memory_error,
    "constant": lambda: 0.5,
    "exit": lambda code: sys.exit(code),
    "_exit": lambda code: os._exit(code),
    "signal": _signal,
    "append": _append,
    "pid": lambda: float(os.getpid()),
    "interrupt": lambda: signal.raise_signal(signal.SIGINT),
}
