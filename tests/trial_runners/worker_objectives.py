"""Objectives of several workers, for the tests of the runners that have them."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

import katib.report


def cooperate(parameters: dict[str, Any]) -> float | None:
    """Does what ``do`` says; the worker of the number ``who`` alone, where one is given."""
    return _DEEDS[parameters["do"]](parameters, int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


def _meet(parameters: dict[str, Any], rank: int, size: int) -> float | None:
    """All send their rank to the first, which returns the sum. Only its reports are to count."""
    print(f"worker {rank} of {size}", os.environ["LOCAL_RANK"])
    where = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    katib.report.report_metrics(loss=float(100 + rank))
    if rank == 0:
        with socket.create_server(where) as server:
            return float(sum(_received(server) for _ in range(size - 1)))
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(where, 5) as connection:
                connection.sendall(str(rank).encode())
                return None
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("worker 0 does not listen")


def _received(server: socket.socket) -> int:
    connection, _ = server.accept()
    with connection:
        return int(connection.recv(16))


def _fail(parameters: dict[str, Any], rank: int, size: int) -> float:
    if rank == parameters["who"]:
        raise ValueError("went wrong")
    return _sleep(parameters, rank, size)


def _exit(parameters: dict[str, Any], rank: int, size: int) -> float:
    if rank == parameters["who"]:
        os._exit(5)
    return _sleep(parameters, rank, size)


def _sleep(parameters: dict[str, Any], rank: int, size: int) -> float:
    with open(os.path.join(parameters["folder"], f"pid-{rank}"), "w") as file:
        file.write(str(os.getpid()))
    while True:
        if not parameters.get("deaf"):
            katib.report.report_metrics(loss=1.0)
        time.sleep(0.05)


def _late(parameters: dict[str, Any], rank: int, size: int) -> float:
    """The first returns at once, the others fail later."""
    if rank:
        time.sleep(1)
        raise ValueError("went wrong")
    return 1.0


_DEEDS = {"meet": _meet, "fail": _fail, "exit": _exit, "sleep": _sleep, "late": _late}
