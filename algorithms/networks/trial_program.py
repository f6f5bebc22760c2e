"""What the programs of trials have in common: how they print, what they find in their environment, how they end.

They end with 0, or with 2 where something that the user gave is wrong, which is printed in one line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from katib.core.errors import KatibError, PermanentError

SEED, CHECKPOINT_FOLDER = "KATIB_SEED", "KATIB_CHECKPOINT_DIR"
USAGE = 2  # exit status


def ended(program: Callable[[], None]) -> int:
    """Run ``program``; the exit status."""
    try:
        program()
    except KatibError as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE
    return 0


def say(line: str) -> None:
    """Print a line that a collector may read at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def trial_seed() -> int:
    """The seed that the trial was given, 0 outside of one. Raises PermanentError if it is no number."""
    text = os.environ.get(SEED, "").strip() or "0"
    try:
        return int(text)
    except ValueError:
        raise PermanentError(f"${SEED}: got {text!r}, expected a whole number") from None


def checkpoint_folder() -> Path | None:
    """The folder that the trial may keep its state in, None outside of one."""
    folder = os.environ.get(CHECKPOINT_FOLDER)
    return Path(folder) if folder else None
