"""Begins an attempt with what it continues from: the program of an init container that sees the checkpoints of its
experiment. Arguments: the attempt's folder; those that it may inherit from, of which the first that holds something
counts; then, behind ``--``, folders that nothing will continue from, which are removed.

This file is all that is passed to ``python3 -I -S -c``: it needs Python 3.7 and its standard library only.
"""

from __future__ import annotations

import os
import shutil
import sys


def main(target: str, candidates: list[str]) -> None:
    """Copies aside and renames, so that the folder is never half a copy; one that holds something stays."""
    if os.path.isdir(target) and os.listdir(target):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    for candidate in candidates:
        if os.path.isdir(candidate) and os.listdir(candidate):
            aside = target + ".partial"
            shutil.rmtree(aside, ignore_errors=True)
            shutil.copytree(candidate, aside, symlinks=True)
            os.rename(aside, target)
            sys.stdout.write(f"katib: begins with a copy of {candidate}\n")
            return
    os.makedirs(target, exist_ok=True)
    sys.stdout.write(f"katib: no checkpoint in {', '.join(candidates)} to continue from\n")


if __name__ == "__main__":
    end = sys.argv.index("--")
    main(sys.argv[1], sys.argv[2:end])
    for folder in sys.argv[end + 1 :]:
        shutil.rmtree(folder, ignore_errors=True)
