"""The Ray that trials run on: one that this process has joined already, one at an address, or one of its own.

One of its own is a process of its own (``local_cluster``), so that it outlives a controller that is killed; the next
controller on the same root finds it by the file ``.ray-cluster.json`` there. It ends by itself when no controller holds
the lock beside that file any more and no trial runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import ipaddress
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import ray
from ray._private import ray_constants

from katib.core.errors import UnavailableError
from trial_runners.ray.names import NAMESPACE

_FILE = ".ray-cluster.json"
_LOCK = ".ray-cluster.lock"
_START_SECONDS = 120.0
_CONNECT_SECONDS = 10.0


class Connection:
    """This process's connection to Ray, made by the first runner that needs it and given up by the last.

    lock: says that a Ray of its own is in use, -1 without one.
    """

    _current: Connection | None = None

    def __init__(self, lock: int) -> None:
        self._lock = lock
        self._users = 0

    @classmethod
    def shared(cls, root: Path, address: str) -> Connection | None:
        """The connection, made if there is none; None if others in this process have connected it. Raises
        UnavailableError if Ray cannot be reached, or started."""
        if not ray.is_initialized():
            cls._current = cls(_connect(root, address or os.environ.get("RAY_ADDRESS", "")))
        if cls._current is not None:
            cls._current._users += 1
        return cls._current

    def leave(self) -> None:
        """Not used any more by one who had it."""
        self._users -= 1
        if not self._users:
            Connection._current = None
            ray.shutdown()
            _unlock(self._lock)


def _connect(root: Path, address: str) -> int:
    """Join the Ray at the address, or the root's own; the lock that says so."""
    lock = -1 if address else _shared_lock(root / _LOCK)
    try:
        if not address:
            address = _own_address(root)
            _use_token()
        _join(address)
    except BaseException:
        _unlock(lock)
        raise
    return lock


def _unlock(lock: int) -> None:
    if lock >= 0:
        os.close(lock)


def _join(address: str) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with loopback() if _check(address) else contextlib.nullcontext():
            ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray has put its own there
    except Exception as error:  # whatever Ray's many layers raise
        raise UnavailableError(
            f"no Ray cluster answers at {address!r} ({type(error).__name__}: {error}); is it up, and are its Ray and "
            f"Python versions those of this process (Ray {ray.__version__}, Python {sys.version.split()[0]})? "
            "A cluster with a token asks for RAY_AUTH_MODE=token and that token here"
        ) from error


def _check(address: str) -> bool:
    """See that something listens there: Ray itself would try for minutes. Returns whether it does on loopback alone.
    Raises OSError."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return False
    _connect_to(host, int(port))
    try:
        if not ipaddress.ip_address(socket.gethostbyname(host)).is_loopback:
            return False
        _connect_to(ray.util.get_node_ip_address(), int(port))  # type: ignore[no-untyped-call]
    except OSError:
        return True
    return False


def _connect_to(host: str, port: int) -> None:
    socket.create_connection((host.strip("[]"), port), _CONNECT_SECONDS).close()


def _use_token() -> None:
    """Let this process show the token of this machine's own clusters, which newer Rays want to see."""
    with contextlib.suppress(ImportError, AttributeError):
        setup = importlib.import_module("ray._private.authentication.authentication_token_setup")
        logging.getLogger(setup.__name__).setLevel(logging.ERROR)
        setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)


@contextlib.contextmanager
def loopback() -> Iterator[None]:
    """Ray takes a loopback address for this machine's address in the network, unless it knows of no network."""
    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


def _shared_lock(path: Path) -> int:
    """Say that this process uses the cluster, until it ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _own_address(root: Path) -> str:
    """Address of this root's own cluster, started if it is not up. Raises UnavailableError."""
    with open(root / f"{_LOCK}.start", "a") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        address = _running(root)
        if address:
            return address
        (root / _FILE).unlink(missing_ok=True)
        log = root / ".ray-cluster.log"
        with open(log, "wb") as output:
            command = [sys.executable, "-m", "trial_runners.ray.local_cluster", str(root / _FILE), str(root / _LOCK)]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=environment,
                close_fds=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            address = _running(root)
            if address:
                return address
            time.sleep(0.05)
        process.kill()
        process.wait()
        raise UnavailableError(f"no Ray could be started on this machine; {log} says why")


def _running(root: Path) -> str:
    """Address of the cluster that the file names, empty if it is gone."""
    try:
        facts: Mapping[str, Any] = json.loads((root / _FILE).read_text(encoding="utf-8"))
        alive = abs(psutil.Process(facts["pid"]).create_time() - facts["began"]) < 1.0
    except (OSError, ValueError, psutil.Error):
        return ""
    return str(facts["address"]) if alive else ""
