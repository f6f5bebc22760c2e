"""What a program beside a trial shares with the others: the attempt's folder, and the end of the trial."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from typing import Any

BOOT = """\
import importlib, json, sys
folder = sys.argv[1]
with open(folder + "/attempt.jsonl", encoding="utf-8") as journal:
    beside = json.loads(journal.readline())["beside"]
sys.path[:] = beside["modules"]
importlib.import_module("trial_runners.beside." + beside["program"]).main(folder, beside)
"""
"""What ``python -I -S -c`` is given, and the attempt's folder. What to do stands in the attempt's order."""


def detach() -> None:
    """Become a process group of its own, so that a request to end the trial does not reach this program, which still
    has to see what the trial writes while it ends. The wrapper has such signals ignored until then."""
    os.setpgid(0, 0)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def has_ended(timeout: float) -> bool:
    """Whether the trial ends within ``timeout`` seconds: its end of our standard input is closed then."""
    return bool(select.select([sys.stdin.fileno()], [], [], max(0.0, timeout))[0])


def write_state(folder: str, state: dict[str, Any]) -> None:
    """Leave for the engine what this program came to."""
    aside = os.path.join(folder, "collector.json.partial")
    with open(aside, "w", encoding="utf-8") as file:
        json.dump(state, file)
    os.replace(aside, os.path.join(folder, "collector.json"))
