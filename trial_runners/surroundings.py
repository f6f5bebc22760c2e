"""Where the attempts of function runners keep their things: the same folders that commands have."""

from __future__ import annotations

import shutil
from pathlib import Path

from katib.core.trial import Attempt, AttemptId
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.inheritance import inheritance
from trial_runners.objective_call import CHECKPOINT_DIR, Surroundings


def surroundings_of(attempt: Attempt, root: Path | None) -> Surroundings:
    """What the attempt's objective finds around it. root: folder of all attempts; without one there is nothing
    of it, and a trial costs a few microseconds less.

    Raises RunnerError for a name that cannot name a folder.
    """
    if root is None:
        return Surroundings({}, number=attempt.number, seed=attempt.seed)
    folder = AttemptFolder.of(root, attempt.id)
    environment = {
        "KATIB_NAMESPACE": attempt.id.key.namespace,
        "KATIB_EXPERIMENT_NAME": attempt.id.key.name,
        "KATIB_TRIAL_NAME": attempt.id.trial,
        "KATIB_ATTEMPT": str(attempt.id.attempt),
        "KATIB_SEED": str(attempt.seed),
        CHECKPOINT_DIR: str(folder.checkpoint),
    }
    inherited = inheritance(root, attempt)
    if inherited.note:
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.log.write_text(inherited.note + "\n", encoding="utf-8")
    checkpoint = str(inherited.checkpoint or "")
    return Surroundings(environment, checkpoint, str(folder.log), attempt.number, attempt.seed)


def remove(id: AttemptId, root: Path | None, *, everything: bool) -> None:
    """Remove the attempt's checkpoint; ``everything``: its folder."""
    if root is None:
        return
    folder = AttemptFolder.of(root, id)
    if everything:
        folder.remove(root)
    else:
        shutil.rmtree(folder.checkpoint, ignore_errors=True)
