"""Plays the engine for an algorithm: trials with numbers and seqs, finishing in an order of the test's choice.

Small and deterministic. ``restarted`` gives the history that a process started just now would read from its store.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.objective import Measurement, observe
from katib.core.ports import Algorithm
from katib.core.trial import Parameters, Proposal, Suggestion, Trial, TrialState

Function = Callable[[Parameters], float]

MIXED_FATES = (
    *[TrialState.SUCCEEDED] * 6,
    TrialState.EARLY_STOPPED,
    TrialState.FAILED,
    TrialState.METRICS_UNAVAILABLE,
    TrialState.KILLED,
)


@dataclass
class Simulation:
    """An experiment in memory. The clock is the seq: every report and every record of a trial takes one.

    function: the objective's value. others: values of further metrics, by name.
    """

    spec: ExperimentSpec
    function: Function = lambda parameters: 0.0
    others: Mapping[str, Function] = field(default_factory=dict)
    seq: int = 0
    reports: dict[int, list[tuple[int, Measurement]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.history = History(self.spec.space, self.spec.objective)

    @property
    def running(self) -> list[Trial]:
        """Unfinished trials by number."""
        return [self.history.active[number] for number in sorted(self.history.active)]

    def start(self, suggestions: Sequence[Suggestion]) -> list[Trial]:
        """Record the suggestions as running trials."""
        return [self._start(suggestion) for suggestion in suggestions]

    def report(self, number: int, *values: float, metric: str = "") -> None:
        """Reports of a metric (the objective's) by a trial; NaN is a report that is no number."""
        metric = metric or self.spec.objective.metric
        for value in values:
            finite = value if math.isfinite(value) else None
            measurement = Measurement(metric, finite, str(value), float(self.seq + 1), len(self._of(number)))
            self._of(number).append((self._next_seq(), measurement))
            self.history.report(number, [measurement], self.seq)

    def finish(self, number: int, state: TrialState = TrialState.SUCCEEDED) -> Trial:
        """End a trial, with the observation that its reports make up."""
        observation = observe({}, (measurement for _, measurement in self._of(number)))
        seq = self._next_seq()
        trial = replace(self.history.trials[number], state=state, seq=seq, finished=float(seq), observation=observation)
        self.history.record(trial)
        return trial

    def evaluate(self, number: int, state: TrialState = TrialState.SUCCEEDED) -> Trial:
        """Run a trial to its end; one without metrics reports nothing."""
        if state is not TrialState.METRICS_UNAVAILABLE:
            parameters = self.history.trials[number].parameters
            for name, function in self.others.items():
                self.report(number, function(parameters), metric=name)
            self.report(number, self.function(parameters))
        return self.finish(number, state)

    def retry(self, number: int) -> None:
        """A finished trial runs again: its next attempt, without the reports of the last."""
        self.reports.pop(number, None)
        trial = self.history.trials[number]
        again = replace(
            trial, state=TrialState.RUNNING, attempt=trial.attempt + 1, seq=self._next_seq(), observation={}
        )
        self.history = self.history.reopened(again)

    def restarted(self) -> History:
        """An equal history, read anew."""
        return History(self.spec.space, self.spec.objective, self.history.trials.values(), self.reports)

    def run(
        self,
        algorithm: Algorithm,
        trials: int,
        *,
        parallel: int = 1,
        fates: Sequence[TrialState] = (TrialState.SUCCEEDED,),
        order: int | None = None,
        at_each_step: Callable[[Proposal], None] = lambda proposal: None,
    ) -> Proposal:
        """Ask and evaluate until there are ``trials`` trials or the search ends; the last answer.

        order: seed of the order in which trials finish and of their fates; None: oldest first.
        at_each_step: called with each answer before its trials are recorded.
        """
        dice = random.Random(order)
        proposal = Proposal()
        while True:
            wanted = min(parallel - len(self.running), trials - len(self.history))
            if wanted > 0:
                proposal = algorithm.suggest(self.history, wanted)
                at_each_step(proposal)
                self.start(proposal.suggestions)
            if not self.running:
                return proposal
            trial = self.running[0] if order is None else dice.choice(self.running)
            self.evaluate(trial.number, fates[0] if order is None else dice.choice(fates))

    def _start(self, suggestion: Suggestion) -> Trial:
        number, seq = self.history.next_number, self._next_seq()
        trial = Trial(
            number=number,
            name=f"trial-{number}",
            parameters=dict(suggestion.parameters),
            labels=dict(suggestion.labels),
            parent=suggestion.parent,
            state=TrialState.RUNNING,
            seq=seq,
            created=float(seq),
            started=float(seq),
        )
        self.history.record(trial)
        return trial

    def _next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def _of(self, number: int) -> list[tuple[int, Measurement]]:
        return self.reports.setdefault(number, [])
