"""A rival's process: one line to it, one line from it, on one core and within a time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Timer
from typing import IO, Any

from katib.core.errors import AlgorithmError

_SERVE = Path(__file__).parent / "adapters" / "serve.py"
_TOLD = 2000  # characters of its standard error that an error tells
_LEAVE = 2.0  # seconds to end by itself
# One core for everybody; sets of texts in one order, so that runs repeat.
_VARIABLES = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "PYTHONHASHSEED": "0",
    "PYTHONUNBUFFERED": "1",
}


class RivalProcess:
    """The process of an adapter, in a group of its own. Raises AlgorithmError where it cannot be started."""

    def __init__(self, python: str, adapter: str, longest: float) -> None:
        """longest: seconds that an answer may take; then it is killed."""
        self._longest = longest
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                [python, "-P", str(_SERVE), adapter],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env=_environment(os.environ),
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        except OSError as error:
            self._errors.close()
            raise AlgorithmError(f"{python} cannot be started: {error}") from error

    def answer(self, kind: str, content: Any) -> Mapping[str, Any]:
        """What it answers. Raises AlgorithmError if that is an error, no answer, or comes too late."""
        late: list[bool] = []
        timer = Timer(self._longest, _end_late, (self._kill, late))
        timer.daemon = True
        timer.start()
        try:
            line = self._exchange(json.dumps({kind: content}))
        finally:
            timer.cancel()
        if late:
            raise AlgorithmError(f"no answer within {self._longest:g} seconds")
        if not line:
            self.close()
            status = self._process.returncode
            raise AlgorithmError(f"its process ended: {self._last_words() or f'exit status {status}, without a word'}")
        try:
            answer: Mapping[str, Any] = json.loads(line)
        except ValueError as error:
            raise AlgorithmError(f"no answer of the protocol: {line[:_TOLD]!r}") from error
        if "error" in answer:
            raise AlgorithmError(str(answer["error"]))
        return answer

    def close(self) -> None:
        """End the process, which ends by itself unless it is at work."""
        with suppress(OSError):
            self._stdin.close()
        try:
            self._process.wait(_LEAVE)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()
        self._stdout.close()

    def _exchange(self, request: str) -> str:
        try:
            self._stdin.write(f"{request}\n")
            self._stdin.flush()
            return self._stdout.readline()
        except (OSError, ValueError):  # it is gone; a pipe that was closed is a ValueError
            return ""

    @property
    def _stdin(self) -> IO[str]:
        if self._process.stdin is None:
            raise RuntimeError("the rival was started without pipes")
        return self._process.stdin

    @property
    def _stdout(self) -> IO[str]:
        if self._process.stdout is None:
            raise RuntimeError("the rival was started without pipes")
        return self._process.stdout

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _last_words(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _TOLD))
        return self._errors.read().decode(errors="replace").strip()


def _end_late(kill: Callable[[], None], late: list[bool]) -> None:
    late.append(True)
    kill()


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """That of this process, without its Python's own settings."""
    return {name: value for name, value in environ.items() if not name.startswith("PYTHON")} | _VARIABLES
