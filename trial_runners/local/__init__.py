"""Trials as commands on this machine.

Each runs under a small shell (``wrapper.SCRIPT``) that leads a session of its own and leaves the exit status in a file,
so a trial outlives the engine: after ``kill -9`` it goes on, and the next ``LocalRunner`` on the same root finds it by
its folder. Nothing that matters is kept in memory; what is kept saves system calls.

Read ``runner`` first (the port), then ``wrapper`` (one command), ``command`` (what is run, with which environment),
``paths`` (of a container, replaced), ``collecting`` (how metrics come about), ``sources`` with ``growing_file`` and
``event_folder`` (where they are read), ``outcome`` (what an end means), ``processes`` (nothing is left running) and
``gpus``.
"""

from __future__ import annotations

from trial_runners.local.runner import LocalRunner

__all__ = ["LocalRunner"]
