"""The trial that ``Optimizer.ask`` gives out, and what its holder may wait for: questions for the owner, each a pure
function of a look that answers None as long as there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from katib.core.errors import NotFoundError, PermanentError
from katib.core.trial import FailureClass, Trial, TrialState
from katib.sdk.owner import Look
from trial_runners.asked import Ticket

# Ends that the engine decided while the trial was worked on.
STOPPED = frozenset({TrialState.EARLY_STOPPED, TrialState.KILLED})


@dataclass(frozen=True, slots=True)
class AskedTrial:
    """A trial to be worked on: plain data, which may be sent to where the work is done.

    attempt: 1, or more if it was given out before and never told. parent: number of the trial that it continues.
    labels: the algorithm's own. checkpoint: folder to keep what a later trial may continue from; it holds what the last
    attempt, or else the parent, left in its own. None without a ``folder``.
    """

    number: int
    name: str
    parameters: dict[str, Any]
    attempt: int = 1
    parent: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    checkpoint: Path | None = None


def given(ticket: Ticket, alone: bool, look: Look) -> tuple[Trial, ...] | None:
    """The trial that the ticket got, once the store has it as running; an empty tuple if there is none to come.

    alone: no other thread could tell a trial. Raises PermanentError if then one must be told first.
    """
    if ticket.attempt is None:
        if alone and ticket.asked and look.idle and not look.over:
            raise PermanentError(
                "no trial can be given out before one that is out is told, and there is no other thread that could do "
                "that; tell one first, or ask with a timeout. As many as `parallel` may be out at a time"
            )
        return () if look.over and (ticket.asked or look.final) else None
    trial = look.trials[ticket.attempt.number]
    if trial.attempt != ticket.attempt.id.attempt or trial.state.finished:
        return ()  # it was stopped in the same moment
    return (trial,) if trial.state is TrialState.RUNNING and trial.seq <= look.seq else None


def recorded(asked: AskedTrial, expected: list[int], look: Look) -> Trial | None:
    """The trial once as many reports as ``expected`` holds are stored, or it has ended. Raises NotFoundError."""
    trial = _find(asked, look)
    if expected and trial.attempt == asked.attempt and expected[0] <= trial.measured and trial.seq <= look.seq:
        return trial
    return ended(asked, look)


def ended(asked: AskedTrial, look: Look) -> Trial | None:
    """The trial once the store has the end of this attempt. Raises NotFoundError."""
    trial = _find(asked, look)
    over = trial.state.finished or trial.attempt != asked.attempt
    return trial if over and trial.seq <= look.seq else None


def stopped(asked: AskedTrial, trial: Trial) -> Trial:
    """The record of a trial that ended while it was worked on. Raises PermanentError if somebody told it before, or it
    was given back and is not the caller's any more."""
    if trial.attempt != asked.attempt:
        raise PermanentError(
            f"trial {trial.name}: attempt {asked.attempt} was interrupted; it runs again as attempt {trial.attempt}"
        )
    if trial.state not in STOPPED and trial.failure is not FailureClass.TIME_OUT:
        raise PermanentError(f"trial {trial.name} was told before, it is {trial.state.value}")
    return trial


def _find(asked: AskedTrial, look: Look) -> Trial:
    trial = look.trials.get(asked.number)
    if trial is None or trial.name != asked.name:
        raise NotFoundError(f"trial {asked.name} was not asked for here")
    return trial
