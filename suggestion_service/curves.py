"""Curves of finished trials, kept: they never change, and every question about early stopping is about all of them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from threading import Lock

from katib.core.objective import Measurement

Curve = Sequence[Measurement]
Read = Callable[[Sequence[str]], Mapping[str, Curve]]

BATCH = 100
"""Trials that are read at a time."""

MAX_ROWS = 200_000
"""Measurements that are kept at most, of all trials together; about 40 MB."""


class KeptCurves:
    """The curves that were asked for last. To be used by any number of threads."""

    def __init__(self, max_rows: int = MAX_ROWS) -> None:
        self._max_rows = max_rows
        self._rows = 0
        self._kept: OrderedDict[Hashable, Curve] = OrderedDict()
        self._lock = Lock()

    def get(self, keys: Mapping[str, Hashable], read: Read) -> dict[str, Curve]:
        """Curves by name. keys: name -> what tells this trial from any other, one of the same name included. read:
        reads those that are not kept, some at a time, so that a caller who gave up finds more of them the next time.
        Empty ones are read again: their rows may still come."""
        with self._lock:
            found = {name: self._kept[key] for name, key in keys.items() if key in self._kept}
            for name in found:
                self._kept.move_to_end(keys[name])
        missing = [name for name in keys if name not in found]
        for start in range(0, len(missing), BATCH):
            fresh = read(missing[start : start + BATCH])
            found.update(fresh)
            with self._lock:
                for name, curve in fresh.items():
                    self._keep(keys[name], curve)
        return found

    def _keep(self, key: Hashable, curve: Curve) -> None:
        if not curve or key in self._kept:
            return
        self._kept[key] = curve
        self._rows += len(curve)
        while self._rows > self._max_rows and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._rows -= len(oldest)
