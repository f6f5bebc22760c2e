"""The parent's handle on one worker process: start it, give it runs, hear of them, end it.

Workers are fresh interpreters, never forks: a fork of a process with threads (gRPC has some) may hang. Each has a
session of its own, so Ctrl-C at the terminal does not reach it, and it can be ended with all its children.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

from katib.core.trial import AttemptId
from trial_runners.channel import Channel
from trial_runners.objective_call import Surroundings

_BOOT = "import sys; sys.path[:] = sys.argv[2:]; from trial_runners.worker import main; main(int(sys.argv[1]))"
_STANDARD_ERROR = 2
_LAST_WORDS_SECONDS = 1.0


class WorkerProcess:
    """One worker. attempt: what it runs now. runs: how many it was given. deadline: monotonic time at which the
    run is to be killed, if it was asked to stop. ready: it has come up. killed: by us.
    """

    def __init__(self, pickled: bytes, metric: str) -> None:
        """Start it and send it the objective. Raises OSError if the system has no room for another process."""
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-c", _BOOT, str(theirs.fileno()), *sys.path]
            try:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=_STANDARD_ERROR,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        self.channel = Channel(ours)
        self.attempt: AttemptId | None = None
        self.deadline: float | None = None
        self.ready = self.killed = self.stopping = False
        self.runs = 0
        main_thread = threading.current_thread() is threading.main_thread()
        with contextlib.suppress(OSError):  # if it is gone already, ``exited`` says so
            self.channel.send({"parent": os.getpid(), "main_thread": main_thread, "metric": metric})
            self.channel.send_bytes(pickled)

    @property
    def pid(self) -> int:
        """Its process id, which is its process group's too."""
        return self._process.pid

    def run(self, id: AttemptId, parameters: Mapping[str, Any], surroundings: Surroundings) -> None:
        """Give it a run."""
        self.attempt = id
        self.runs += 1
        with contextlib.suppress(OSError):
            self.channel.send(["run", self.runs, dict(parameters), surroundings])

    def ask_to_stop(self, deadline: float) -> None:
        """Stop the run at its next report; at ``deadline`` (monotonic) at the latest, if the caller looks."""
        self.deadline = deadline if self.deadline is None else min(deadline, self.deadline)
        if not self.stopping:
            self.stopping = True
            with contextlib.suppress(OSError):
                self.channel.send(["stop", self.runs])

    def rest(self) -> None:
        """Its run has ended."""
        self.attempt = self.deadline = None
        self.stopping = False

    def exited(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it and its children now."""
        self.killed = True
        self.deadline = None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def bury(self) -> int:
        """Take leave of a worker that is ending: its exit status, negative for a signal. Its children end with it."""
        self.channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_LAST_WORDS_SECONDS)
        self.kill()
        return self._process.wait()
