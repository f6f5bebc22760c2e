"""Runs the command of a ``customCollector`` beside a trial: what it prints are the metrics.

The command begins with the trial. When the trial has ended it has half a second to end by itself, as one that follows
a file has to see its last lines; then it gets SIGTERM, and five seconds later SIGKILL. It is killed if the trial is.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from typing import Any

from trial_runners.beside.surroundings import detach, has_ended, was_killed, write_state

_SETTLE_SECONDS = 0.5
_GRACE_SECONDS = 5.0
_LOOK_SECONDS = 0.1


def main(folder: str, beside: dict[str, Any]) -> None:
    """beside: argv, env, cwd of the command."""
    detach()
    environment = {**os.environ, **beside["env"]}
    program = shutil.which(beside["argv"][0], path=environment.get("PATH"))
    if program is None:
        write_state(folder, {"problem": f"program {beside['argv'][0]!r} is not on this machine, or not executable"})
        return
    try:
        process = _start([program, *beside["argv"][1:]], environment, beside["cwd"], folder)
    except OSError as error:
        write_state(folder, {"problem": f"it could not be started: {error}"})
        return
    while process.poll() is None and not has_ended(_LOOK_SECONDS):
        pass
    if process.poll() is None and was_killed(folder):
        _signal(process, signal.SIGKILL)
    else:
        write_state(folder, {"problem": _end(process)})


def _start(argv: list[str], environment: dict[str, str], cwd: str, folder: str) -> subprocess.Popen[bytes]:
    with (
        open(os.path.join(folder, "collector.log"), "ab") as output,
        open(os.path.join(folder, "collector.err"), "ab") as errors,
    ):
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=environment,
            cwd=cwd,
            process_group=0,
        )


def _end(process: subprocess.Popen[bytes]) -> str:
    """Wait for its end, or make it. What was wrong with it; empty if nothing was."""
    status = process.poll()
    if status is not None:
        _signal(process, signal.SIGKILL)
        return f"it ended before the trial, with {_described(status)}" if status else ""
    for number, seconds in ((None, _SETTLE_SECONDS), (signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, 1.0)):
        if number is not None:
            _signal(process, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = process.wait(seconds)
            _signal(process, signal.SIGKILL)  # what it left behind
            asked = number is signal.SIGTERM and status in (-signal.SIGTERM, 128 + signal.SIGTERM)
            if number is signal.SIGKILL:
                return f"it did not end within {_GRACE_SECONDS:g} s of the trial and was killed"
            return "" if status == 0 or asked else f"it ended with {_described(status)}"
    return "it cannot be killed"


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To its whole group, which may outlive it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _described(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
