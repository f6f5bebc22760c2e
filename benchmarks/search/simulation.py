"""Plays the engine in memory: one algorithm searches one problem, on simulated time.

Trials are recorded as the engine records them: numbered in order of proposal, each record and report with a seq. With
several workers the order of ends is that of the simulated durations, and whoever is asked knows all that has ended by
then and all that still runs.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from benchmarks.search.machine import machine
from benchmarks.search.player import Contestant, Player
from benchmarks.search.problem import Evaluation, Problem
from benchmarks.search.time_limit import OutOfTime
from benchmarks.search.trial_log import RunLog, TrialLog
from katib.core.errors import AlgorithmError, KatibError, SpecError
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Measurement, observe
from katib.core.trial import Key, Proposal, Suggestion, Trial, TrialState, evolve

LONGEST_ERROR = 500  # characters that a log keeps of an error


class Conditions(NamedTuple):
    """What is the same for all contestants. budget: trials. workers: trials at a time."""

    seed: int
    budget: int
    workers: int = 1
    suite: str = ""


def simulate(problem: Problem, contestant: Contestant, conditions: Conditions) -> RunLog:
    """One run. What goes wrong ends it and is told in its ``error``."""
    experiment, player, error = _Experiment(problem, conditions.seed), None, ""
    versions: Mapping[str, str] = {}
    try:
        player = contestant.create(spec_of(problem, conditions))
        versions = dict(player.versions)
        _play(experiment, player, conditions)
    except (KatibError, OutOfTime) as reason:
        error = str(reason)
    except Exception as defect:
        error = f"{type(defect).__name__}: {defect}"
    finally:
        if player is not None:
            with suppress(Exception):
                player.close()
    ended = blank(problem, contestant.name, conditions, error)
    return ended._replace(trials=tuple(experiment.log), exhausted=experiment.exhausted, versions=versions)


def blank(problem: Problem, algorithm: str, conditions: Conditions, error: str) -> RunLog:
    """The log of a run without trials."""
    return RunLog(
        suite=conditions.suite,
        problem=problem.name,
        family=problem.family,
        algorithm=algorithm,
        seed=conditions.seed,
        workers=conditions.workers,
        budget=conditions.budget,
        best=problem.best,
        typical=problem.typical,
        worst=problem.worst,
        trials=(),
        exhausted=False,
        error=_short(error),
        versions={},
        machine=machine(),
    )


def spec_of(problem: Problem, conditions: Conditions) -> ExperimentSpec:
    """What a user would say of the problem, and no more; the algorithm is filled in by the contestant. Each problem
    gives the seed another meaning, so that no start of a search is good by chance on all of them."""
    mixed = int.from_bytes(_digest(f"{problem.name} {conditions.seed}")[:4], "big") >> 1  # below 2**31
    return ExperimentSpec(
        key=Key("default", "benchmark"),
        space=problem.space,
        objective=problem.objective,
        algorithm=Component(""),
        budget=Budget(conditions.workers, conditions.budget),
        seed=mixed,
    )


def stream(problem: str, seed: int, number: int) -> np.random.Generator:
    """The random numbers of one trial: the same for every algorithm, and for other trials others."""
    key = [int.from_bytes(_digest(problem)[:8], "big"), seed]
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, number]))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_ERROR else line[: LONGEST_ERROR - 1] + "…"


def _play(experiment: _Experiment, player: Player, conditions: Conditions) -> None:
    """Ask for one suggestion whenever a worker is free, until there are enough trials or no further points."""
    while True:
        proposed = True
        while proposed and experiment.room(conditions):
            proposed = _propose(experiment, player)
        if not experiment.running and experiment.room(conditions):
            raise AlgorithmError("the algorithm proposes nothing although no trial is running")
        if not experiment.running:
            return
        experiment.pass_time()


def _propose(experiment: _Experiment, player: Player) -> bool:
    """Ask once and start what is suggested; whether anything is."""
    before = player.seconds
    proposal = _checked(player.suggest(experiment.history, 1), experiment.history)
    for suggestion in proposal.suggestions:
        experiment.start(suggestion, player.seconds - before)
    experiment.exhausted = proposal.exhausted
    return bool(proposal.suggestions)


def _checked(proposal: Proposal, history: History) -> Proposal:
    """The answer to a call for one suggestion, its values typed. Raises AlgorithmError if there are more suggestions
    than one, or one that lies outside the space."""
    if len(proposal.suggestions) > 1:
        raise AlgorithmError(f"the algorithm gave {len(proposal.suggestions)} suggestions, 1 was asked for")
    try:
        typed = [replace(each, parameters=history.space.check(each.parameters)) for each in proposal.suggestions]
    except SpecError as error:
        raise AlgorithmError(f"the algorithm left the search space: {error}") from error
    return replace(proposal, suggestions=tuple(typed))


class _Experiment:
    """The experiment in memory. now: simulated seconds since its start. log: of all trials, running ones too."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self.history = History(problem.space, problem.objective)
        self.log: list[TrialLog] = []
        self.exhausted = False
        self._problem = problem
        self._seed = seed
        self._now = 0.0
        self._seq = 0
        self._ends: list[tuple[float, int]] = []  # a heap of what runs: (when it ends, number)
        self._evaluations: dict[int, Evaluation] = {}

    @property
    def running(self) -> int:
        """How many trials run."""
        return len(self._ends)

    def room(self, conditions: Conditions) -> bool:
        """Whether another trial may start."""
        return not self.exhausted and len(self.log) < conditions.budget and self.running < conditions.workers

    def start(self, suggestion: Suggestion, ask: float) -> None:
        """Start a trial; ask: seconds that its suggestion took."""
        history, number, seq = self.history, self.history.next_number, self._next_seq()
        duplicate, known = history.number_of(suggestion.parameters) is not None, len(history.finished)
        trial = Trial(
            number=number,
            name=f"benchmark-{number:06d}",
            parameters=suggestion.parameters,
            labels=suggestion.labels,
            parent=suggestion.parent,
            state=TrialState.RUNNING,
            seq=seq,
            created=self._now,
            started=self._now,
        )
        evaluation = self._problem.function(trial.parameters, stream(self._problem.name, self._seed, number))
        end = self._now + evaluation.seconds
        history.record(trial)
        self._evaluations[number] = evaluation
        heapq.heappush(self._ends, (end, number))
        losses, violations = self._truth(trial, evaluation)
        self.log.append(TrialLog(dict(trial.parameters), losses, violations, duplicate, ask, known, self._now, end))

    def pass_time(self) -> None:
        """Go on to the next end; all that end in the same moment do so before anybody is asked."""
        self._now = self._ends[0][0]
        while self._ends and self._ends[0][0] == self._now:
            self._finish(heapq.heappop(self._ends)[1])

    def _finish(self, number: int) -> None:
        evaluation, objective = self._evaluations.pop(number), self._problem.objective
        measurements = _measurements(evaluation.observed, self._now)
        self.history.report(number, measurements, self._seq + 1)
        self._seq += len(measurements)
        observation = observe({}, measurements)
        measured = TrialState.SUCCEEDED if objective.available(observation) else TrialState.METRICS_UNAVAILABLE
        state = TrialState.FAILED if evaluation.failed else measured
        running, seq = self.history.trials[number], self._next_seq()
        self.history.record(evolve(running, state=state, seq=seq, finished=self._now, observation=observation))

    def _truth(self, trial: Trial, evaluation: Evaluation) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """True losses and violations; none of a trial that failed."""
        objective, true = self._problem.objective, observe({}, _measurements(evaluation.true, self._now))
        losses = None if evaluation.failed else objective.losses(true)
        return (losses, objective.violations(trial.parameters, true)) if losses is not None else ((), ())

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq


def _measurements(values: Mapping[str, float], time: float) -> list[Measurement]:
    return [
        Measurement(metric, float(value) if math.isfinite(value) else None, repr(float(value)), time)
        for metric, value in values.items()
    ]
