"""Linear algebra on one thread: matrices are small, trials need the cores, and no result changes with their number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

_lock = threading.Lock()
_inside = 0
_limit: Any = None


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """For the time of the block. The limit is the whole process's, so the first of several threads that are inside sets
    it and the last one lifts it."""
    global _inside, _limit
    with _lock:
        _inside += 1
        if _inside == 1:
            _limit = _controller().limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limit.restore_original_limits()


@cache
def _controller() -> Any:
    """Knows the libraries that are loaded. To look for them costs milliseconds, so it is done once: at the first use,
    when those of numpy and scipy are there."""
    return ThreadpoolController()
