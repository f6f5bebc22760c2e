"""The runner: the port over wrappers and folders.

The engine must go on polling an attempt until its end: deadlines, grace periods and limits are looked after there.
Memory is the resident memory of the attempt's session, looked at every half second. Output is limited as a whole, for
a trial that fills the disk takes the store with it. One thread uses a runner at a time.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL

from katib.core.errors import RunnerError, UnavailableError
from katib.core.ports import Phase, Update
from katib.core.trial import Attempt, AttemptId, Cursor, FailureClass
from trial_runners.attempt_folder import AttemptFolder, Ending, append
from trial_runners.inheritance import inheritance
from trial_runners.local.command import order_for
from trial_runners.local.gpus import GpuPool
from trial_runners.local.outcome import Outcome, judge, signal_of
from trial_runners.local.processes import Reaper, Sweeper, memory_of, oom_kills, sessions
from trial_runners.local.sources import looked_at, problem_of
from trial_runners.local.wrapper import RunningCommand, format_bytes
from trial_runners.output import log_tail

# Output of a trial on disk, in bytes, that ends it.
DEFAULT_LOG_LIMIT = 4 << 30

_RUNNING = Outcome(Phase.RUNNING)

# Seconds that ``wait`` sleeps at most while something runs: it may have printed, and without pidfd it may have ended.
_PAUSE = 0.15 if hasattr(os, "pidfd_open") else 0.01

# Seconds between two looks at the memory in use.
_MEMORY_PAUSE = 0.5


class LocalRunner:
    """Runs commands on this machine, in folders below ``root``."""

    def __init__(
        self,
        root: Path,
        *,
        cwd: Path | None = None,
        gpus: Sequence[str] | None = None,
        log_limit: int = DEFAULT_LOG_LIMIT,
    ) -> None:
        """``cwd``: where commands start (default: here). ``gpus``: devices to give away (default: this machine's).
        ``log_limit``: bytes of output that end a trial."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root = root.resolve()
        self._cwd = (cwd or Path.cwd()).resolve()
        self._log_limit = log_limit
        self._gpus = GpuPool(self._root, gpus, holds=_runs)
        self._sweeper = Sweeper.shared(self._root, _runs, self)
        self._reaper = Reaper()
        self._commands: dict[AttemptId, RunningCommand] = {}
        self._oom_kills = oom_kills()
        self._memory_due = 0.0

    def start(self, attempt: Attempt) -> None:
        """Start it, or do nothing if it was started before. Without a free GPU it waits for a later ``poll``.

        Raises RunnerError if it never can be started, UnavailableError if the machine cannot now (disk full).
        """
        try:
            if self._find(attempt.id) is None and not self._prepare(attempt):
                return
            self._look(self._commands[attempt.id])
        except OSError as error:
            raise UnavailableError(f"trial {attempt.id.trial} cannot be started now: {error}") from error

    def poll(self, cursors: Mapping[AttemptId, Mapping[str, Cursor]]) -> Iterator[Update]:
        """One Update for each id, made when it is asked for, so that one chunk of 1 MiB is in memory at a time."""
        self._sweeper.sweep()
        self._check_memory()
        for id, offsets in cursors.items():
            yield self._update(id, offsets)

    def stop(self, id: AttemptId, *, grace: float = 10.0) -> None:
        """Ask it to end: SIGTERM to its process group, SIGKILL after ``grace`` seconds. What waits never starts."""
        command = self._find(id)
        if command is None or (not command.alive() and command.folder.progress().began):
            return
        ending = command.folder.end(Phase.STOPPED, None, "stopped", grace)
        if command.alive():
            command.enforce(ending)

    def wait(self, timeout: float) -> None:
        """Sleep until a command ends, but no longer than its output may stay unread."""
        limit = min(timeout, _PAUSE) if self._commands else timeout
        poller = select.poll()
        watched = {command.pidfd: command for command in self._commands.values() if command.pidfd is not None}
        for descriptor in watched:
            poller.register(descriptor, select.POLLIN)
        for descriptor, _ in poller.poll(max(0.0, limit) * 1000):
            watched[descriptor].unwatch()  # an end wakes once, even if nobody polls that attempt any more

    def release(self, id: AttemptId, *, everything: bool = False) -> None:
        """Remove its checkpoint; ``everything``: end it if it runs, and remove its folder."""
        folder = AttemptFolder.of(self._root, id)
        if everything:
            self.stop(id, grace=0.0)
            self._forget(id)
            folder.remove(self._root)
        else:
            folder.release_checkpoint()

    def close(self) -> None:
        """Let go of all attempts, which run on. What ended ones left behind is killed."""
        for id in list(self._commands):
            self._forget(id)
        self._sweeper.leave(self)

    def _find(self, id: AttemptId) -> RunningCommand | None:
        """The attempt; out of its folder if this process does not know it yet."""
        command = self._commands.get(id)
        if command is None:
            folder = AttemptFolder.of(self._root, id)
            order = folder.order()
            if order is None:
                return None
            command = self._commands[id] = RunningCommand(folder, order)
        return command

    def _forget(self, id: AttemptId) -> None:
        command = self._commands.pop(id, None)
        if command is not None:
            command.unwatch()

    def _prepare(self, attempt: Attempt) -> bool:
        """Write down what is to run. False if another process was quicker."""
        folder = AttemptFolder.of(self._root, attempt.id)
        inherited = inheritance(self._root, attempt)
        order = order_for(attempt, folder, self._cwd, inherited.note)
        with folder.lock(make=True) as journal:
            if journal is None or folder.order() is not None:
                return False
            folder.prepare(journal, order, inherited.checkpoint)
        self._commands[attempt.id] = RunningCommand(folder, order)
        return True

    def _update(self, id: AttemptId, cursors: Mapping[str, Cursor]) -> Update:
        command = self._find(id)
        if command is None:
            return Update(id, Phase.LOST, "there is no trace of this attempt on this machine", FailureClass.LOST)
        outcome = self._look(command)
        chunks, more = command.source.read(cursors, outcome.phase.ended)
        update = Update(id, outcome.phase, outcome.reason, outcome.failure, chunks=chunks, more=more)
        return self._conclude(command, update) if outcome.phase.ended and not more else update

    def _conclude(self, command: RunningCommand, update: Update) -> Update:
        """The last update of an attempt, with what is told of its end."""
        self._forget(update.id)
        folder, order = command.folder, command.order
        message = log_tail(folder.log) if update.phase in (Phase.FAILED, Phase.LOST) else ""
        looked, problem = looked_at(command.source, order, folder), problem_of(order, folder)
        return replace(update, message=message, looked=looked, problem=problem)

    def _look(self, command: RunningCommand) -> Outcome:
        """Where an attempt is, after what is due was done: launch, deadline, limits, grace, left-behind processes."""
        folder = command.folder
        if command.alive():
            command.watch()
            command.enforce(folder.ending() or command.violation(self._log_limit))
            return _RUNNING
        progress, ending = folder.progress(), folder.ending()
        if not progress.began and ending is None:
            return self._launch(command)
        if command.ended is None:
            self._sweeper.expect()
        if command.left_behind(self._reaper) or folder.path in self._sweeper.left:
            return Outcome(Phase.RUNNING, "it has ended, and processes that it left behind are being ended")
        if progress.exit is not None and signal_of(progress.exit) is SIGKILL and ending is None:
            ending = self._blame_kernel(folder)
        return judge(ending, progress.exit)

    def _launch(self, command: RunningCommand) -> Outcome:
        folder, gpus = command.folder, command.order.gpus
        try:
            with folder.lock() as journal:
                if journal is None or folder.progress().began:
                    return _RUNNING  # another process was quicker
                grant = self._gpus.claim(folder.path, gpus) if gpus else None
                if grant is not None and not grant.devices:
                    return Outcome(Phase.WAITING, grant.reason)
                try:
                    command.spawn(journal, grant.devices if grant else ())
                except RunnerError as error:
                    append(journal, {"exit": 127, "reason": str(error)})
        except OSError as error:
            return Outcome(Phase.WAITING, f"it cannot be launched now: {error}")
        command.watch()
        return _RUNNING

    def _check_memory(self) -> None:
        """Request the end of attempts that use more memory than they may."""
        limited = {c.pid: c for c in self._commands.values() if c.order.memory and c.pid and c.alive()}
        if not limited or time.monotonic() < self._memory_due:
            return
        for pid, members in sessions(limited).items():
            folder, limit = limited[pid].folder, limited[pid].order.memory or 0
            used = memory_of(members, limit)
            if used > limit:
                reason = f"used {format_bytes(used)} of memory, the limit is {format_bytes(limit)}"
                folder.end(Phase.FAILED, FailureClass.OUT_OF_MEMORY, reason, 0.0)
        self._memory_due = time.monotonic() + _MEMORY_PAUSE

    def _blame_kernel(self, folder: AttemptFolder) -> Ending | None:
        """Record that the kernel killed the command for lack of memory, if it has killed one that nobody was blamed for
        since this runner began."""
        if oom_kills() <= self._oom_kills:
            return None
        self._oom_kills += 1
        reason = "killed by the system, which had run out of memory"
        return folder.end(Phase.FAILED, FailureClass.OUT_OF_MEMORY, reason, 0.0)


def _runs(folder: Path) -> bool:
    return AttemptFolder(folder).runs()
