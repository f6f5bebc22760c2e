"""Echoes the metric files of a trial: the program of the container ``metrics-logger-and-collector`` in its pod.

The controller reads the echo through the pod log API, so no network path leads from the pod to the controller. A file
of text is echoed as it is. Event files are echoed in frames, a line each: the file's path below the folder, in base64;
where the data belongs among the bytes echoed of this file; the data, in base64. Records that are too large to hold a
number (images, graphs) are left out.

It ends, always with status 0, when the container that trains has ended and all is read. Its termination message says
what it found, and in a second line what was wrong, if anything was. That container is seen in the process namespace
that the pod's containers share: a process whose parent lies outside, other than the pause process (1) and this one. One
that lived too short to be seen has made the last process number of the namespace grow, or left a file. Signals are
ignored: after a request to end the trial there may be something left to read.

This file is all that is passed to ``python3 -I -S -c``. It needs Python 3.7 and imports only what is built in: where an
image has no compiled library, each module more costs a tenth of a second, and the trial may have ended by then.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import binascii
import os
import sys
import time

# Seconds between two looks.
PAUSE = 0.1
# Seconds after which a container that only left traces counts as ended.
SETTLED = 0.5
# Seconds to wait for another start where failed containers are restarted; longer each time, as Kubernetes waits.
FIRST_RESTART, LAST_RESTART = 15.0, 310.0

READ_BYTES = 1 << 20
COMPARED_BYTES = 256
MAX_LINE_BYTES = 1 << 16
MAX_FILES = 1000
SHOWN_FILES = 5
# An event of scalars has some hundred bytes.
MAX_RECORD_BYTES = 1 << 15
# Where a record seems to be longer, the file is damaged: from there on everything is echoed.
MAX_PLAUSIBLE_BYTES = 1 << 32
# A container log cuts lines at 16 KiB.
FRAME_BYTES = 9000
HEADER_BYTES, FOOTER_BYTES = 12, 4
LOOKS_PER_PAUSE = 50


class Training:
    """The container that trains, known by its processes. seen: they were seen themselves. ran: or traces of them."""

    def __init__(self, alone: bool) -> None:
        """alone: it is the only one beside this."""
        self._alone = alone
        self._own = os.getpid()
        self._first = last_pid()
        self._known: dict[int, str] = {}
        self.seen = False
        self.ran = False

    def runs(self) -> bool:
        """Whether it runs now."""
        if any(start_of(pid) == start for pid, start in self._known.items()):
            return True
        last = last_pid()  # before looking: a process that comes in between is no trace of one that went
        self._known = self._look()
        self.ran = self.ran or self.seen or bool(self._known) or (self._alone and last > self._first)
        return bool(self._known)

    def _look(self) -> dict[int, str]:
        """Processes that containers began with, by their numbers, with what tells them from others of that number."""
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        found = {pid: start_of(pid) for pid in pids if pid not in (1, self._own)}
        mains = {pid: start for pid, start in found.items() if start.startswith("0 ")}
        if self._alone:
            self.seen = self.seen or bool(mains)
            return mains
        marks = {pid: is_marked(pid) for pid in mains}
        self.seen = self.seen or True in marks.values()
        return {pid: mains[pid] for pid, mark in marks.items() if mark or (mark is None and not self.seen)}


def last_pid() -> int:
    """The number that a process was given last."""
    try:
        with open("/proc/loadavg") as file:
            return int(file.read().split()[-1])
    except (OSError, ValueError):
        return 0


def start_of(pid: int) -> str:
    """Number of its parent and time of its start, which tell it from others of its number; empty if it has ended."""
    try:
        with open(f"/proc/{pid}/stat", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return ""
    return f"{fields[1]} {fields[19]}" if fields[0] not in ("Z", "X") else ""


def is_marked(pid: int) -> bool | None:
    """Whether its environment is that of the container that trains, None if that cannot be known."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return b"KATIB_TRIAL_NAME=" in file.read()
    except OSError:
        return None


