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


def detach() -> int:
    """Leave the trial's session, and return its number: a request to end the trial is not for this program, which still
    has to see what the trial writes while it ends, and its memory is none of the trial's. The wrapper has signals
    ignored until then."""
    session = os.getsid(0)
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    return session


def has_ended(timeout: float) -> bool:
    """Whether the trial ends within ``timeout`` seconds: its end of our standard input is closed then."""
    return bool(select.select([sys.stdin.fileno()], [], [], max(0.0, timeout))[0])


def was_killed(folder: str) -> bool:
    """Whether the trial, which has ended, left no exit status; its folder may be gone as well."""
    try:
        with open(os.path.join(folder, "attempt.jsonl"), encoding="utf-8") as journal:
            return not any(line.startswith('{"exit"') for line in journal)
    except OSError:
        return True


def write_state(folder: str, state: dict[str, Any]) -> None:
    """Leave for the engine what this program came to."""
    aside = os.path.join(folder, "collector.json.partial")
    with open(aside, "w", encoding="utf-8") as file:
        json.dump(state, file)
    os.replace(aside, os.path.join(folder, "collector.json"))
