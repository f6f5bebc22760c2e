"""Answers of nodes, made into updates: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from katib.core.ports import Chunk, Phase, Update
from katib.core.trial import AttemptId, Cursor, FailureClass
from trial_runners.ray.journal import REPORTS, measurements
from trial_runners.ray.place import Told


def serve(told: Told, given: Mapping[str, Cursor]) -> Told | None:
    """A whole answer from other cursors on; None if it does not reach back to them."""
    if told.update.more:
        return None
    chunks: list[Chunk] = []
    for chunk in told.update.chunks:
        start = given.get(chunk.source, Cursor())
        skipped = start.offset - chunk.start.offset
        if not 0 <= skipped <= len(chunk.data):
            return None
        chunks.append(chunk._replace(start=start, data=chunk.data[skipped:]))
    return replace(told, update=replace(told.update, chunks=tuple(chunks)))


def measured(update: Update) -> Update:
    """The update with the reports of a function taken out of their chunk."""
    if not any(chunk.source == REPORTS for chunk in update.chunks):
        return update
    chunks = [chunk for chunk in update.chunks if chunk.source != REPORTS]
    found, ends = list(update.measurements), dict(update.ends)
    for chunk in update.chunks:
        if chunk.source == REPORTS:
            reported, ends[REPORTS] = measurements(chunk)
            found.extend(reported)
    return replace(update, chunks=tuple(chunks), measurements=tuple(found), ends=ends)


def lost(id: AttemptId, reason: str) -> Update:
    """An attempt that is gone."""
    return Update(id, Phase.LOST, reason, FailureClass.LOST)


def never_came(id: AttemptId, cause: str) -> Told:
    """An attempt whose actor does not come up."""
    return Told(Update(id, Phase.FAILED, f"its actor did not come up: {cause}", FailureClass.INFRASTRUCTURE))
