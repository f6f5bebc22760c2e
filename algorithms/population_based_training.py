"""Population based training (Jaderberg et al. 2017, "Population based training of neural networks", arXiv 1711.09846).

``n_population`` members train side by side, a trial at a time. A trial continues from the checkpoint of its parent, so
a member's line of trials is one long training whose hyperparameters change on the way:

* When a trial has finished, its member is ranked among the newest results of all members. One that is not among the
  worst continues from its own checkpoint with the same parameters (algorithm 1; Katib perturbs these too).
* One among the worst ``truncation_threshold`` of the population takes the checkpoint *and* the parameters of a random
  one of the best such share ("exploit", truncation selection), and moves them a little ("explore"): each parameter is
  multiplied by 0.8 or 1.2, or becomes its neighbour in a list, or is drawn anew with ``resample_probability``. Nobody
  takes over what is no better than its own. No checkpoint is continued twice with the same parameters while others are
  in reach: a move that was tried before is moved again.
* Results that violate constraints on metrics rank behind all others, by the sum of their violations.
* Members whose trial failed or was killed take over a good one in the same way, whatever their rank; while no member
  has a result, they start anew.

The population is asynchronous, as in the paper: no member waits for its generation. The member with the fewest trials
goes next, so members stay within about one trial of each other where trials take equally long, and slots idle only
if there are more of them than members. A decision reads what has finished at that moment and is recorded with the trial
that it leads to, in the labels below and in ``Trial.parent``; nothing is ever decided again.

Checkpoints are released when they are neither a member's newest result, nor the best trial's, nor the parent of a trial
that runs. The search never ends by itself.

Trials that the experiment started before the algorithm was asked (initial ones) are the first members.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial

import numpy as np
from numpy.random import Generator

from algorithms.batch import Batch
from algorithms.features import SPACE_FEATURES, Feature
from algorithms.perturbation import explore
from algorithms.randomness import generator, seed_of, uniforms
from algorithms.settings import Settings, parse, setting
from algorithms.unseen import first_unseen
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.trial import Parameters, Proposal, Trial, Value

GENERATION = "pbt.suggestion.katib.kubeflow.org/generation"  # how many trials the checkpoint has behind it
PARENT = "pbt.suggestion.katib.kubeflow.org/parent"  # name of the trial whose checkpoint it continues from
MEMBER = "pbt.suggestion.katib.kubeflow.org/member"  # 0 to n_population - 1

_LABEL_LENGTH = 63  # Kubernetes' limit for a label's value
_TRIES = 64


@dataclass(frozen=True, slots=True)
class PopulationSettings(Settings):
    """Settings of ``pbt``."""

    n_population: int = setting(low=5, help="members of the population; as many trials can run at once")
    truncation_threshold: float = setting(
        low=0, high=1, help="share of the population that is replaced, and share of the best ones that replace it"
    )
    resample_probability: float = setting(
        0.0, low=0, high=1, help="probability that a parameter is drawn anew instead of moved, for each one by itself"
    )
    suggestion_trial_dir: str | None = setting(
        None, help="absolute path at which the trial's command finds its checkpoint folder; $KATIB_CHECKPOINT_DIR too"
    )


class PopulationBasedTraining:
    """Exploit by truncation selection, explore by small moves; asynchronous."""

    settings_class = PopulationSettings
    supports = SPACE_FEATURES | {Feature.OUTCOME_CONSTRAINTS}

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting."""
        settings = parse(PopulationSettings, spec.algorithm)
        _check_folder(settings.suggestion_trial_dir)
        self._size = settings.n_population
        self._share = Fraction(str(settings.truncation_threshold))
        self._resample = settings.resample_probability
        self._seed = seed_of(None, spec.seed)

    def suggest(self, history: History, count: int) -> Proposal:
        """The next trial of each member that has none running, those with the fewest trials first."""
        batch, population = Batch(history), _Population(history, self._size, self._share)
        for member in population.waiting():
            if len(batch.suggestions) >= count:
                break
            self._advance(member, batch, population)
        return batch.proposal(
            exhausted=count > 0 and not batch.suggestions and not history.active,
            releases=frozenset(population.releases()),
        )

    def _advance(self, member: _Member, batch: Batch, population: _Population) -> None:
        """Add the member's next trial. Adds none if it must start anew and every point was tried."""
        rng = generator(self._seed, batch.number)
        parent = population.parent_of(member, rng)
        if parent is None:
            if (drawn := self._draw(batch)) is not None:
                batch.add(drawn, {MEMBER: str(member.id), GENERATION: "0"})
            return
        own = parent is member.newest
        parameters = parent.parameters if own else self._explore(parent, population, rng)
        labels = {MEMBER: str(member.id), GENERATION: str(int(parent.labels.get(GENERATION, "0")) + 1)}
        if len(parent.name) <= _LABEL_LENGTH:
            labels[PARENT] = parent.name
        batch.add(parameters, labels, parent.number)
        population.children[parent.number].add(batch.history.point(parameters))

    def _draw(self, batch: Batch) -> dict[str, Value] | None:
        """A new point from the prior, None if each one was tried."""
        space = batch.history.space
        coordinates = uniforms(self._seed, batch.number, len(space))
        return first_unseen(space, coordinates, partial(generator, self._seed, batch.number), batch.taken)

    def _explore(self, parent: Trial, population: _Population, rng: Generator) -> Parameters:
        """A point near the parent's. What its checkpoint was continued with before is moved once more, so that even a
        checkpoint with which everything fails leads somewhere else each time."""
        history, found = population.history, parent.parameters
        for _ in range(_TRIES):
            candidate = explore(history.space, found, rng, self._resample)
            if not history.space.contains(candidate):
                continue
            found = candidate
            if found != parent.parameters and history.point(found) not in population.children[parent.number]:
                break
        return found


