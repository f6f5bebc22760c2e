"""A process namespace as the containers of a pod share it, without a cluster."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from trial_runners.kubernetes.collecting import SCRIPT


class Pod:
    """A process namespace, and containers in it: processes whose parent is outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        flags = ["--pid", "--mount-proc", "--fork", "--kill-child"]
        self._pause = subprocess.Popen(["unshare", *flags, "sleep", "600"])
        self.containers: list[subprocess.Popen[bytes]] = []
        deadline = time.monotonic() + 5
        children = Path(f"/proc/{self._pause.pid}/task/{self._pause.pid}/children")
        while not (inner := children.read_text().split()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self._inner = inner[0]

    def run(self, *command: str, **env: str) -> subprocess.Popen[bytes]:
        enter = ["nsenter", "--target", self._inner, "--pid", "--mount", "--", *command]
        process = subprocess.Popen(enter, stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"], **env})
        self.containers.append(process)
        return process

    def train(self, script: str, **env: str) -> subprocess.Popen[bytes]:
        return self.run("sh", "-c", script, KATIB_TRIAL_NAME="t", FILE=str(self.folder / "m.log"), **env)

    def echo(self, *words: str, kind: str = "file", path: str = "m.log") -> subprocess.Popen[bytes]:
        arguments = [kind, str(self.folder / path), str(self.folder / "message"), *words]
        process = self.run(sys.executable, "-I", "-S", "-u", "-c", SCRIPT, *arguments)
        time.sleep(0.3)  # a pod's containers start one after the other
        return process

    def message(self) -> str:
        return (self.folder / "message").read_text()

    def close(self) -> None:
        for process in [*self.containers, self._pause]:
            process.kill()
            process.wait()
