"""Leases over a table that changes one row at a time; the database's and the in-memory twin's work the same way."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from katib.core.errors import FencedError
from katib.core.ports import Lease
from katib.core.trial import Key
from katib.storage.rules import claim, given_back, renewed

# Puts what the function makes of a key's stored lease in its place, in one transaction, and returns it.
Rewrite = Callable[[Key, Callable[[Lease | None], Lease]], Lease]

# Start times come from the clock, which may have been set meanwhile; a process id is not used again this soon.
_START_TOLERANCE = 2.0


class TableLeases:
    """The port Leases over ``rewrite``. Ends are by the wall clock: all that hosts share."""

    def __init__(self, rewrite: Rewrite) -> None:
        self._rewrite = rewrite

    def acquire(self, key: Key, holder: str, ttl: float) -> Lease:
        """The lease for ``ttl`` seconds, its fence one more than the last. Raises LeaseHeldError."""
        now = time.time()
        wanted = Lease(key, holder, 1, now + ttl)
        return self._rewrite(
            key, lambda stored: claim(stored, wanted, now, holder_gone=stored is not None and is_gone(stored.holder))
        )

    def renew(self, lease: Lease, ttl: float) -> Lease:
        """The same lease, ending ``ttl`` seconds from now. Raises FencedError if it was lost."""
        expires = time.time() + ttl
        return self._rewrite(lease.key, lambda stored: renewed(stored, lease, expires))

    def release(self, lease: Lease) -> None:
        """Give it back; does nothing if it was lost."""
        with suppress(FencedError):
            self._rewrite(lease.key, lambda stored: given_back(stored, lease))


def this_holder() -> str:
    """This process as a holder: ``host:pid:start time``."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def is_gone(holder: str) -> bool:
    """Whether ``holder`` was a process of this host and runs no more. Others cannot be judged: False."""
    try:
        host, pid, started = holder.rsplit(":", 2)
        if host != socket.gethostname():
            return False
        process = psutil.Process(int(pid))
        return (
            process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - float(started)) > _START_TOLERANCE
        )
    except psutil.NoSuchProcess:
        return True
    except (ValueError, psutil.AccessDenied):
        return False
