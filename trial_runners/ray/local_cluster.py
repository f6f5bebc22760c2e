"""The process of a local Ray: ``python -m trial_runners.ray.local_cluster FILE LOCK``.

It writes its address to FILE and serves until nobody holds LOCK, which each controller does, and no trial runs. All
of it listens on loopback alone.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

# What Ray's own variable does on Windows and macOS: it binds to loopback, and to nothing that a network can reach.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_raylet_start_wait_time_s", "100")  # a busy machine takes its time
# Where many actors come up on few cores, each takes long to register; Ray would give it up after 60 s and start another
# one beside it, which makes all of them slower still.
os.environ.setdefault("RAY_worker_register_timeout_seconds", "600")

import psutil
import ray

from trial_runners.ray.names import NAMESPACE, is_trial

_LOOK_SECONDS = 0.5
_ENDING_SECONDS = 3.0  # nobody used it for so long


def main(file: Path, lock: Path) -> None:
    """Serve until it is not needed any more."""
    signal.signal(signal.SIGTERM, _leave)
    ray.init("local", namespace=NAMESPACE, include_dashboard=False, log_to_driver=False, logging_level=logging.WARNING)
    try:
        facts = {
            "address": ray.get_runtime_context().gcs_address,
            "pid": os.getpid(),
            "began": psutil.Process().create_time(),
        }
        aside = file.with_suffix(".partial")
        aside.write_text(json.dumps(facts), encoding="utf-8")
        aside.replace(file)
        _serve(lock)
    finally:
        file.unlink(missing_ok=True)
        ray.shutdown()


def _serve(path: Path) -> None:
    """Returns with the lock, so that a controller that comes then waits until all is gone, and starts another one."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    unused = 0
    while True:
        time.sleep(_LOOK_SECONDS)
        unused = unused + 1 if _locked(descriptor) and not _busy() else 0
        if unused * _LOOK_SECONDS >= _ENDING_SECONDS:
            return
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _locked(descriptor: int) -> bool:
    """Take the lock; False if a controller has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _busy() -> bool:
    """Whether actors that run trials are there."""
    actors = ray.util.list_named_actors(all_namespaces=True)
    return any(actor["namespace"] == NAMESPACE and is_trial(actor["name"]) for actor in actors)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
