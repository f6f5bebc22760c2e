"""One call of a Python objective, what it finds around it and what became of it: the part that inline trials and
worker processes share.

Workers import this module, so it loads nothing beyond the standard library and the trial's side of reporting.
"""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from katib.core.trial import FailureClass
from katib.report import Receiver, Report, TrialStopped, measure, receiving

Objective = Callable[[dict[str, Any]], Any]

CHECKPOINT_DIR = "KATIB_CHECKPOINT_DIR"

REASON_CHARACTERS = 500
_MESSAGE_CHARACTERS = 4000


class Surroundings(NamedTuple):
    """What an objective finds around it. environment: variables; a checkpoint folder that they name is made.

    inherited: checkpoint folder whose content that one starts with. log: file that takes the output. Empty for none.
    number: of the trial. seed: of its random numbers.
    """

    environment: Mapping[str, str]
    inherited: str = ""
    log: str = ""
    number: int = 0
    seed: int = 0


_here: ContextVar[Surroundings] = ContextVar("katib_trial_surroundings")


def this_trial() -> Surroundings:
    """What the objective that is called in this thread finds around it. Raises LookupError if none is."""
    return _here.get()


class Ending(NamedTuple):
    """How a call ended. failure: None if it returned; stopped: it let a stop request pass through.

    reports: those made from the returned value. reason, message: a line and a traceback for people.
    """

    failure: FailureClass | None = None
    stopped: bool = False
    reports: tuple[Report, ...] = ()
    reason: str = ""
    message: str = ""


def call(objective: Objective, parameters: Mapping[str, Any], metric: str, receiver: Receiver) -> Ending:
    """Call the objective; its reports go to ``receiver`` while it runs, the returned value into the answer.

    metric: what a plain returned number measures; returned or reported, it must be measured for the call to succeed.
    Never raises but for KeyboardInterrupt, which is the user's and not the objective's.
    """
    reported: set[str] = set()

    def receive(reports: tuple[Report, ...]) -> None:
        reported.update(report.metric for report in reports)
        receiver(reports)

    try:
        with receiving(receive):
            returned = objective(dict(parameters))
        return _returned(returned, metric, reported)
    except TrialStopped:
        return Ending(stopped=True)
    except KeyboardInterrupt:
        raise
    except SystemExit as exit_:
        if exit_.code in (None, 0):
            return _returned(None, metric, reported)
        return Ending(FailureClass.USER_ERROR, reason=storable(f"SystemExit: {exit_.code}"[:REASON_CHARACTERS]))
    except MemoryError as error:
        return failed(error, FailureClass.OUT_OF_MEMORY)
    except BaseException as error:
        return failed(error)


def make_checkpoint(surroundings: Surroundings) -> str:
    """The attempt's own checkpoint folder, made if it is not there; empty if it has none. Raises OSError.

    What it starts with is copied aside and renamed, so that a folder of that name is never half a copy.
    """
    checkpoint = surroundings.environment.get(CHECKPOINT_DIR, "")
    if not checkpoint or os.path.isdir(checkpoint):
        return checkpoint
    if os.path.isdir(surroundings.inherited):
        aside = f"{checkpoint}.partial"
        shutil.rmtree(aside, ignore_errors=True)
        shutil.copytree(surroundings.inherited, aside, symlinks=True)
        os.rename(aside, checkpoint)
    else:
        os.makedirs(checkpoint, exist_ok=True)
    return checkpoint


@contextmanager
def surrounded(surroundings: Surroundings) -> Iterator[None]:
    """Environment and checkpoint folder for the time of the block. Raises OSError if the folder cannot be made."""
    make_checkpoint(surroundings)
    before = {name: os.environ.get(name) for name in surroundings.environment}
    os.environ.update(surroundings.environment)
    token = _here.set(surroundings)
    try:
        yield
    finally:
        _here.reset(token)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def failed(error: BaseException, failure: FailureClass = FailureClass.USER_ERROR) -> Ending:
    """The ending of a call that raised ``error``; its traceback starts below this package."""
    told = traceback.TracebackException.from_exception(error)
    while told.stack and os.path.dirname(told.stack[0].filename) == os.path.dirname(__file__):
        del told.stack[0]
    reason = f"{type(error).__name__}: {told}" if str(told) else type(error).__name__
    text = "".join(told.format())
    return Ending(failure, reason=storable(reason[:REASON_CHARACTERS]), message=storable(text[-_MESSAGE_CHARACTERS:]))


def _returned(value: Any, metric: str, reported: set[str]) -> Ending:
    """The ending of a call that returned ``value``: a number, a mapping of numbers, or None after reports."""
    named = {} if value is None else value if isinstance(value, Mapping) else {metric: value}
    if isinstance(value, str):
        return _refused(f"returned {value[:100]!r}", metric)
    try:
        reports = measure(named)
    except ValueError as error:
        return _refused(f"returned a value that cannot be used: {error}", metric)
    if metric not in reported and metric not in named:
        names = ", ".join(sorted({*reported, *named})) or "nothing"
        return _refused(f"returned {type(value).__name__} and measured {names}, but not {metric!r}", metric)
    return Ending(reports=reports)


def storable(text: str) -> str:
    """The text without what databases refuse: lone surrogates and NUL."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def _refused(what: str, metric: str) -> Ending:
    expected = f"a number ({metric!r}), a dict of numbers by metric name, or None after report_metrics"
    return Ending(FailureClass.USER_ERROR, reason=f"the objective {what}; expected {expected}")
