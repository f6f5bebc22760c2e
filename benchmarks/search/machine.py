"""The machine that measurements were made on, and versions of packages."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PROCESSORS = Path("/proc/cpuinfo")  # Linux


@cache
def machine() -> str:
    """Processor and number of its cores, in words."""
    return f"{_processor()}, {os.cpu_count()} cores"


def _processor() -> str:
    if _PROCESSORS.exists():
        for line in _PROCESSORS.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


@cache
def installed(packages: tuple[str, ...]) -> dict[str, str]:
    """Version of each of the packages that is installed here."""
    return dict(_versions(packages))


def _versions(packages: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in packages:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
