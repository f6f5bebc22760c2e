"""Programs that the workers of a test run share: each is started when first asked for, and ended when the last worker
that uses it has ended, however it did: each holds the writing end of a pipe that the program reads until its end."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


class SharedPrograms:
    """The shared programs of one test run."""

    def __init__(self, folder: Path) -> None:
        """folder: one that all workers of the run know."""
        self._folder = folder
        self._said: dict[str, dict[str, Any]] = {}
        self._held: list[int] = []

    def get(self, name: str, *command: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The line of JSON that the program ``name`` printed when it was ready. command: arguments to Python that
        start it, if it does not run. environment: variables that it gets beside those of this process."""
        if name not in self._said:
            with (self._folder / f"{name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._said[name] = json.loads(self._join(name) or self._start(name, command, environment or {}))
        return self._said[name]

    def let_go(self) -> None:
        """This process needs them no more."""
        for pipe in self._held:
            os.close(pipe)
        self._said.clear()

    def _join(self, name: str) -> str | None:
        try:
            self._held.append(os.open(self._folder / f"{name}.pipe", os.O_WRONLY | os.O_NONBLOCK))
        except OSError:  # there is no pipe, or nobody reads it
            return None
        return (self._folder / f"{name}.json").read_text()

    def _start(self, name: str, command: tuple[str, ...], environment: Mapping[str, str]) -> str:
        pipe = self._folder / f"{name}.pipe"
        pipe.unlink(missing_ok=True)
        os.mkfifo(pipe, 0o600)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self._held.append(os.open(pipe, os.O_WRONLY))
        os.set_blocking(reader, True)
        keeper = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            stdin=reader,
            stdout=subprocess.PIPE,
            env={**os.environ, **environment},
            text=True,
            start_new_session=True,  # an interrupt of the tests is not for it: it ends with them
        )
        os.close(reader)
        line = keeper.stdout.readline()
        assert line, f"{name} did not start"
        (self._folder / f"{name}.json").write_text(line)
        return line
