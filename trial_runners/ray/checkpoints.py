"""The checkpoint of one attempt where those outlive their node: had before it begins, kept while it runs. Runs on the
nodes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from katib.core.errors import PermanentError
from katib.core.naming import load
from katib.core.trial import Attempt
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.ray.place import Here

# Loaded where there is a place alone: what it needs takes longer to import than a short trial takes.
_MODULE = "trial_runners.checkpoint_storage"


def open_storage(place: str) -> Any:
    """A CheckpointStorage. Raises PermanentError if no installed package knows such a URL, MissingExtraError."""
    return load("checkpoint storage", f"{_MODULE}:CheckpointStorage", {})(place)


class Checkpoints:
    """Does nothing where they are kept nowhere. attempt: as it is to be started."""

    def __init__(self, here: Here, attempt: Attempt) -> None:
        self.attempt = attempt
        self._here = here
        self._keeper: Any = None

    def begin(self) -> Attempt:
        """``fetch``, and keep what the attempt leaves from now on. Once more changes nothing."""
        if self._here.checkpoints and self._keeper is None:
            self.fetch()
            storage, folder = open_storage(self._here.checkpoints), self._folder
            self._keeper = load("checkpoint keeper", f"{_MODULE}:CheckpointKeeper", {})(
                storage, self.attempt.id, folder
            )
        return self.attempt

    def fetch(self) -> Attempt:
        """Bring what the attempt continues from. Returns it as it is to be started. Raises PermanentError, OSError."""
        if not self._here.checkpoints:
            return self.attempt
        try:
            found = open_storage(self._here.checkpoints).fetch(self.attempt, self._folder)
        except (PermanentError, OSError):
            raise
        except Exception as error:  # whatever a file system's client raises
            raise OSError(f"its checkpoint cannot be read: {error or type(error).__name__}") from error
        if found is not None:
            self.attempt = replace(self.attempt, parent=None)
        return self.attempt

    @property
    def _folder(self) -> Path:
        return AttemptFolder.of(self._here.root, self.attempt.id).checkpoint

    def close(self) -> str:
        """Keep its last state. Returns why that failed, empty if it did not."""
        if self._keeper is None:
            return ""
        self._keeper.close()
        return str(self._keeper.problem)
