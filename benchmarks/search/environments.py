"""Where rivals live: an environment for each package, with every version in it pinned, beside this project's own.

The pins of ``pins/NAME.txt`` are the whole of an environment, what packages depend on included, so pip follows no
dependencies: what is installed is the same today and next year. It lies in ``~/.cache/katib-bench/NAME-HASH``, or in
the folder that the environment variable ``KATIB_BENCH_ENVIRONMENTS`` names, where the hash is of the pins and
Python's version; it is made aside and renamed once its package can be imported. What pip wrote lies beside it in
``NAME-HASH.log``, and why it failed, if it did, in ``NAME-HASH.failed``.

Where the index's torch is a build with CUDA, whose libraries are no part of the pins, let ``PIP_EXTRA_INDEX_URL`` name
an index with builds for CPUs alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from katib.core.errors import PermanentError, UnavailableError

_PINS = Path(__file__).parent / "pins"
_VARIABLE = "KATIB_BENCH_ENVIRONMENTS"
_LONGEST_INSTALL = 3600.0  # seconds


class State(StrEnum):
    """Whether rivals of an environment can run."""

    INSTALLED = "installed"
    ABSENT = "absent"
    FAILED = "failed"


class Status(NamedTuple):
    """detail: what is missing, or the error of the installation; empty where it is installed."""

    state: State
    detail: str = ""


class NoEnvironmentError(PermanentError):
    """A rival's packages are not installed; says how to get them, or why that failed."""


@dataclass(frozen=True)
class Environment:
    """One environment. modules: what is imported of it. own: it is that of this process, where optional packages may be
    missing; else it has pins. folder: where the file with its pins is, None for beside this module."""

    name: str
    modules: tuple[str, ...]
    own: bool = False
    folder: Path | None = None

    @property
    def pins(self) -> str:
        """Its requirements, as pip reads them."""
        return ((self.folder or _PINS) / f"{self.name}.txt").read_text()


def folder_of_environments(environ: Mapping[str, str] = os.environ) -> Path:
    """Where environments lie unless an option says otherwise."""
    return Path(environ.get(_VARIABLE) or Path.home() / ".cache" / "katib-bench")


def path_of(environment: Environment, root: Path | None = None) -> Path:
    """Where it lies, or would."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(f"{version}\n{environment.pins}".encode()).hexdigest()
    return (root or folder_of_environments()) / f"{environment.name}-{digest[:12]}"


def status_of(environment: Environment, root: Path | None = None) -> Status:
    """Whether it is there."""
    if environment.own:
        missing = [module for module in environment.modules if importlib.util.find_spec(module) is None]
        return Status(State.ABSENT, f"not installed: {', '.join(missing)}") if missing else Status(State.INSTALLED)
    path = path_of(environment, root)
    if path.exists():
        return Status(State.INSTALLED)
    failure = path.with_name(f"{path.name}.failed")
    if failure.exists():
        return Status(State.FAILED, failure.read_text().strip())
    return Status(State.ABSENT, f"install it with: katib bench install {environment.name}")


def python_of(environment: Environment, root: Path | None = None) -> str:
    """Its interpreter. Raises NoEnvironmentError where it is not installed."""
    status = status_of(environment, root)
    if status.state is not State.INSTALLED:
        raise NoEnvironmentError(f"environment {environment.name!r} is {status.state}: {status.detail}")
    return sys.executable if environment.own else str(path_of(environment, root) / "bin" / "python")


def install(environment: Environment, root: Path | None = None) -> Status:
    """Make it, unless it is there; a failure is remembered, and its next installation tries again.

    Raises NoEnvironmentError of one that is this process's own and lacks packages.
    """
    before = status_of(environment, root)
    if before.state is State.INSTALLED:
        return before
    if environment.own:
        raise NoEnvironmentError(f"{environment.name}: {before.detail}; install it where this project is installed")
    path = path_of(environment, root)
    failure = path.with_name(f"{path.name}.failed")
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        error = _make(environment, aside, path.with_name(f"{path.name}.log"))
        if error:
            failure.write_text(f"{error}\n")
        else:
            _put(aside, path)
            failure.unlink(missing_ok=True)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return status_of(environment, root)


def _make(environment: Environment, folder: Path, log: Path) -> str:
    """Create, fill and try it; the error in words, empty if there is none."""
    python, pins = str(folder / "bin" / "python"), folder / "pins.txt"
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps", "--requirement", str(pins)]
    tried = [python, "-P", "-c", "; ".join(f"import {module}" for module in environment.modules)]
    steps = ([sys.executable, "-m", "venv", str(folder)], pip, tried)
    with log.open("w") as output:
        for step in steps:
            try:
                subprocess.run(
                    step, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=_LONGEST_INSTALL, check=True
                )
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                return _cause(log.read_text(errors="replace"), step is pip) or str(error)
            pins.write_text(environment.pins)
    return ""


def _cause(output: str, pip: bool) -> str:
    """What went wrong, in the words of the program that ended last: pip's lines of errors, of others the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return "\n".join([line for line in lines if pip and line.startswith("ERROR")] or lines[-1:])


def _put(aside: Path, path: Path) -> None:
    """Rename it into place, where another process may have put the same meanwhile."""
    try:
        aside.rename(path)
    except OSError as error:
        if not path.exists():
            raise UnavailableError(f"{path} cannot be written: {error}") from error
