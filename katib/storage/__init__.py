"""The store: experiments, trials, measurements and the leases on them, in a database or in memory.

``open_store`` is the door. Local disks only for SQLite: its write-ahead log is shared memory between processes of one
host, which network file systems do not give. Several machines share a PostgreSQL, MySQL or MariaDB server.
"""

from __future__ import annotations

from katib.storage.opening import Opened, check_store, migrate_store, open_store

__all__ = ["Opened", "check_store", "migrate_store", "open_store"]
