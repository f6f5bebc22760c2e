"""What attempts on other machines printed, in the runner's own folders, so that ``katib logs`` finds it."""

from __future__ import annotations

from pathlib import Path

from katib.core.trial import AttemptId
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.ray.place import Told


class Logs:
    """Copies below ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def copied(self, id: AttemptId) -> int:
        """Bytes of an attempt's output that are here."""
        log = AttemptFolder.of(self._root, id).log
        return log.stat().st_size if log.exists() else 0

    def add(self, told: Told) -> None:
        """Keep what is new here of the output in an answer."""
        if told.log:
            log = AttemptFolder.of(self._root, told.update.id).log
            log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(log, "ab") as file:
                file.write(told.log[max(0, file.tell() - told.log_start) :])
