"""Messages between the process runner and its workers: frames over a socket pair, each a length and its bytes.

Everything but the objective itself travels as JSON: the parent never unpickles what a worker sends.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from typing import Any

_HEADER = struct.Struct("!Q")
_CHUNK_BYTES = 65536
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Channel:
    """One end of a socket pair. One thread reads; any may write."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._unread = bytearray()
        self._writing = threading.Lock()

    def fileno(self) -> int:
        """The socket's descriptor, for selectors."""
        return self._socket.fileno()

    def send(self, message: Any) -> None:
        """Send a JSON value. Raises OSError if the other end is gone."""
        self.send_bytes(_encode(message).encode())

    def send_bytes(self, payload: bytes) -> None:
        """Send raw bytes as one message. Raises OSError if the other end is gone."""
        with self._writing:
            self._socket.sendall(_HEADER.pack(len(payload)) + payload)

    def receive(self, *, block: bool = True) -> list[bytes] | None:
        """The messages that have arrived, at least one if ``block``; None if the other end is gone and all was read."""
        messages: list[bytes] = []
        while not messages:
            try:
                chunk = self._socket.recv(_CHUNK_BYTES, 0 if block else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return messages
            except OSError:  # reset by a process that died with bytes unread
                return None
            if not chunk:
                return None
            self._unread += chunk
            messages = self._complete()
        return messages

    def close(self) -> None:
        """Close this end; the other one reads an end of file."""
        self._socket.close()

    def _complete(self) -> list[bytes]:
        messages, start = [], 0
        while len(self._unread) - start >= _HEADER.size:
            (length,) = _HEADER.unpack_from(self._unread, start)
            end = start + _HEADER.size + length
            if len(self._unread) < end:
                break
            messages.append(bytes(self._unread[start + _HEADER.size : end]))
            start = end
        del self._unread[:start]
        return messages
