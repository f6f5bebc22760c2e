"""The part of a client's program that does what it is told: names of its cases come in, outcomes go out."""

from __future__ import annotations

import contextlib
import json
import sys
import traceback
from collections.abc import Callable

Case = Callable[[], None]


def answer(cases: dict[str, Case]) -> None:
    """Run each case that a line of standard input names; its traceback, empty if all is well, is a line of JSON."""
    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        failure = ""
        with contextlib.redirect_stdout(sys.stderr):
            try:
                cases[line.strip()]()
            except Exception:
                failure = traceback.format_exc()
        replies.write(json.dumps(failure) + "\n")
        replies.flush()


def raised(kind: type[Exception], word: str, call: Callable[[], object]) -> None:
    """Check that ``call`` raises ``kind`` with ``word`` in its message."""
    try:
        call()
    except kind as error:
        message = str(error)
    else:
        raise AssertionError(f"nothing was raised, expected {kind.__name__}")
    assert word in message, message
