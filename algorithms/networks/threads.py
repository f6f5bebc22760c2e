"""PyTorch on one thread: what is computed is small, trials need the cores, and no result changes with their number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_lock = threading.Lock()
_inside = 0
_usual = 1


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """For the time of the block. PyTorch keeps the number both for the process and for each thread, so the first of
    several that are inside remembers it, and each sets and restores its own."""
    global _inside, _usual
    with _lock:
        _inside += 1
        if _inside == 1:
            _usual = torch.get_num_threads()
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            torch.set_num_threads(_usual)
