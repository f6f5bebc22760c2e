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
import secrets
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
from trial_runners.ray.place import SCOPE_FILE, Place
from trial_runners.settings import RaySettings

_FILE = ".ray-cluster.json"
_LOCK = ".ray-cluster.lock"
_START_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_NODES_SECONDS = 1.0


class _Connection:
    """This process's connection to Ray, if it made it itself. users: runners that share it. lock: says that a cluster
    of its own is in use, -1 without one."""

    users = 0
    lock = -1


class Cluster:
    """A Ray that this process is connected to. place: where its nodes keep attempts."""

    def __init__(self, root: Path, settings: RaySettings) -> None:
        """Join or start it. Raises UnavailableError if it cannot be reached."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._counted = _Connection.users > 0 or not ray.is_initialized()
        if not ray.is_initialized():
            _connect(root, settings.address or os.environ.get("RAY_ADDRESS", ""))
        _Connection.users += self._counted
        modules = [entry or os.getcwd() for entry in sys.path]
        checkpoints = settings.checkpoints
        if checkpoints and "://" not in checkpoints:
            checkpoints = os.path.abspath(checkpoints)
        self.place = Place(str(root), _scope(root), settings.folder, checkpoints, os.getcwd(), modules)
        self._alive: dict[str, str] = {}
        self._called: dict[str, str] = {}
        self._looked = -_NODES_SECONDS

    @property
    def scope(self) -> str:
        """The word behind the names of this runner's actors."""
        return self.place.scope

    def nodes(self, *, now: bool = False) -> Mapping[str, str]:
        """Living nodes: what people call them, by Ray's ids; as they were within the last second, or are ``now``."""
        if now or time.monotonic() - self._looked >= _NODES_SECONDS:
            self._alive = {
                node["NodeID"]: f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
                for node in ray.nodes()  # type: ignore[no-untyped-call]
                if node["Alive"]
            }
            self._called |= self._alive
            self._looked = time.monotonic()
        return self._alive

    def known(self, node: str) -> str:
        """What people call a node, living or dead."""
        return self._called.get(node, node)

    def resources(self) -> tuple[list[Mapping[str, float]], Mapping[str, float]]:
        """Amounts by name: what each living node has, and what is free in all now."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        return nodes, ray.available_resources()  # type: ignore[no-untyped-call]

    def named(self) -> list[str]:
        """Names of this runner's actors, those included that wait for their resources."""
        actors = ray.util.list_named_actors(all_namespaces=True)
        named = [actor["name"] for actor in actors if actor["namespace"] == NAMESPACE]
        return [name for name in named if name.endswith(f"@{self.scope}")]

    def close(self) -> None:
        """Leave it, if nobody else in this process uses it. One of its own ends when nothing runs on it any more."""
        if self._counted:
            self._counted = False
            _Connection.users -= 1
            if not _Connection.users:
                ray.shutdown()
                _unlock()


def create(kind: type, name: str, options: Mapping[str, Any], *arguments: Any) -> ray.actor.ActorHandle[Any]:
    """A detached actor of the class ``kind``; the one of that name if there is one. options: as Ray has them."""
    named = {"name": name, "namespace": NAMESPACE, "lifetime": "detached", "get_if_exists": True}
    made: Any = ray.remote(kind)
    actor: ray.actor.ActorHandle[Any] = made.options(**named, **options).remote(*arguments)
    return actor


def find(name: str) -> ray.actor.ActorHandle[Any] | None:
    """An actor by its name, None if it is gone."""
    try:
        return ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        return None


def _connect(root: Path, address: str) -> None:
    if not address:
        _Connection.lock = _shared_lock(root / _LOCK)
    try:
        if not address:
            address = _own_address(root)
            _use_token()
        _join(address)
    except BaseException:
        _unlock()
        raise


def _unlock() -> None:
    lock, _Connection.lock = _Connection.lock, -1
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


def _scope(root: Path) -> str:
    """The word in the root's file; made when it is first asked for."""
    file = root / SCOPE_FILE
    aside = root / f"{SCOPE_FILE}.{os.getpid()}.partial"
    aside.write_text(secrets.token_hex(4), encoding="utf-8")
    with contextlib.suppress(FileExistsError):
        os.link(aside, file)
    aside.unlink()
    return file.read_text(encoding="utf-8")


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
