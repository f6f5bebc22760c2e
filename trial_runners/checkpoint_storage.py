"""Checkpoints that outlive the node they were written on: in a folder that all nodes share, or behind any fsspec URL.

``<place>/<namespace>/<experiment>/<trial>/<attempt>.tar`` holds the newest whole state of an attempt's checkpoint. It
appears all at once: a store of objects shows an object once it is complete, in a file system it is written aside and
renamed. A state is taken while nothing in the folder changes; one that changed meanwhile is dropped, and taken again at
the next look.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tarfile
import tempfile
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import fsspec

from katib.core.errors import PermanentError
from katib.core.trial import Attempt, AttemptId
from trial_runners.attempt_folder import attempt_names

LOOK_SECONDS = 1.0
"""Between two looks at a checkpoint folder; what has changed within the last of them is not taken yet."""

_PAUSES_PER_SAVE = 10  # a tenth of the time at most is spent on saving

State = tuple[tuple[str, int, int], ...]


class CheckpointStorage:
    """Saves and restores checkpoint folders. Usable from several processes at once."""

    def __init__(self, place: str) -> None:
        """place: a folder or a URL. Raises PermanentError if no installed package knows such a URL."""
        try:
            self._files, self._root = fsspec.core.url_to_fs(place)
        except (ImportError, ValueError) as error:
            raise PermanentError(f"checkpoints at {place!r}: {error}") from error
        self._local = "file" in _protocols(self._files)

    def fetch(self, attempt: Attempt, folder: Path) -> AttemptId | None:
        """Make ``folder`` what the attempt begins from: the checkpoint of its trial's last attempt that left one, else
        that of its parent. Returns whose it was, None if there is none; nothing is made then.

        Raises OSError.
        """
        earlier = [AttemptId(attempt.id.key, attempt.id.trial, n) for n in range(attempt.id.attempt - 1, 0, -1)]
        for id in [*earlier, *([attempt.parent] if attempt.parent else [])]:
            if self.restore(id, folder):
                return id
        return None

    def restore(self, id: AttemptId, folder: Path) -> bool:
        """Make ``folder`` the saved state of an attempt; False, and nothing made, if none was saved. Raises OSError."""
        aside = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(aside, ignore_errors=True)
        try:
            with self._files.open(self._path(id), "rb") as file, tarfile.open(fileobj=file, mode="r|") as archive:
                aside.mkdir(mode=0o700, parents=True)
                archive.extractall(aside, filter="data")
        except FileNotFoundError:
            return False
        except tarfile.TarError as error:
            raise OSError(f"the checkpoint of {id.trial}, attempt {id.attempt}, is damaged: {error}") from error
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
        return True

    def save(self, id: AttemptId, folder: Path) -> bool:
        """Keep the state of ``folder``. False if there is nothing in it, or it changed meanwhile. Raises OSError."""
        before = state_of(folder)
        if not before:
            return False
        with tempfile.TemporaryFile() as packed:
            try:
                with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
                    for name in sorted(os.listdir(folder)):
                        archive.add(folder / name, arcname=name)
            except FileNotFoundError:
                return False
            if state_of(folder) != before:
                return False
            packed.seek(0)
            self._publish(packed, self._path(id))
        return True

    def remove(self, id: AttemptId) -> None:
        """Forget the attempt's checkpoint, if there is one. Raises OSError."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._path(id))

    def _path(self, id: AttemptId) -> str:
        return "/".join((self._root.rstrip("/"), *attempt_names(id))) + ".tar"

    def _publish(self, packed: Any, path: str) -> None:
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        if not self._local:
            with self._files.transaction, self._files.open(path, "wb") as file:
                shutil.copyfileobj(packed, file)
            return
        aside = f"{path}.{uuid.uuid4().hex}.partial"
        try:
            with open(aside, "wb") as file:
                shutil.copyfileobj(packed, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(aside, path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(aside)


class CheckpointKeeper:
    """Saves an attempt's checkpoint folder whenever it has changed and is quiet, and once more at the end."""

    def __init__(self, storage: CheckpointStorage, id: AttemptId, folder: Path) -> None:
        """Starts a thread; ``close`` ends it."""
        self._storage = storage
        self._id = id
        self._folder = folder
        self._saved: State = state_of(folder)
        self._own = False  # something was saved under its own name
        self._over = threading.Event()
        self.problem = ""
        self._thread = threading.Thread(target=self._keep, name="checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Nothing writes to the folder any more: save its last state. ``problem`` says why that failed, if it did."""
        self._over.set()
        self._thread.join()
        if not self._own:
            self._saved = ()  # whoever continues this attempt finds under its name what it began from, at least
        self._save(state_of(self._folder))

    def _keep(self) -> None:
        seen, pause = self._saved, LOOK_SECONDS
        while not self._over.wait(pause):
            state = state_of(self._folder)
            began = time.monotonic()
            if state == seen:
                self._save(state)
            seen = state
            pause = max(LOOK_SECONDS, _PAUSES_PER_SAVE * (time.monotonic() - began))

    def _save(self, state: State) -> None:
        """Save what is there if it is new. Trouble with the storage is not the trial's: it is tried again later."""
        if state == self._saved:
            return
        try:
            if self._storage.save(self._id, self._folder):
                self._saved, self._own = state, True
            self.problem = ""
        except Exception as error:  # whatever a file system's client raises
            self.problem = f"the checkpoint cannot be saved: {error or type(error).__name__}"


def state_of(folder: Path) -> State:
    """Files below ``folder`` as (path, bytes, time of the last change in ns), in order; empty without any."""
    found: list[tuple[str, int, int]] = []
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                file = os.path.join(path, name)
                status = os.lstat(file)
                found.append((os.path.relpath(file, folder), status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))


def _protocols(files: Any) -> tuple[str, ...]:
    protocol = files.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
