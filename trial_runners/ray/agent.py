"""The agent of a node: reads the folders of the attempts that ran there, for controllers that ask. Runs on the nodes.

It holds nothing that is not in those folders, so it may die and be started again at any time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import ray

from katib.core.ports import Phase, Update
from katib.core.trial import AttemptId, Cursor, FailureClass, Key
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.local import LocalRunner
from trial_runners.local.sources import Source, source_of
from trial_runners.output import CHUNK_BYTES, log_tail, read_part
from trial_runners.ray.checkpoints import open_storage
from trial_runners.ray.journal import Holder, Journal
from trial_runners.ray.place import Hello, Place, Told, Trace

IDLE_SECONDS = 900.0
"""Asked nothing for so long, and with nothing running, it ends."""

ANSWER_BYTES = 8 << 20
"""Of one answer, about; the rest comes with the next one."""

_LOOK_SECONDS = 2.0

Asked = Mapping[AttemptId, tuple[Mapping[str, Cursor], int | None]]
"""By attempt: the cursors, and how many bytes of its output the controller has (None: it needs none)."""


class Agent:
    """Answers for one node."""

    def __init__(self, place: Place) -> None:
        place.find_modules()
        self._here = place.here()
        self._local = LocalRunner(self._here.root, cwd=place.directory(), gpus=())
        self._sources: dict[AttemptId, Source] = {}
        self._running: dict[AttemptId, Holder] = {}
        self._asked = time.monotonic()
        self._lock = threading.RLock()
        threading.Thread(
            target=self._watch, args=(ray.get_runtime_context().current_actor,), name="katib-agent", daemon=True
        ).start()

    def hello(self) -> Hello:
        """Answers once it is there."""
        return Hello(self._here.node, os.getpid(), self._here.shared)

    def traces(self, key: Key) -> list[Trace]:
        """What is here of an experiment."""
        return list(self._traces(key))

    def poll(self, asked: Asked) -> dict[AttemptId, Told]:
        """What is new; nothing of those that are known to run and have nothing to say, which are most of many."""
        with self._lock:
            self._asked = time.monotonic()
            answers: dict[AttemptId, Told] = {}
            room = ANSWER_BYTES
            for id, (cursors, copied) in asked.items():
                if room <= 0:
                    answers[id] = Told(Update(id, Phase.RUNNING, more=True))
                    continue
                known = id in self._running
                told = self._tell(id, cursors, copied)
                room -= sum(len(chunk.data) for chunk in told.update.chunks) + len(told.log)
                if not known or told != Told(Update(id, Phase.RUNNING)):
                    answers[id] = told
            return answers

    def stop(self, id: AttemptId, grace: float) -> None:
        """Ask it to end, and make it after ``grace`` seconds. One that is yet to begin here never does."""
        with self._lock:
            folder = AttemptFolder.of(self._here.root, id)
            journal = Journal(folder.path)
            holder = journal.holder()
            if holder is not None and not journal.held():
                if not holder.function:
                    self._local.stop(id, grace=grace)
                return
            folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.end(Phase.STOPPED, None, "stopped", grace)
            self._enforce(folder, holder)

    def release(self, id: AttemptId, everything: bool) -> None:
        """Remove its checkpoint; ``everything``: end it, and remove its folder."""
        with self._lock:
            folder = AttemptFolder.of(self._here.root, id)
            if self._here.checkpoints:
                with contextlib.suppress(Exception):  # whatever a storage's client raises; one too many does no harm
                    open_storage(self._here.checkpoints).remove(id)
            if not everything:
                folder.release_checkpoint()
                return
            journal = Journal(folder.path)
            holder = journal.holder()
            if holder is not None and journal.held():
                _kill_group(holder)
            self._sources.pop(id, None)
            self._running.pop(id, None)
            self._local.release(id, everything=True)

    def _tell(self, id: AttemptId, cursors: Mapping[str, Cursor], copied: int | None) -> Told:
        folder = AttemptFolder.of(self._here.root, id)
        journal = Journal(folder.path)
        held = journal.held()  # asked before reading, so that nothing is missed of one that ends now
        holder = self._running.get(id) or journal.holder()
        if holder is None:
            return Told(Update(id, Phase.LOST, "its actor left no trace of it", FailureClass.LOST), unknown=True)
        if held:
            self._running[id] = holder
            self._enforce(folder, holder)
            update = self._running_update(id, folder, holder, cursors)
        elif holder.function:
            update = self._call_update(id, folder, holder, cursors)
        else:
            update = self._command_update(id, folder, cursors)
        if update.phase.ended and not update.more:
            self._sources.pop(id, None)
            self._running.pop(id, None)
        return _with_log(update, folder, copied if not self._here.shared else None)

    def _running_update(
        self, id: AttemptId, folder: AttemptFolder, holder: Holder, cursors: Mapping[str, Cursor]
    ) -> Update:
        if holder.function:
            chunk, more = Journal(folder.path).reports(cursors.get("reports", Cursor()), ended=False)
            return Update(id, Phase.RUNNING, chunks=(chunk,) if chunk is not None else (), more=more)
        source = self._sources.get(id)
        if source is None:
            order = folder.order()
            if order is None:
                return Update(id, Phase.RUNNING)
            source = self._sources[id] = source_of(order, folder)
        chunks, more = source.read(cursors, False)
        return Update(id, Phase.RUNNING, chunks=chunks, more=more)

    def _call_update(
        self, id: AttemptId, folder: AttemptFolder, holder: Holder, cursors: Mapping[str, Cursor]
    ) -> Update:
        journal = Journal(folder.path)
        chunk, more = journal.reports(cursors.get("reports", Cursor()), ended=True)
        chunks = (chunk,) if chunk is not None else ()
        end = journal.end()
        if end is not None:
            return end.update(id, chunks, more=more)
        if holder.node == self._here.node and not psutil.pid_exists(holder.pid):
            _kill_group(holder)  # what it left running
        if folder.ending() is not None:
            return Update(id, Phase.STOPPED, chunks=chunks, more=more)
        reason, message = "the actor that ran it died", log_tail(folder.log)
        return Update(id, Phase.LOST, reason, FailureClass.LOST, message, chunks=chunks, more=more)

    def _command_update(self, id: AttemptId, folder: AttemptFolder, cursors: Mapping[str, Cursor]) -> Update:
        end = Journal(folder.path).end()
        if end is not None and not folder.progress().began:
            return end.update(id)
        if folder.order() is None:
            return Update(id, Phase.LOST, "its actor died before its command began", FailureClass.LOST)
        if folder.ending() is None and (folder.runs() or not folder.progress().began):
            folder.end(Phase.LOST, FailureClass.LOST, "the actor that held its resources died", 0.0)
        (update,) = self._local.poll({id: cursors})
        return replace(update, problem=end.problem) if end is not None and update.phase.ended else update

    def _enforce(self, folder: AttemptFolder, holder: Holder | None) -> None:
        """End a call that let the grace of a request to stop pass. Commands are ended by their own actor."""
        ending = folder.ending()
        if ending is not None and holder is not None and holder.function and ending.overdue(time.time()):
            _kill_group(holder)

    def _traces(self, key: Key) -> Iterator[Trace]:
        for path in Path(self._here.root, *key).glob("*/*/actor.jsonl"):
            journal = Journal(path.parent)
            holder = journal.holder()
            if holder is not None and path.parent.name.isdigit():
                yield Trace(path.parent.parent.name, int(path.parent.name), holder.node, not journal.held())

    def _calls(self) -> bool:
        """Whether functions that it was asked for run still."""
        folders = {id: AttemptFolder.of(self._here.root, id).path for id in self._running}
        self._running = {id: holder for id, holder in self._running.items() if Journal(folders[id]).held()}
        return bool(self._running)

    def _watch(self, this: ray.actor.ActorHandle[Any]) -> None:
        """See that commands end with their actors, whoever asks or not, and end when nobody has asked for long."""
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._lock, contextlib.suppress(OSError):
                asked = self._asked
                commands = self._here.marked()
                for id in commands:
                    held = Journal(AttemptFolder.of(self._here.root, id).path).held()
                    if not held and self._tell(id, {}, None).update.phase.ended:
                        self._here.marker(id).unlink(missing_ok=True)
                if time.monotonic() - asked > IDLE_SECONDS and not commands and not self._calls():
                    ray.kill(this, no_restart=True)


def _with_log(update: Update, folder: AttemptFolder, copied: int | None) -> Told:
    if copied is None:
        return Told(update)
    data, size = read_part(folder.log, copied, CHUNK_BYTES)
    more = copied + len(data) < size
    return Told(replace(update, more=update.more or more), log=data, log_start=copied)


def _kill_group(holder: Holder) -> None:
    """End the process of an actor with its children, or the children that it left. Ray lets each lead a group of its
    own, or none at all."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(holder.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(holder.pid, signal.SIGKILL)
