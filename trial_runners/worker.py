"""A worker process of the process runner: a fresh interpreter that calls the objective, one trial after another.

The main thread calls, so that objectives may set signal handlers. A second thread reads what the parent sends, so
that a stop request is known at the next report, and the parent's end ends this process at once, whatever it does.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import queue
import signal
import socket
import sys
import threading
from typing import Any

import cloudpickle

from katib.core.trial import FailureClass
from katib.report import Report, TrialStopped
from trial_runners.channel import Channel
from trial_runners.objective_call import Ending, Objective, Surroundings, call, failed, surrounded

_PR_SET_PDEATHSIG = 1


def main(descriptor: int) -> None:
    """Serve the parent at the other end of the socket ``descriptor`` until it hangs up."""
    del sys.argv[1:]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    channel = Channel(socket.socket(fileno=descriptor))
    worker = Worker(channel)
    threading.Thread(target=worker.listen, name="katib-worker-listener", daemon=True).start()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the parent is gone
        worker.work()


def die_with(parent: int, *, thread: bool) -> None:
    """End this process when ``parent`` dies, even inside code that never lets the listening thread run.

    thread: the parent's main thread started this process. The kernel's death signal is tied to the thread that
    started a child, so it is of use only then. Only Linux has it; the end of the socket does for the rest.
    """
    if thread and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


class Worker:
    """What the two threads share."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._stopped = 0  # number of the newest run that is to stop
        self._pid = os.getpid()

    def listen(self) -> None:
        """Sort what the parent sends; ends the process when it hangs up."""
        while (messages := self._channel.receive()) is not None:
            for message in messages:
                if message.startswith(b'["stop"'):
                    self._stopped = json.loads(message)[1]
                else:
                    self._inbox.put(message)
        os._exit(0)

    def work(self) -> None:
        """Call the objective for each run that is sent."""
        setting = json.loads(self._inbox.get())
        die_with(setting["parent"], thread=setting["main_thread"])
        objective = late(self._inbox.get())
        self._channel.send(["ready", 0])
        while True:
            _, run, parameters, surroundings = json.loads(self._inbox.get())
            ending = self._call(objective, run, parameters, Surroundings(*surroundings), setting["metric"])
            if os.getpid() != self._pid:
                os._exit(0)  # a child that the objective forked and let return
            self._end(run, ending)

    def _call(
        self, objective: Objective, run: int, parameters: dict[str, Any], surroundings: Surroundings, metric: str
    ) -> Ending:
        def receive(reports: tuple[Report, ...]) -> None:
            self._channel.send(["report", run, reports])
            if self._stopped == run:
                raise TrialStopped

        try:
            with surrounded(surroundings):
                redirect(surroundings.log)
                return call(objective, parameters, metric, receive)
        except KeyboardInterrupt as error:
            return failed(error)
        except OSError as error:  # its folder cannot be made
            return failed(error, FailureClass.INFRASTRUCTURE)

    def _end(self, run: int, ending: Ending) -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # the objective may have closed or replaced it
                stream.flush()
        failure = ending.failure and ending.failure.value
        self._channel.send(["end", run, failure, ending.stopped, ending.reports, ending.reason, ending.message])


def late(pickled: bytes) -> Objective:
    """The objective, loaded at its first call, so that a failure to load it fails a trial and not the worker."""
    loaded: list[Objective] = []

    def objective(parameters: dict[str, Any]) -> Any:
        if not loaded:
            try:
                loaded.append(cloudpickle.loads(pickled))
            except Exception as error:
                error.add_note("(while loading the objective in a worker process)")
                raise
        return loaded[0](parameters)

    return objective


def redirect(log: str) -> None:
    """Send what is printed, by libraries and child processes too, to the file ``log``, if there is one."""
    if log:
        os.makedirs(os.path.dirname(log), exist_ok=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