class Text:
    """A file of lines. It is read anew if it was written anew, which its size or the bytes before the place show."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._offset, self._tail, self._held = 0, b"", b""
        self._stamp: tuple[int, ...] = ()

    @property
    def found(self) -> bool:
        """Whether there is such a file."""
        return os.path.isfile(self._path)

    def described(self) -> str:
        """What there is, for people."""
        return f"{self._path} {f'has {os.path.getsize(self._path)} bytes' if self.found else 'was not written'}"

    def echo(self, final: bool) -> None:
        """Write out what is new, whole lines of it. final: nothing follows."""
        if self.found:
            with open(self._path, "rb") as file:
                self._follow(file.fileno())
                while self._step(file.fileno()):
                    pass
        if final and self._held:
            write(self._held)
            self._held = b""

    def _follow(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        if stamp != self._stamp and self._tail:
            before = os.pread(descriptor, len(self._tail), self._offset - len(self._tail))
            if before != self._tail:
                self._offset, self._tail, self._held = 0, b"", b""
        self._stamp = stamp

    def _step(self, descriptor: int) -> bool:
        new = os.pread(descriptor, READ_BYTES, self._offset)
        self._offset += len(new)
        self._tail = (self._tail + new)[-COMPARED_BYTES:]
        data = self._held + new
        end = data.rfind(b"\n") + 1
        if len(data) - end > MAX_LINE_BYTES:
            end = len(data)
        self._held = data[end:]
        write(data[:end])
        return bool(new)


class Events:
    """The event files below a folder."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._files: dict[str, Event] = {}
        self._look_at = 0.0

    @property
    def found(self) -> bool:
        """Whether there is any."""
        return bool(self._files)

    def described(self) -> str:
        """What there is, for people."""
        names = list(self._files)
        more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
        return f"event files in {self._folder}: {', '.join(names[:SHOWN_FILES]) or 'none'}{more}"

    def echo(self, final: bool) -> None:
        """Write out what is new, whole records of it. final: nothing follows."""
        began = time.monotonic()
        if began >= self._look_at or final:
            for name in sorted(self._names())[: MAX_FILES - len(self._files)]:
                self._files[name] = Event(self._folder, name)
            now = time.monotonic()
            self._look_at = now + LOOKS_PER_PAUSE * (now - began)
        for file in self._files.values():
            file.echo(final)

    def _names(self) -> list[str]:
        found = (
            os.path.relpath(os.path.join(folder, name), self._folder)
            for folder, _, names in os.walk(self._folder)
            for name in names
            if "tfevents" in name
        )
        return [name for name in found if name not in self._files]


class Event:
    """An event file. echoed: how many bytes of it were written out."""

    def __init__(self, folder: str, name: str) -> None:
        self._path = os.path.join(folder, name)
        self._name = name
        self._offset = 0
        self._damaged = False
        self.echoed = 0

    def echo(self, final: bool) -> None:
        """Write out the records that are whole. final: the rest too. Whatever is no record is for others to judge."""
        if not os.path.isfile(self._path):
            return
        with open(self._path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            while self._step(file.fileno(), size):
                pass
            if final and self._offset < size:
                self._write(os.pread(file.fileno(), MAX_RECORD_BYTES, self._offset))
                self._offset = size

    def _step(self, descriptor: int, size: int) -> bool:
        data = os.pread(descriptor, READ_BYTES, self._offset)
        kept, place = b"", 0
        if self._damaged:
            kept, place = data, len(data)
        while place + HEADER_BYTES <= len(data):
            length = HEADER_BYTES + int.from_bytes(data[place : place + 8], "little") + FOOTER_BYTES
            if length > MAX_PLAUSIBLE_BYTES:
                self._damaged = True
                return True
            if length > MAX_RECORD_BYTES:
                if self._offset + place + length <= size:
                    place += length
                break
            if place + length > len(data):
                break
            kept += data[place : place + length]
            place += length
        self._offset += place
        self._write(kept)
        return place > 0

    def _write(self, data: bytes) -> None:
        for start in range(0, len(data), FRAME_BYTES):
            part = data[start : start + FRAME_BYTES]
            words = (binascii.b2a_base64(word, newline=False) for word in (os.fsencode(self._name), part))
            write((b" %d " % self.echoed).join(words) + b"\n")
            self.echoed += len(part)


def write(data: bytes) -> None:
    """All of it to standard output."""
    while data:
        data = data[os.write(1, data) :]


def follow(files: Text | Events, training: Training, fresh: bool, restarts: bool) -> str:
    """Echo until the training has ended and all is read; what was wrong at last. fresh: a file shows that it ran."""
    ended, restart = 0.0, FIRST_RESTART
    while True:
        now = time.monotonic()
        if training.runs():
            restart = min(2 * restart, LAST_RESTART) if ended else restart
            ended = 0.0
        elif training.ran or (fresh and files.found):
            ended = ended or now
            if now - ended >= (restart if restarts else 0.0 if training.seen else SETTLED):
                return echo(files, True)
        echo(files, False)
        time.sleep(PAUSE)


def echo(files: Text | Events, final: bool) -> str:
    """What was wrong, if anything was: this program does not end before the training does."""
    try:
        files.echo(final)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def main(arguments: list[str]) -> None:
    """arguments: kind (``file`` or ``events``), path, where its message goes, and any of ``fresh``, ``alone`` and
    ``restarts``."""
    (kind, path, message), words = arguments[:3], arguments[3:]
    training = Training("alone" in words)
    for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP):
        _signal.signal(number, _signal.SIG_IGN)
    files = Text(path) if kind == "file" else Events(path)
    problem = follow(files, training, "fresh" in words, "restarts" in words)
    try:
        with open(message, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{files.described()}\n{problem}".strip())
    except OSError:
        pass


if __name__ == "__main__":
    main(sys.argv[1:])