@dataclass(slots=True)
class _Member:
    """turns: its trials so far. newest: the last of them. result: the last of them that has a value."""

    id: int
    turns: int = 0
    newest: Trial | None = None
    result: Trial | None = None


@dataclass
class _Population:
    """The members, read from their trials' labels. children: by number of a trial, the points that its checkpoint was
    continued with."""

    history: History
    size: int
    share: Fraction
    members: dict[int, _Member] = field(init=False)
    children: defaultdict[int, set[Hashable]] = field(init=False)

    def __post_init__(self) -> None:
        view = self.history.view()
        good = view.in_space & ~view.failed
        violations = np.maximum(np.nan_to_num(view.violations[good], nan=math.inf), 0.0).sum(axis=1)
        scores = zip(violations.tolist(), view.Y[good, 0].tolist(), strict=True)  # smaller is better (Deb 2000)
        self._scores: dict[int, tuple[float, float]] = dict(zip(view.numbers[good].tolist(), scores, strict=True))
        self._best = min(self._scores, key=self._scores.__getitem__, default=None)  # the first to finish of equals
        self.members = {id: _Member(id) for id in range(self.size)}
        self.children = defaultdict(set)
        self._trials: list[Trial] = []
        for trial, id in self._assigned():
            member = self.members.setdefault(id, _Member(id))
            member.turns, member.newest = member.turns + 1, trial
            if trial.number in self._scores:
                member.result = trial
            if trial.parent is not None:
                self.children[trial.parent].add(self.history.point(trial.parameters))
            self._trials.append(trial)
        results = [member.result for member in self.members.values() if member.result is not None]
        self._ranked = sorted(results, key=lambda t: (self._scores[t.number], t.number))

    def waiting(self) -> list[_Member]:
        """Members without a running trial, those with the fewest trials first."""
        idle = [m for m in self.members.values() if m.newest is None or m.newest.state.finished]
        return sorted(idle, key=lambda m: (m.turns, m.id))

    def parent_of(self, member: _Member, rng: Generator) -> Trial | None:
        """The trial that the member goes on from: its own newest, or a good one's. None to start anew."""
        trial, ranked = member.newest, self._ranked
        if trial is None or not ranked:
            return None
        replaced = math.ceil(self.share * (len(ranked) - 1))  # Katib: those strictly below the quantile
        best = ranked[: max(replaced, 1)]
        if trial is member.result:
            best = [t for t in best if self._scores[t.number] < self._scores[trial.number]]
            poor = any(t is trial for t in ranked[len(ranked) - replaced :])
            if not best or not poor:
                return trial
        return best[int(rng.integers(len(best)))]

    def releases(self) -> Iterator[int]:
        """Finished trials whose checkpoint no trial will continue from, the best one's excepted."""
        kept = {trial.number for trial in self._ranked} | {trial.parent for trial in self.history.active.values()}
        kept.add(self._best)
        return (trial.number for trial in self._trials if trial.state.finished and trial.number not in kept)

    def _assigned(self) -> Iterator[tuple[Trial, int]]:
        """(trial, member's id) in order of number. Trials without labels before the first one with them are members."""
        ours = False
        for place, number in enumerate(sorted(self.history.trials)):
            trial = self.history.trials[number]
            ours = ours or MEMBER in trial.labels
            if MEMBER in trial.labels:
                yield trial, int(trial.labels[MEMBER])
            elif not ours and place < self.size:
                yield trial, place


def _check_folder(path: str | None) -> None:
    if path is not None and not (path.startswith("/") and path.strip("/")):
        expected = "expected the absolute path of a folder, as the trial's command names it"
        raise SpecError(
            [Problem("spec.algorithm.algorithmSettings[suggestion_trial_dir]", f"got {path!r}, {expected}")]
        )
