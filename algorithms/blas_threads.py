"""Linear algebra on one thread: matrices are small, trials need the cores, and no result changes with their number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import OpenBLASController, ThreadpoolController  # type: ignore[import-untyped]

_lock = threading.Lock()
_inside = 0
_limit: Any = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """For the time of the block. The limit is the whole process's, so the first of several threads that are inside sets
    it and the last one lifts it. threadpoolctl heeds one thread alone, which then is said to control OpenBLAS: here
    whoever sets or lifts the limit does, and nobody afterwards."""
    global _inside, _limit
    with _lock:
        _inside += 1
        if _inside == 1:
            OpenBLASController.clear_controlling_thread(force=True)
            _limit = _controller().limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                OpenBLASController.clear_controlling_thread(force=True)
                _limit.restore_original_limits()
                OpenBLASController.clear_controlling_thread(force=True)


@cache
def _controller() -> Any:
    """Knows the libraries that are loaded. To look for them costs milliseconds, so it is done once: at the first use,
    when those of numpy and scipy are there."""
    return ThreadpoolController()
