"""The checkpoint of one attempt where those outlive their node: had before it begins, kept while it runs. Runs on the
nodes."""

from __future__ import annotations

from dataclasses import replace

from katib.core.trial import Attempt
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.checkpoint_storage import CheckpointKeeper, CheckpointStorage
from trial_runners.ray.place import Here


class Checkpoints:
    """Does nothing where they are kept nowhere."""

    def __init__(self, here: Here, attempt: Attempt) -> None:
        self._here = here
        self._attempt = attempt
        self._keeper: CheckpointKeeper | None = None

    def begin(self) -> Attempt:
        """Bring what the attempt continues from, and keep what it leaves from now on. Returns the attempt as it is to
        be started. Raises PermanentError, OSError."""
        if not self._here.checkpoints:
            return self._attempt
        storage = CheckpointStorage(self._here.checkpoints)
        folder = AttemptFolder.of(self._here.root, self._attempt.id).checkpoint
        found = storage.fetch(self._attempt, folder)
        self._keeper = CheckpointKeeper(storage, self._attempt.id, folder)
        return replace(self._attempt, parent=None) if found is not None else self._attempt

    def close(self) -> str:
        """Keep its last state. Returns why that failed, empty if it did not."""
        if self._keeper is None:
            return ""
        self._keeper.close()
        return self._keeper.problem
