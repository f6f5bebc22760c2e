"""``python -m suggestion_service`` as a process: ready line, restart without a memory, orderly end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from katib.core.errors import UnavailableError
from suggestion_service.client import RemoteAlgorithm
from tests.contracts.algorithm_contract import SAMPLES, loss
from tests.contracts.simulation import Simulation

ROOT = Path(__file__).parents[2]
READY = "suggestion service listening on 127.0.0.1:"


def address_of(process):
    line = process.stdout.readline()
    assert line.startswith(READY), (line, process.stderr.read() if process.poll() is not None else "")
    return "127.0.0.1:" + line.removeprefix(READY).strip()


def suggest_when_back(algorithm, history, count):
    """The answer, asked for again while the service is unavailable."""
    end = time.monotonic() + 30
    while True:
        try:
            return algorithm.suggest(history, count)
        except UnavailableError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("name", ["random", "hyperband"])
def test_a_killed_and_restarted_service_goes_on_where_it_was(process, name):
    spec = SAMPLES[name].spec()
    simulation = Simulation(spec, loss)
    first = process("--port", "0")
    address = address_of(first)
    algorithm = RemoteAlgorithm(spec, address)
    simulation.run(algorithm, 12, parallel=2)
    expected = algorithm.suggest(simulation.history, 2)

    first.kill()
    first.wait()
    with pytest.raises(UnavailableError):
        algorithm.suggest(simulation.history, 2)
    second = process("--port", address.rpartition(":")[2])
    assert address_of(second) == address

    assert expected.suggestions
    assert suggest_when_back(algorithm, simulation.history, 2) == expected
    algorithm.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_in_order_when_asked_to(process, number):
    served = process("--port", "0")
    address_of(served)

    served.send_signal(number)

    assert served.wait(timeout=20) == 0


def test_it_ends_with_the_process_that_holds_its_lifeline():
    owner = (
        "import os, subprocess, sys; "
        "served = subprocess.Popen([sys.executable, '-m', 'suggestion_service', '--port', '0', '--until-eof'], "
        "stdin=subprocess.PIPE, stdout=subprocess.PIPE); "
        "served.stdout.readline(); print(served.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    pid = int(subprocess.run([sys.executable, "-c", owner], cwd=ROOT, capture_output=True, text=True).stdout)

    end = time.monotonic() + 20
    while lives(pid):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_taken_port_ends_it_with_one_line(process):
    address = address_of(process("--port", "0"))

    second = process("--port", address.rpartition(":")[2])

    assert second.wait(timeout=20) == 1
    last = second.stderr.read().strip().splitlines()[-1]
    assert last == f"cannot listen on {address}: the port may be taken by another process"


def test_an_open_address_ends_it_with_one_line(process):
    served = process("--host", "0.0.0.0", "--port", "0")

    assert served.wait(timeout=20) == 1
    assert "--insecure" in served.stderr.read()


def test_the_package_alone_loads_nothing_heavy():
    code = "import sys, suggestion_service; print(sorted({'grpc', 'numpy', 'google.protobuf'} & set(sys.modules)))"

    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
