"""What an ended attempt has come to: a pure judgement of the files it left.

- A request to end it (stop, deadline, limit) decides, whatever the exit status.
- 0 is a success, any other status the user's error.
- Killed by SIGHUP, SIGINT, SIGTERM or SIGKILL that this runner did not send: somebody did (a shutdown, an
  administrator), as no program does that to itself, so the attempt is LOST and runs again. Where the kernel killed it
  for lack of memory, the runner has recorded that as the cause before. Other signals are the program's own error.
- No exit status: the wrapper was killed too; LOST.
"""

from __future__ import annotations

import signal
from typing import NamedTuple

from katib.core.ports import Phase
from katib.core.trial import FailureClass
from trial_runners.attempt_folder import Ending, Exit

_FROM_OUTSIDE = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGKILL})

# A shell reports signal n as 128 + n.
_SIGNAL_BASE = 128
_SHELL_REASONS = {126: "exit status 126 (the program cannot be executed)", 127: "exit status 127 (program not found)"}


class Outcome(NamedTuple):
    """Where an attempt is, and why."""

    phase: Phase
    reason: str = ""
    failure: FailureClass | None = None


def judge(ending: Ending | None, exit: Exit | None) -> Outcome:
    """The outcome of an attempt that does not run any more."""
    if ending is not None:
        return Outcome(ending.phase, ending.reason, ending.failure)
    if exit is None:
        return Outcome(Phase.LOST, "ended without an exit status: its wrapper was killed", FailureClass.LOST)
    if exit.status == 0:
        return Outcome(Phase.SUCCEEDED)
    killer = signal_of(exit)
    if killer in _FROM_OUTSIDE:
        return Outcome(Phase.LOST, f"killed by signal {killer.name} from outside", FailureClass.LOST)
    if killer is not None:
        return Outcome(Phase.FAILED, f"killed by signal {killer.name}", FailureClass.USER_ERROR)
    reason = exit.reason or _SHELL_REASONS.get(exit.status, f"exit status {exit.status}")
    return Outcome(Phase.FAILED, reason, FailureClass.USER_ERROR)


def signal_of(exit: Exit) -> signal.Signals | None:
    """The signal that ended the command, None if it ended by itself."""
    try:
        return signal.Signals(exit.status - _SIGNAL_BASE)
    except ValueError:
        return None
