"""Which GPUs a trial may use. The truth is one file under the runner's root, so that it survives a restart and two
controllers on one root never give a device away twice. A claim holds as long as its attempt runs: nobody has to give
anything back."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from katib.core.errors import RunnerError

# Shares are compared with this tolerance: three thirds fill a device.
_TOLERANCE = 1e-6


class Grant(NamedTuple):
    """devices: for CUDA_VISIBLE_DEVICES; empty with the ``reason`` if they cannot be had now."""

    devices: tuple[str, ...] = ()
    reason: str = ""


class GpuPool:
    """Gives devices to attempts. ``holds``: whether the attempt of a folder still runs."""

    def __init__(self, root: Path, devices: Sequence[str] | None, holds: Callable[[Path], bool]) -> None:
        """``devices``: None to look for them when the first trial asks."""
        self._file = root / ".gpus.json"
        self._given = devices
        self._holds = holds

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """The devices of this machine."""
        return tuple(find_devices(os.environ) if self._given is None else self._given)

    def claim(self, folder: Path, amount: float) -> Grant:
        """Devices for the attempt in ``folder``, which must hold its lock; ``amount`` < 1: a share of one device."""
        with self._claims() as claims:
            claims.pop(str(folder), None)
            used: Counter[str] = Counter()
            for devices in claims.values():
                used.update(devices)
            granted = allot(self.devices, used, amount)
            if not granted:
                return Grant(reason=_why_not(self.devices, used, amount))
            claims[str(folder)] = dict.fromkeys(granted, min(amount, 1.0))
            return Grant(granted)

    @contextlib.contextmanager
    def _claims(self) -> Iterator[dict[str, Mapping[str, float]]]:
        """Claims of running attempts: folder -> device -> share. Locked while in use; written back at the end."""
        descriptor = os.open(self._file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            text = self._file.read_text(encoding="utf-8") if self._file.exists() else "{}"
            claims = {folder: shares for folder, shares in json.loads(text).items() if self._holds(Path(folder))}
            yield claims
            aside = self._file.with_suffix(".partial")
            aside.write_text(json.dumps(claims), encoding="utf-8")
            aside.replace(self._file)
        finally:
            os.close(descriptor)


def check_amount(amount: float) -> None:
    """Raises RunnerError for an amount that is neither a whole number nor a share of one device."""
    if not math.isfinite(amount) or amount < 0 or (amount > 1 and amount != int(amount)):
        raise RunnerError(f"GPU limit {amount:g}: expected a whole number, or a fraction between 0 and 1")


def allot(devices: Sequence[str], used: Mapping[str, float], amount: float) -> tuple[str, ...]:
    """Devices for ``amount``, empty if there are none. A share goes to the fullest device that has room for it, so
    that whole devices stay free; whole devices are taken in order."""
    if amount >= 1:
        free = [device for device in devices if used.get(device, 0.0) <= _TOLERANCE]
        return tuple(free[: int(amount)]) if len(free) >= amount else ()
    roomy = [device for device in devices if used.get(device, 0.0) + amount <= 1 + _TOLERANCE]
    return (max(roomy, key=lambda device: used.get(device, 0.0)),) if roomy else ()


def find_devices(environ: Mapping[str, str]) -> tuple[str, ...]:
    """What CUDA_VISIBLE_DEVICES names, else what the driver lists; empty without NVIDIA devices."""
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        named = [device.strip() for device in visible.split(",")]
        valid = named[: named.index("-1")] if "-1" in named else named  # CUDA ignores all from the first invalid one on
        return tuple(device for device in valid if device)
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return parse_listing(listing)


def parse_listing(listing: str) -> tuple[str, ...]:
    """UUIDs out of ``nvidia-smi -L``: numbers mean different devices to CUDA and to the driver, UUIDs do not. A device
    that is cut into MIG instances stands for these."""
    devices: list[str] = []
    for line in listing.splitlines():
        found = re.search(r"UUID: ((GPU|MIG)-[^)\s]+)", line)
        if found is None:
            continue
        if found[2] == "MIG" and devices and devices[-1].startswith("GPU-"):
            devices.pop()
        devices.append(found[1])
    return tuple(devices)


def _why_not(devices: Sequence[str], used: Mapping[str, float], amount: float) -> str:
    asked = f"{amount:g} GPU{'' if amount <= 1 else 's'} asked"
    if amount > len(devices):
        return f"{asked}, {len(devices)} exist{'s' if len(devices) == 1 else ''}"
    needed = min(amount, 1.0)
    free = sum(used.get(device, 0.0) + needed <= 1 + _TOLERANCE for device in devices)
    return f"{asked}, {free} of {len(devices)} free"
