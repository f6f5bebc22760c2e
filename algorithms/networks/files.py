"""Files that are there as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_aside(file: Path) -> Iterator[Path]:
    """A path beside ``file`` to write to, which takes its place once all of it is written. Folders are made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        yield aside
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)
