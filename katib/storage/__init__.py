"""The store: experiments, trials, measurements and the leases on them, in a database or in memory.

``open_store`` is the door. Local disks only for SQLite: its write-ahead log is shared memory between processes of one
host, which network file systems do not give.
"""

from __future__ import annotations

from katib.storage.opening import Opened, open_store

__all__ = ["Opened", "open_store"]
