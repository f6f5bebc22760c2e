"""Histories kept between calls, so that a call costs what is new in it and not the length of the search.

A request carries all trials. Our client writes the finished ones first, in the order in which they finished, and never
changes a byte of them; so what a request has in common with the last one is found by comparing bytes, and only the rest
is read. Whatever does not fit is read anew from its beginning. The answer is that of a service that was just started.
"""

from __future__ import annotations

from collections.abc import Sequence

from katib.core.errors import SpecError
from katib.core.history import History
from katib.core.objective import Objective
from katib.core.space import SearchSpace
from katib.core.trial import Trial
from katib.core.warm_start import Source
from suggestion_service.codec.trials import decode_curve, decode_trial
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.requests import parse


class Mirror:
    """The history of one experiment, as the last request had it. For one thread at a time."""

    def __init__(self, space: SearchSpace, objective: Objective, sources: Sequence[Source] = ()) -> None:
        self._space = space
        self._objective = objective
        self._sources = sources
        self._clear()

    def history(self, trials: Sequence[bytes]) -> History:
        """The history that the Trial messages in ``trials`` tell of; valid until the next call. Raises SpecError."""
        try:
            if not self._advance(trials):
                self._clear()
                if not self._advance(trials):
                    raise SpecError("two trials have the same number")
        except BaseException:
            self._clear()
            raise
        return self._history

    def _clear(self) -> None:
        self._history = History(self._space, self._objective, sources=self._sources)
        self._finished: list[bytes] = []  # what the last request began with: trials that had finished
        self._others: dict[int, bytes] = {}  # the rest of it, by number
        self._seq = -1

    def _advance(self, messages: Sequence[bytes]) -> bool:
        """Take in what is new; False if it does not follow from what is here, which may be half changed then."""
        count = len(self._finished)
        if list(messages[:count]) != self._finished:
            return False
        fresh: list[tuple[Trial, pb.Trial]] = []
        others: dict[int, bytes] = {}
        leading = True
        for data in messages[count:]:
            message = parse(pb.Trial, data)
            number = message.record.number
            trial = decode_trial(message, self._space)
            if self._others.pop(number, None) != data:
                if not self._follows(trial):
                    return False
                fresh.append((trial, message))
            leading = leading and trial.state.finished
            if leading:
                self._finished.append(data)
            else:
                others[number] = data
        if self._others:
            return False  # a trial that was there is gone
        for trial, message in sorted(fresh, key=lambda item: item[0].seq):
            self._record(trial, message)
        self._others = others
        return len(self._history) == len(messages)

    def _follows(self, trial: Trial) -> bool:
        """Whether ``trial`` can be what the history has next: new; of one that had not finished, a later record; or the
        same with more reports."""
        known = self._history.trials.get(trial.number)
        return trial == known or (trial.seq > self._seq and (known is None or not known.state.finished))

    def _record(self, trial: Trial, message: pb.Trial) -> None:
        known = self._history.trials.get(trial.number)
        if known is not None and known.attempt != trial.attempt:
            self._history.record(trial)  # which forgets the curve of the attempt before
        decode_curve(message.record, self._history)
        self._history.record(trial)
        self._seq = max(self._seq, trial.seq)
