"""A collector of one's own: follows a table that a trial writes, and prints what stands in it, a line a row.

It runs beside the trial and is ended with it.
"""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def follow(path: Path) -> Iterator[str]:
    """The lines of a file, as they come; never ends."""
    while not path.exists():
        time.sleep(0.1)
    with path.open(newline="") as file:
        half = ""
        while True:
            half += file.readline()
            if half.endswith("\n"):
                yield half
                half = ""
            else:
                time.sleep(0.1)


for row in csv.DictReader(follow(Path(sys.argv[1]))):
    print(*(f"{name}={value}" for name, value in row.items()), flush=True)
