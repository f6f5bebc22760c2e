"""Attempts for the local runner's tests: jobs around a command, and ways to see what of them still runs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from katib.core.collector import CollectorSpec
from katib.core.trial import Attempt, AttemptId
from tests.contracts.runner_contract import RunnerAdapter, attempt_id
from trial_runners.local import LocalRunner
from trial_runners.local.processes import marked


def job(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    limits: Mapping[str, Any] | None = None,
    deadline: int | None = None,
    working_dir: str | None = None,
) -> dict[str, object]:
    """A Kubernetes Job with one container called ``main``, whose command comes out as ``argv``."""
    words = [word.replace("$", "$$") for word in argv]  # Kubernetes takes $$ for $, to tell it from $(VARIABLE)
    container: dict[str, object] = {"name": "main", "image": "example/image", "command": words}
    if env:
        container["env"] = [{"name": name, "value": value} for name, value in env.items()]
    if limits:
        container["resources"] = {"limits": dict(limits)}
    if working_dir:
        container["workingDir"] = working_dir
    spec: dict[str, object] = {"template": {"spec": {"containers": [container]}}}
    if deadline is not None:
        spec["activeDeadlineSeconds"] = deadline
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": spec}


def command(
    argv: Sequence[str],
    *,
    id: AttemptId | None = None,
    collector: CollectorSpec = CollectorSpec(),
    **rest: Any,
) -> Attempt:
    """An attempt that runs ``argv``, and measures ``loss``."""
    given = {name: rest.pop(name) for name in ("parent", "checkpoint_path") if name in rest}
    run = job(argv, **rest)
    return Attempt(id or attempt_id(), 0, {}, run, "main", collector=collector, metrics=("loss",), **given)


def shell(script: str, **rest: Any) -> Attempt:
    """An attempt that runs a shell script."""
    return command(["/bin/sh", "-c", script], **rest)


def python(script: str, **rest: Any) -> Attempt:
    """An attempt that runs a Python program."""
    return command([sys.executable, "-c", script], **rest)


def living(root: Path) -> list[psutil.Process]:
    """Processes of any attempt below ``root``."""
    return [process for processes in marked(root.resolve()).values() for process in processes]


@contextmanager
def nothing_left(root: Path) -> Iterator[None]:
    """Ends all processes of attempts below ``root`` afterwards, whatever the test did."""
    try:
        yield
    finally:
        for process in living(root):
            with suppress(psutil.NoSuchProcess):  # it may end by itself meanwhile
                process.kill()


class LocalAdapter(RunnerAdapter):
    """The contract's attempts as shell commands."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self) -> LocalRunner:
        return LocalRunner(self.root, gpus=())

    def append_line(self, id: AttemptId, path: Path) -> Attempt:
        return shell(f"echo line >>{shlex.quote(str(path))}", id=id)

    def fail(self, id: AttemptId) -> Attempt:
        return shell("echo something went wrong >&2; exit 3", id=id)

    def sleep(self, id: AttemptId, seconds: float) -> Attempt:
        return shell(f"exec sleep {seconds}", id=id)

    def ignore_stop(self, id: AttemptId, seconds: float, ready: Path) -> Attempt:
        return shell(f"trap '' TERM; : >{shlex.quote(str(ready))}; sleep {seconds}", id=id)

    def print_text(self, id: AttemptId, text: str) -> Attempt:
        return command([sys.executable, "-c", "import sys; sys.stdout.buffer.write(sys.argv[1].encode())", text], id=id)
