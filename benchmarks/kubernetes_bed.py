"""A Kubernetes cluster on this machine for tests and benchmarks, by the scripts of tests/k8s: one real node.

Each has a folder, ports, names and a network of its own, so that several can run beside each other. ``python -m
benchmarks.kubernetes_bed`` runs one until its input ends, and prints where its kubeconfig is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

SCRIPTS = Path(__file__).parents[1] / "tests" / "k8s"
PATIENCE = 240.0  # seconds for a script; images are unpacked on a busy machine
HOST = "127.0.0.1"
_PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
_PACKAGED = ("etcd", "openssl", "curl", "containerd", "runc", "ip")
_OTHER_PORTS = 4  # etcd's own, and the three behind it


@dataclass(frozen=True, slots=True)
class Bed:
    """One cluster. state: its folder. name: of its node, interfaces and control group. net: first two octets of its
    addresses. etcd_port: the first of four. evict_after: seconds from the moment that its node is found silent to the
    eviction of the pods; Kubernetes' own default."""

    state: Path
    name: str
    net: str
    port: int
    etcd_port: int
    evict_after: int = 300

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.state / "admin.kubeconfig"

    @property
    def node(self) -> str:
        """The node's name."""
        return f"{self.name}-node"

    def up(self) -> None:
        """Start what of it does not run."""
        self.control("k8s-up.sh")
        self.control("node-up.sh")

    def down(self) -> None:
        """Stop all of it and forget its state."""
        self.control("k8s-down.sh", "--clean")
        shutil.rmtree(self.state, ignore_errors=True)

    def control(self, script: str, *arguments: str) -> None:
        """Run one of the scripts. Raises RuntimeError with what it said if it fails."""
        own = {f"K8S_{key.upper()}": str(value) for key, value in asdict(self).items()}
        said = self.state / "said"
        with said.open("w") as output:  # not a pipe: what the script starts would hold it open
            done = subprocess.run(
                [SCRIPTS / script, *arguments],
                env={**os.environ, **own},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=PATIENCE,
                check=False,
            )
        if done.returncode:
            logs = [said, *sorted((self.state / "logs").glob("*.log"))]
            ends = "\n".join(f"--- {log.stem}\n{log.read_text(errors='replace')[-2000:]}" for log in logs)
            raise RuntimeError(f"{script}: exit status {done.returncode}\n{ends}")

    def pid(self, part: str) -> int:
        """Of a part that runs: ``kube-apiserver``, ``etcd``, ``node``, ..."""
        return int((self.state / "pids" / part).read_text().split()[0])

    def kill(self, part: str) -> None:
        """End it at once, with all that belongs to it; ``up`` starts it again."""
        os.kill(self.pid(part), signal.SIGKILL)
        while psutil.pid_exists(self.pid(part)):
            time.sleep(0.05)


def is_installed() -> bool:
    """Whether a bed can be started here."""
    cache = Path(os.environ.get("K8S_CACHE", Path.home() / ".cache" / "katib-k8s"))
    built = all((cache / "bin" / name).exists() for name in _PROGRAMS) and (cache / "images" / "trial.tar").exists()
    return built and os.geteuid() == 0 and all(shutil.which(name) for name in _PACKAGED)


@contextlib.contextmanager
def running(evict_after: int = 300) -> Iterator[Bed]:
    """A new cluster, with its node ready; nothing is left of it afterwards."""
    state = Path(tempfile.mkdtemp(prefix="katib-k8s-"))
    try:
        with Path(tempfile.gettempdir(), "katib-k8s.lock").open("w") as lock:  # until its ports and network are taken
            fcntl.flock(lock, fcntl.LOCK_EX)
            name = f"kt{os.getpid() % 10**7}"
            bed = Bed(state, name, _free_net(), _free_port(1), _free_port(_OTHER_PORTS), evict_after)
            bed.up()
        yield bed
    finally:
        bed.down()


def _free_net() -> str:
    taken = {
        address.address.rsplit(".", 2)[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET
    }
    return next(net for net in (f"10.{octet}" for octet in range(214, 256)) if net not in taken)


def _free_port(count: int) -> int:
    """The first of ``count`` ports in a row that nobody uses."""
    while True:
        with contextlib.ExitStack() as stack:
            first = 0
            for offset in range(count):
                probe = stack.enter_context(socket.socket())
                try:
                    probe.bind((HOST, first + offset if first else 0))
                except (OSError, OverflowError):
                    break
                first = first or probe.getsockname()[1]
            else:
                return first


def main() -> None:
    """Run a cluster until standard input ends; prints it as a line of JSON."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with running() as bed:
        print(json.dumps(asdict(bed), default=str), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
