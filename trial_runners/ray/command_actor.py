"""The actor of one trial that is a command: it holds the resources, and runs the command as the local runner does.
Runs on the nodes.

The command ends with its actor: the agent of the node sees to that. GPUs are those that Ray has given the actor.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ray

from katib.core.errors import KatibError, RetryableError
from katib.core.ports import Chunk, Phase, Update
from katib.core.trial import Attempt, AttemptId, Cursor, FailureClass
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.local import LocalRunner
from trial_runners.ray.checkpoints import Checkpoints
from trial_runners.ray.journal import SMALL, End, Holder, OpenJournal
from trial_runners.ray.place import Hello, Place, Told
from trial_runners.ray.slot import told

UNASKED_SECONDS = 120.0
"""An actor that is not asked to run for so long was made by a controller that died before."""

LINGER_SECONDS = 5.0
"""After the end of its command it waits so long for its controller to take the answer and to end it."""


class CommandActor:
    """Runs one command."""

    def __init__(self, attempt: Attempt, place: Place) -> None:
        place.find_modules()
        self._here = place.here()
        self._attempt = replace(attempt, run=without_gpus(attempt.run))
        self._directory = place.directory()
        self._asked = False
        self._kill_later(UNASKED_SECONDS, unless_asked=True)

    def hello(self) -> Hello:
        """Answers once it is there."""
        return Hello(self._here.node, os.getpid(), self._here.shared)

    def run(self) -> Told | None:
        """Run it to its end; None if its folder has more to say of it than fits in here, or it was run before."""
        self._asked = True
        folder = AttemptFolder.of(self._here.root, self._attempt.id)
        journal = OpenJournal.begin(folder.path, Holder(False, os.getpid(), self._here.node))
        try:
            return self._run(folder, journal) if journal is not None else None
        finally:
            self._kill_later(LINGER_SECONDS)

    def _run(self, folder: AttemptFolder, journal: OpenJournal) -> Told | None:
        marker = self._here.marker(self._attempt.id)
        marker.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        marker.touch()
        checkpoints = Checkpoints(self._here, self._attempt)
        local = LocalRunner(self._here.root, cwd=self._directory, gpus=())
        try:
            local.start(checkpoints.begin())
            update, whole = _follow(local, self._attempt.id)
        except (KatibError, OSError) as error:
            ours = isinstance(error, (RetryableError, OSError))
            failure = FailureClass.INFRASTRUCTURE if ours else FailureClass.USER_ERROR
            update, whole = Update(self._attempt.id, Phase.FAILED, str(error), failure), True
        local.close()
        problem = "; ".join(filter(None, (update.problem, checkpoints.close())))
        update = replace(update, problem=problem)
        journal.end(End(update.phase, update.reason, update.failure, update.message, problem))
        marker.unlink(missing_ok=True)
        return told(update, folder, shared=self._here.shared) if whole else None

    def _kill_later(self, seconds: float, *, unless_asked: bool = False) -> None:
        """Give the resources back after some time."""
        this = ray.get_runtime_context().current_actor

        def kill() -> None:
            if not (unless_asked and self._asked):
                ray.kill(this, no_restart=True)

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()


def without_gpus(tree: Any) -> Any:
    """A rendered job without its limits of GPUs, which Ray has seen to."""
    if isinstance(tree, Mapping):
        return {
            name: {key: amount for key, amount in value.items() if not str(key).endswith("/gpu")}
            if name in ("limits", "requests") and isinstance(value, Mapping)
            else without_gpus(value)
            for name, value in tree.items()
        }
    return [without_gpus(item) for item in tree] if isinstance(tree, list) else tree


def _follow(local: LocalRunner, id: AttemptId) -> tuple[Update, bool]:
    """See the command to its end: deadline, limits and requests to stop are looked after on the way. Its last update,
    and whether all that it wrote is in it, which is so if that is short."""
    cursors: dict[str, Cursor] = {}
    kept: list[Chunk] = []
    size = 0
    while True:
        (update,) = local.poll({id: cursors})
        for chunk in update.chunks:
            cursors[chunk.source] = Cursor(chunk.start.offset + len(chunk.data))
            size += len(chunk.data)
            if size <= SMALL:
                kept.append(chunk)
        if update.phase.ended and not update.more:
            return replace(update, chunks=_merged(kept)), size <= SMALL
        local.wait(0.5)


def _merged(chunks: list[Chunk]) -> tuple[Chunk, ...]:
    """One chunk a source."""
    merged: dict[str, Chunk] = {}
    for chunk in chunks:
        first = merged.get(chunk.source)
        if first is None or chunk.start.offset == 0:  # a file that was written anew begins anew
            merged[chunk.source] = chunk
        else:
            merged[chunk.source] = chunk._replace(start=first.start, data=first.data + chunk.data, time=time.time())
    return tuple(merged.values())
