"""What every implementation of Leases must do. A test module derives a class and gives it the fixture ``opened``."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from katib.core.errors import FencedError, LeaseHeldError
from katib.core.trial import Key
from katib.storage import Opened
from katib.storage.leases import this_holder

KEY = Key("team", "study")
AFAR = "elsewhere:1:1.00"  # a process of another host: nobody here can tell whether it lives


def process_holder(process: psutil.Process, shift: float = 0.0) -> str:
    """A process of this host as a holder; ``shift``: seconds by which its start time is wrong."""
    return f"{socket.gethostname()}:{process.pid}:{process.create_time() + shift:.2f}"


class LeasesContract:
    """The suite."""

    def test_a_free_lease_is_given_for_its_time(self, opened: Opened) -> None:
        before = time.time()
        lease = opened.leases.acquire(KEY, AFAR, ttl=30.0)
        assert (lease.key, lease.holder, lease.fence) == (KEY, AFAR, 1)
        assert before + 30 <= lease.expires <= time.time() + 30

    def test_a_lease_held_afar_is_refused_with_its_holder(self, opened: Opened) -> None:
        opened.leases.acquire(KEY, AFAR, ttl=30.0)
        with pytest.raises(LeaseHeldError, match=AFAR):
            opened.leases.acquire(KEY, this_holder(), ttl=30.0)

    def test_a_lease_of_a_living_process_of_this_host_is_refused(self, opened: Opened) -> None:
        held = process_holder(psutil.Process(os.getppid()))
        opened.leases.acquire(KEY, held, ttl=30.0)
        with pytest.raises(LeaseHeldError, match=held):
            opened.leases.acquire(KEY, this_holder(), ttl=30.0)

    @pytest.mark.parametrize("end", ["expired", "released", "own"])
    def test_each_new_lease_has_the_next_fence(self, opened: Opened, end: str) -> None:
        first = opened.leases.acquire(KEY, AFAR, ttl=0.0 if end == "expired" else 30.0)
        if end == "released":
            opened.leases.release(first)
        second = opened.leases.acquire(KEY, AFAR if end == "own" else this_holder(), ttl=30.0)
        assert second.fence == first.fence + 1
        with pytest.raises(FencedError):
            opened.leases.renew(first, ttl=30.0)
        opened.leases.release(first)  # lost: does nothing
        assert opened.leases.renew(second, ttl=30.0).fence == second.fence

    def test_a_holder_that_was_killed_loses_at_once(self, opened: Opened) -> None:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            first = opened.leases.acquire(KEY, process_holder(psutil.Process(process.pid)), ttl=600.0)
            with pytest.raises(LeaseHeldError):
                opened.leases.acquire(KEY, this_holder(), ttl=30.0)
            process.kill()
            deadline = time.monotonic() + 10
            while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
                time.sleep(0.01)
            zombie = opened.leases.acquire(KEY, this_holder(), ttl=30.0)  # dead, though not yet buried
        assert zombie.fence == first.fence + 1

    def test_a_holder_that_is_gone_loses_at_once(self, opened: Opened) -> None:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            holder = process_holder(psutil.Process(process.pid))
            process.kill()
        opened.leases.acquire(KEY, holder, ttl=600.0)
        assert opened.leases.acquire(KEY, this_holder(), ttl=30.0).fence == 2

    def test_a_process_that_got_the_number_of_the_holder_is_not_the_holder(self, opened: Opened) -> None:
        opened.leases.acquire(KEY, process_holder(psutil.Process(os.getppid()), shift=-3600.0), ttl=600.0)
        assert opened.leases.acquire(KEY, this_holder(), ttl=30.0).fence == 2

    @pytest.mark.parametrize("holder", ["me", "a:b:c", f"{socket.gethostname()}:x:1.0"])
    def test_a_holder_that_is_no_process_is_believed(self, opened: Opened, holder: str) -> None:
        opened.leases.acquire(KEY, holder, ttl=600.0)
        with pytest.raises(LeaseHeldError):
            opened.leases.acquire(KEY, this_holder(), ttl=30.0)

    def test_a_renewed_lease_lasts(self, opened: Opened) -> None:
        lease = opened.leases.acquire(KEY, AFAR, ttl=0.05)
        assert opened.leases.renew(lease, ttl=60.0).expires > time.time() + 50
        time.sleep(0.1)
        with pytest.raises(LeaseHeldError):
            opened.leases.acquire(KEY, this_holder(), ttl=30.0)

    def test_an_expired_lease_that_nobody_took_can_be_renewed(self, opened: Opened) -> None:
        lease = opened.leases.acquire(KEY, AFAR, ttl=0.0)
        assert opened.leases.renew(lease, ttl=60.0).fence == lease.fence

    def test_what_was_given_back_cannot_be_renewed(self, opened: Opened) -> None:
        lease = opened.leases.acquire(KEY, AFAR, ttl=60.0)
        opened.leases.release(lease)
        with pytest.raises(FencedError):
            opened.leases.renew(lease, ttl=60.0)

    def test_leases_of_different_experiments_are_independent(self, opened: Opened) -> None:
        opened.leases.acquire(KEY, AFAR, ttl=60.0)
        for other in (Key("team", "other"), Key("guests", "study")):
            assert opened.leases.acquire(other, this_holder(), ttl=60.0).fence == 1

    def test_of_many_threads_one_gets_it(self, opened: Opened) -> None:
        barrier = threading.Barrier(8)

        def acquire(i: int) -> bool:
            barrier.wait()
            try:
                opened.leases.acquire(KEY, f"elsewhere:{i}:1.00", ttl=60.0)
            except LeaseHeldError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(acquire, range(8))) == 1

    def test_this_holder_is_this_process(self, opened: Opened) -> None:
        host, pid, started = this_holder().rsplit(":", 2)
        assert (host, int(pid)) == (socket.gethostname(), os.getpid())
        assert float(started) == pytest.approx(psutil.Process().create_time(), abs=0.01)
