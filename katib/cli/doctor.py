"""``katib doctor``: is this installation sound, and what would make it better."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from katib.cli.exits import FAILED, OK
from katib.cli.workshop import open_workshop, store_option
from katib.core.errors import KatibError
from katib.storage.home import default_home
from katib.storage.servers import without_password

PACKAGES = ("katib", "algorithms", "suggestion_service", "trial_runners", "benchmarks")
REQUIRED = (
    "numpy",
    "scipy",
    "optuna",
    "cmaes",
    "pydantic",
    "PyYAML",
    "SQLAlchemy",
    "alembic",
    "grpcio",
    "protobuf",
    "cloudpickle",
    "psutil",
    "google-re2",
    "google-crc32c",
    "prometheus-client",
)
DRIVERS = {"postgresql": ("postgres", "psycopg"), "mysql, mariadb": ("mysql", "PyMySQL")}  # kind -> extra, package
EXTRAS = {
    "skopt": ("scikit-optimize", "scikit-learn"),
    "plots": ("matplotlib",),
    "bench": ("scikit-learn", "onnxruntime", "matplotlib", "Jinja2"),
    "nas": ("torch", "scikit-learn", "onnx", "onnxscript"),
}


class Finding(NamedTuple):
    """One line of the report. level: ok, note or bad; bad ones make the exit status 1."""

    level: str
    about: str
    text: str


@click.command(short_help="Check this installation and say what is missing")
@store_option
def doctor(store: str) -> int:
    """Check the packages, the store and the folders that katib uses."""
    findings = [*_python(), *_packages(), *_libraries(), *_extras(), *_drivers(), *_storage(store)]
    for finding in findings:
        click.echo(f"{finding.level:<5} {finding.about:<20} {finding.text}")
    return FAILED if any(finding.level == "bad" for finding in findings) else OK


def _python() -> Iterator[Finding]:
    good = sys.version_info >= (3, 11)
    yield Finding("ok" if good else "bad", "python", f"{platform.python_version()} at {sys.executable}")
    yield Finding(
        "ok", "cpus", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    )


def _packages() -> Iterator[Finding]:
    """Where each of our packages comes from: a foreign package of the same name would shadow ours."""
    home = Path(importlib.util.find_spec("katib").origin or "").parents[1]  # type: ignore[union-attr]
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            yield Finding("bad", name, "not found")
        else:
            folder = Path(spec.origin).parent
            ours = folder.parent == home
            yield Finding("ok" if ours else "bad", name, f"{folder}{'' if ours else ' (a foreign package!)'}")


def _libraries() -> Iterator[Finding]:
    for name in REQUIRED:
        version = _version(name)
        yield Finding("ok" if version else "bad", name, version or "not installed")


def _extras() -> Iterator[Finding]:
    for extra, names in EXTRAS.items():
        missing = [name for name in names if not _version(name)]
        text = f"pip install 'katib-engine[{extra}]' brings {', '.join(missing)}" if missing else "installed"
        yield Finding("note" if missing else "ok", f"extra {extra}", text)


def _drivers() -> Iterator[Finding]:
    for kinds, (extra, package) in DRIVERS.items():
        version = _version(package)
        text = f"{package} {version}" if version else f"pip install 'katib-engine[{extra}]' brings {package}"
        yield Finding("ok" if version else "note", kinds, text)


def _storage(store: str) -> Iterator[Finding]:
    home = default_home()
    where = without_password(store) or home / "katib.db"
    yield Finding("ok" if _writable(home) else "bad", "folder", f"{home}")
    try:
        with open_workshop(store) as workshop:
            count = len(workshop.store.list(limit=1).items)
            yield Finding("ok", "store", f"{where} {'has experiments' if count else 'is empty'}")
    except (KatibError, OSError) as error:
        yield Finding("bad", "store", str(error))


def _writable(folder: Path) -> bool:
    """Whether the folder can be written to, or made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return os.access(folder, os.W_OK)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
