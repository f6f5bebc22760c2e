"""Who may write what: decisions of the store that do not depend on where records are kept. Pure functions."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from katib.core.changes import Changes
from katib.core.documents import DocumentKey
from katib.core.errors import AlreadyExistsError, ConflictError, FencedError, LeaseHeldError, NotFoundError
from katib.core.experiment import Experiment, ExperimentStatus
from katib.core.ports import Lease

NOBODY = ""  # holder of a lease that was given back


class Stored(NamedTuple):
    """What the store has of an experiment when a commit comes."""

    uid: str
    generation: int


def check_commit(
    changes: Changes, expected: int | None, fence: int | None, stored: Stored | None, current_fence: int | None
) -> None:
    """Raise the error that refuses the commit, if any. The fence comes first: a former owner learns that it is one."""
    key = changes.key
    if fence is not None and fence != current_fence:
        raise FencedError(f"experiment {key}: fence {fence} is no longer valid, it is {current_fence} now")
    if expected == 0:
        if stored is not None:
            raise AlreadyExistsError(f"experiment {key} exists")
    elif stored is None:
        raise NotFoundError(f"no experiment {key}")
    elif expected is not None and expected != stored.generation:
        raise ConflictError(f"experiment {key}: generation {expected} was read, it is {stored.generation} now")
    elif changes.experiment is not None and changes.experiment.uid != stored.uid:
        raise ConflictError(f"experiment {key} was deleted and created again since it was read")


def check_document(key: DocumentKey, stored: int | None, expected: int) -> None:
    """Raise the error that refuses the write of a document, if any. stored: its revision, None if there is none."""
    if expected == 0 and stored is not None:
        raise AlreadyExistsError(f"document {key} exists")
    if expected != 0 and stored is None:
        raise NotFoundError(f"no document {key}")
    if expected != 0 and stored != expected:
        raise ConflictError(f"document {key}: revision {expected} was read, it is {stored} now")


def created(changes: Changes) -> Experiment:
    """What an experiment is just before its first commit."""
    if changes.experiment is None:
        raise ValueError(f"experiment {changes.key}: nothing to create it from")
    return replace(changes.experiment, status=ExperimentStatus(), generation=0, revision=0, seq=0)


def claim(stored: Lease | None, wanted: Lease, now: float, holder_gone: bool) -> Lease:
    """``wanted`` with the next fence. Raises LeaseHeldError while somebody else, who is not gone, holds it."""
    if stored is None:
        return wanted
    if stored.holder not in (NOBODY, wanted.holder) and stored.expires > now and not holder_gone:
        raise LeaseHeldError(
            f"experiment {wanted.key} is run by {stored.holder}; its lease ends in {stored.expires - now:.1f} s"
        )
    return replace(wanted, fence=stored.fence + 1)


def renewed(stored: Lease | None, lease: Lease, expires: float) -> Lease:
    """``lease`` with its new end. Raises FencedError if it is not the newest one any more."""
    if stored is None or (stored.fence, stored.holder) != (lease.fence, lease.holder):
        raise FencedError(f"experiment {lease.key}: the lease with fence {lease.fence} was lost")
    return replace(lease, expires=expires)


def given_back(stored: Lease | None, lease: Lease) -> Lease:
    """Nobody's lease, with the same fence. Raises FencedError if ``lease`` is not the newest one any more."""
    return replace(renewed(stored, lease, 0.0), holder=NOBODY)


def fenced_off(stored: Lease) -> Lease:
    """The lease of a deleted experiment: nobody's, and its former owner's fence is old."""
    return replace(stored, holder=NOBODY, fence=stored.fence + 1, expires=0.0)
