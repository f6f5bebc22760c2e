"""One command under its wrapper, as this process sees it: whether it runs, what is due, what it left behind.

A shell rather than Python wraps the command because it starts in a millisecond. The attempt's locked file is its
standard input, so the lock lasts exactly as long as the shell and the kernel itself says whether it runs, whoever
started it: there is no race between fork and pid file, and no number of a dead process to be mistaken for a living one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time

from katib.core.errors import RunnerError
from katib.core.ports import Phase
from katib.core.trial import FailureClass
from trial_runners.attempt_folder import AttemptFolder, Ending, Order
from trial_runners.beside.surroundings import BOOT
from trial_runners.local.command import environment_for, find_program
from trial_runners.local.processes import LEFTOVER_GRACE, Reaper, sessions
from trial_runners.local.sources import source_of

# Arguments: log, program, the program's arguments. Standard input: the locked journal, which pid and exit status are
# appended to. Signals to the group are caught, not ignored: the shell outlives them, while the program gets the default
# back. The program is an absolute path, so no word of the user can name a shell builtin.
SCRIPT = """\
trap : HUP INT QUIT TERM USR1 USR2
echo "{\\"pid\\": $$}" >&0 || exit
log=$1
shift
"$@" </dev/null >>"$log" 2>&1
echo "{\\"exit\\": $?}" >&0
"""

# The same with a program that collects metrics beside the command. Arguments: log, Python, the boot code of
# ``trial_runners.beside``, the attempt's folder, program, the program's arguments. The program beside reads the end of
# the command from the pipe between them, which nothing else is written to; the wrapper ends after both.
SCRIPT_WITH_COLLECTOR = """\
trap : HUP INT QUIT TERM USR1 USR2
echo "{\\"pid\\": $$}" >&0 || exit
log=$1 python=$2 boot=$3 folder=$4
shift 4
{
trap : HUP INT QUIT TERM USR1 USR2
"$@" </dev/null >>"$log" 2>&1
echo "{\\"exit\\": $?}" >&0
} | {
trap '' HUP INT QUIT TERM
exec "$python" -I -S -c "$boot" "$folder" >/dev/null 2>>"$folder/collector.err"
}
"""

# Seconds between SIGTERM and SIGKILL after a deadline.
_DEADLINE_GRACE = 10.0

# Seconds after which an attempt counts as ended although processes of it do not die.
_GIVE_UP = 10.0


# Seconds within which a wrapper may not have come to its command yet.
_YOUTH = 0.5


# Wake-ups take no descriptor above this, so that a thousand trials leave some to the rest of the process.
_LAST_DESCRIPTOR = 400


class RunningCommand:
    """The wrapper of one attempt, launched here or found by its folder.

    pid: of the wrapper, its session and process group; known once it was seen alive, and trusted only because of that:
    a number out of a file may be another process's by now. ended: monotonic time when it was first seen gone. source:
    where its metrics are read.
    """

    __slots__ = ("_asks_due", "_began", "_next_ask", "_process", "ended", "folder", "order", "pid", "pidfd", "source")

    def __init__(self, folder: AttemptFolder, order: Order) -> None:
        self.folder = folder
        self.order = order
        self.source = source_of(order, folder)
        self.pid: int | None = None
        self.pidfd: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0  # monotonic, so that a changed clock ends nothing
        self.ended: float | None = None
        self._asks_due = 2  # SIGTERMs still to be sent, at most
        self._next_ask = 0.0

    def alive(self) -> bool:
        """Whether the wrapper runs."""
        if self._process is not None:
            return self._process.poll() is None
        if not self.folder.runs():
            return False
        if self.pid is None:
            self.pid = self.folder.progress().pid
            self._began = time.monotonic() - max(0.0, time.time() - self.folder.changed())
        return True

    def spawn(self, lock: int, devices: tuple[str, ...]) -> None:
        """Launch the wrapper, which inherits the attempt's ``lock``. Raises RunnerError if the program cannot be run
        here, OSError if the system cannot do it now."""
        order = self.order
        environment = environment_for(order, devices, os.environ)
        program = find_program(order.argv[0], order.cwd, environment["PATH"])
        if program is None:
            image = f"; the image {order.image} is not used in a local run" if order.image else ""
            raise RunnerError(f"program {order.argv[0]!r} is not on this machine, or not executable{image}")
        if order.notes:
            self.folder.log.write_text("".join(f"{note}\n" for note in order.notes), encoding="utf-8")
        script, words = SCRIPT, [str(self.folder.log)]
        if order.beside:
            script, words = SCRIPT_WITH_COLLECTOR, [*words, sys.executable, BOOT, str(self.folder.path)]
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", script, "katib-trial", *words, program, *order.argv[1:]],
                stdin=lock,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=order.cwd,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            if error.errno != errno.E2BIG:
                raise
            raise RunnerError("command line and environment are longer than this system allows") from error
        self.pid, self._began, self.ended = self._process.pid, time.monotonic(), None

    def watch(self) -> None:
        """Open a descriptor that becomes readable when the wrapper ends, where the system has such (Linux)."""
        if self.pid is None or self.pidfd is not None or not hasattr(os, "pidfd_open"):
            return
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(self.pid)
            if descriptor <= _LAST_DESCRIPTOR:
                self.pidfd = descriptor
            else:
                os.close(descriptor)

    def unwatch(self) -> None:
        """Close the descriptor."""
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None

    def violation(self, log_limit: int) -> Ending | None:
        """Request the end of a command that runs for too long or prints too much."""
        deadline = self.order.deadline
        if deadline is not None and self._began and time.monotonic() - self._began > deadline:
            reason = f"ran longer than its activeDeadlineSeconds, {deadline:g} s"
            return self.folder.end(Phase.FAILED, FailureClass.TIME_OUT, reason, _DEADLINE_GRACE)
        logs = {"": self.folder.log}
        if self.order.beside:
            logs["its metrics collector "] = self.folder.collected
        for who, log in logs.items():
            with contextlib.suppress(FileNotFoundError):
                size = log.stat().st_size
                if size > log_limit:
                    reason = f"{who}printed {format_bytes(size)}, the limit is {format_bytes(log_limit)}"
                    return self.folder.end(Phase.FAILED, FailureClass.USER_ERROR, reason, 0.0)
        return None

    def enforce(self, ending: Ending | None) -> None:
        """Carry out a request to end: SIGTERM to the process group, SIGKILL when the grace is over.

        SIGTERM goes out once, for to many programs a second one means "at once". A very young wrapper may have caught
        the first before its command was there, so it gets another.
        """
        if ending is None or self.pid is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if ending.overdue(time.time()):
                os.killpg(self.pid, signal.SIGKILL)
            elif self._asks_due > 0 and time.monotonic() >= self._next_ask:
                if time.monotonic() - self._began > _YOUTH:
                    self._asks_due = 1
                self._asks_due -= 1
                self._next_ask = time.monotonic() + _YOUTH
                os.killpg(self.pid, signal.SIGTERM)

    def left_behind(self, reaper: Reaper) -> bool:
        """Whether processes of its session live on after the wrapper; they are being ended. The usual answer costs one
        system call."""
        now = time.monotonic()
        if self.ended is None:
            self.ended = now
        if self.pid is None or now - self.ended > _GIVE_UP:
            return False
        overdue = now - self.ended > LEFTOVER_GRACE
        try:
            os.killpg(self.pid, signal.SIGKILL if overdue else 0)  # all at once, lest they fork faster than they die
        except ProcessLookupError:
            return False
        except PermissionError:
            pass  # zombies, on some systems
        members = sessions([self.pid])[self.pid]
        reaper.end(members)
        return bool(members)


def format_bytes(count: int) -> str:
    """``count`` in GiB, or MiB where that reads better."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
