"""How ``tune`` shows how far it is: on a terminal, in a notebook, and nowhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import katib

def objective(parameters):
    print("trying", parameters["n"])
    if parameters["n"] == 2:
        raise ValueError("no twos")
    return parameters["n"]

katib.tune(objective, {"n": katib.search.int(1, 3)}, max_trials=3, runner="inline", name="counting" ARGUMENTS)
"""


def on_terminal(program):
    """What a program writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    return process.wait(60), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())


@pytest.mark.parametrize(
    ("arguments", "shows"), [("", True), (", progress=True", True), (", progress=False", False)], ids=str
)
def test_a_terminal_has_a_bar(arguments, shows):
    status, seen = on_terminal(PROGRAM.replace("ARGUMENTS", arguments))
    assert status == 0
    assert {f"trying {n}" for n in (1, 2, 3)} <= set(re.split(r"[\r\n]+", seen))
    assert ("3/3" in seen, "best objective 1 · 1 failed" in seen, "counting" in seen) == (shows,) * 3


def test_it_hides_no_error():
    status, seen = on_terminal(PROGRAM.replace("ARGUMENTS", "").replace("ValueError", "KeyboardInterrupt"))
    assert status == -2 or status == 130
    assert "KeyboardInterrupt: no twos" in seen


@pytest.mark.parametrize(("arguments", "shows"), [("", False), (", progress=True", True)], ids=str)
def test_where_nobody_looks_on_there_is_none(arguments, shows):
    command = [sys.executable, "-c", PROGRAM.replace("ARGUMENTS", arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert sorted(done.stdout.split("\n")) == ["", "trying 1", "trying 2", "trying 3"]
    assert ("3/3" in done.stderr) == shows


NOTEBOOK = """
import katib
result = katib.tune(
    lambda p: p["n"], {"n": katib.search.int(1, 3)}, max_trials=3, name="counting", progress=PROGRESS
)
"""


@pytest.mark.slow
@pytest.mark.requires("ipykernel")
@pytest.mark.parametrize("progress", [None, False])
def test_a_notebook_has_one_display_that_changes(progress):
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", cwd=str(ROOT))
    said = []
    try:
        client.execute_interactive(NOTEBOOK.replace("PROGRESS", str(progress)), output_hook=said.append, timeout=60)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    kinds = [message["msg_type"] for message in said if message["msg_type"] not in ("status", "execute_input")]
    if progress is False:
        assert kinds == []
    else:
        assert kinds == ["display_data", *["update_display_data"] * (len(kinds) - 1)]
        assert (
            '<progress value="3" max="3"></progress> 3 / 3 best objective 1' in said[-2]["content"]["data"]["text/html"]
        )
