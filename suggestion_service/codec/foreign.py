"""What a controller that knows only Katib's fields leaves out, rebuilt from what it sends.

Katib's controller sends neither the numbers of trials nor their order, labels or parents, and hides some trials. A
reply may name its trials, though, and may carry algorithm settings that the controller stores and sends back with every
later request. So a trial's name tells its number, and one setting remembers labels and parents: the service stays
stateless.

Another client may ignore both. Its trials are then numbered in order of their start, and have no labels.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from katib.core.errors import Problem, SpecError
from katib.core.history import History
from katib.core.objective import Measurement, Objective, Observation, observe
from katib.core.space import SearchSpace
from katib.core.trial import Proposal, Suggestion, Trial, TrialState
from suggestion_service.codec.trials import state_of
from suggestion_service.codec.values import decode_assignments, decode_json, encode_json
from suggestion_service.generated import api_pb2 as pb

MEMORY_SETTING = "katib-engine/trial-memory"
_NUMBER_IN_NAME = re.compile(r"-([0-9]{6,18})\Z")


class Remembered(NamedTuple):
    """What Katib forgets of a suggestion."""

    labels: Mapping[str, str]
    parent: int | None


class ForeignHistory(History):
    """A history with trials missing: those proposed but hidden by the controller, or not created yet."""

    proposed = 0

    @property
    def next_number(self) -> int:
        """Number of the trial that is proposed next: no number is used twice, seen or not."""
        return max(len(self.trials), self.proposed, max(self.trials, default=-1) + 1)


def seed_of(experiment: str, settings: Mapping[str, str]) -> int:
    """The seed of an experiment that came without one: its ``random_state``, else a hash of its name."""
    text = settings.get("random_state", "").strip()
    return int(text) if text.isdecimal() and len(text) < 19 else zlib.crc32(experiment.encode())


def trial_name(experiment: str, number: int) -> str:
    """The name of trial ``number``, from which ``decode_history`` reads the number again."""
    return f"{experiment}-{number:06d}"


def decode_history(
    request: pb.GetSuggestionsRequest,
    space: SearchSpace,
    objective: Objective,
    memory: Sequence[Remembered] = (),
    curves: Mapping[str, Sequence[Measurement]] = MappingProxyType({}),
) -> History:
    """The history that a Katib controller's request tells of, in order of completion.

    memory: what earlier replies left with the controller. curves: what trials reported, by name, from elsewhere.
    """
    proposed = max(request.total_request_number - request.current_request_number, 0)
    messages = sorted(request.trials, key=lambda m: (_or_last(_seconds(m.status.start_time)), m.name))
    numbers = _numbers(request.experiment.name, [message.name for message in messages], proposed)
    trials = []
    for number, message in zip(numbers, messages, strict=True):
        trial = _decode_trial(message, number, space)
        if not trial.labels and number < len(memory):
            trial = replace(trial, labels=memory[number].labels, parent=memory[number].parent)
        trials.append(trial)
    trials.extend(_hidden(request.experiment.name, set(numbers), memory[:proposed]))
    trials.sort(key=lambda t: (_or_last(t.finished), t.number))
    seq, reports, stamped = 0, {}, []
    for trial in trials:
        curve = curves.get(trial.name, ())
        reports[trial.number] = list(enumerate(curve, seq + 1))
        seq += len(curve) + 1
        stamped.append(replace(trial, seq=seq))
    history = ForeignHistory(space, objective, stamped, reports)
    history.proposed = proposed
    return history


def fill(proposal: Proposal, history: History, count: int) -> Proposal:
    """The proposal, filled up to ``count`` with repeats where Katib's controller would ask for ever.

    It throws a reply away that has fewer suggestions than it asked for, and asks again. While trials run, that is how
    it waits. If the search is over, or nothing is left to wait for, points are given again in the order in which they
    were tried, as Katib's own grid does, so that the experiment comes to its maxTrialCount.
    """
    missing = count - len(proposal.suggestions)
    if missing <= 0 or not (proposal.exhausted or not history.active):
        return proposal
    tried = [history.trials[number].parameters for number in sorted(history.trials)]
    tried += [suggestion.parameters for suggestion in proposal.suggestions]
    points = list({history.point(p): p for p in tried if history.space.locate(p) is not None}.values())
    if not points:
        return proposal
    first = history.next_number + len(proposal.suggestions)
    repeats = tuple(Suggestion(points[(first + i) % len(points)]) for i in range(missing))
    return replace(proposal, suggestions=(*proposal.suggestions, *repeats))


def _numbers(experiment: str, names: Sequence[str], proposed: int) -> list[int]:
    """A number for each trial: the one in its name, where we gave it; the lowest free ones for the others."""
    given: dict[str, int] = {}
    for name in names:
        match = _NUMBER_IN_NAME.search(name)
        if match and int(match[1]) < proposed and name == trial_name(experiment, int(match[1])):
            given[name] = int(match[1])
    taken = set(given.values())
    free = (number for number in range(len(names) + len(taken)) if number not in taken)
    return [given.pop(name) if name in given else next(free) for name in names]


def _hidden(experiment: str, seen: Set[int], memory: Sequence[Remembered]) -> Iterator[Trial]:
    """Remembered trials that the request lacks. Katib's controller shows every trial but those without a metric."""
    for number, (labels, parent) in enumerate(memory):
        if labels and number not in seen:
            yield Trial(
                number=number,
                name=trial_name(experiment, number),
                parameters={},
                labels=labels,
                parent=parent,
                state=TrialState.METRICS_UNAVAILABLE,
                finished=0.0,
            )


def _decode_trial(message: pb.Trial, number: int, space: SearchSpace) -> Trial:
    started = _seconds(message.status.start_time)
    state = state_of(message.status.condition)
    finished = (_seconds(message.status.completion_time) or started or 0.0) if state.finished else None
    observation = _decode_observation(message.status.observation.metrics, finished or started or 0.0)
    return Trial(
        number=number,
        name=message.name,
        parameters=decode_assignments(space, message.spec.parameter_assignments.assignments),
        labels=dict(message.spec.labels),
        state=state,
        created=started or 0.0,
        started=started,
        finished=finished,
        observation=observation,
        measured=len(message.status.observation.metrics),
    )


def _decode_observation(metrics: Sequence[pb.Metric], when: float) -> Observation:
    return observe({}, (Measurement(m.name, _finite(m.value), m.value, when) for m in metrics))


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _seconds(text: str) -> float | None:
    """Seconds since the epoch of a time such as ``2024-05-01T12:00:00Z`` (UTC if it names no zone), else None.

    Katib's controller writes the year 1 for a time that is not known yet.
    """
    try:
        moment = datetime.fromisoformat(text)
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if seconds > 0 else None


def _or_last(seconds: float | None) -> float:
    return math.inf if seconds is None else seconds


# ------------------------------------------------------------------------------------------------------ memory


def take_memory(experiment: pb.Experiment) -> list[Remembered]:
    """Remove the setting that remembers suggestions from ``experiment``; what it says. Raises SpecError."""
    settings = experiment.spec.algorithm.algorithm_settings
    kept = [setting for setting in settings if setting.name != MEMORY_SETTING]
    text = next((setting.value for setting in settings if setting.name == MEMORY_SETTING), "")
    del settings[:]
    settings.extend(kept)
    try:
        return _decode_memory(decode_json(text, MEMORY_SETTING)) if text else []
    except (TypeError, ValueError, AttributeError) as error:
        raise SpecError([Problem(MEMORY_SETTING, "not what this service once answered")]) from error


def remember(memory: Sequence[Remembered], first: int, suggestions: Sequence[Suggestion]) -> Mapping[str, str]:
    """The settings to answer with, so that ``suggestions``, the first of them number ``first``, are remembered.

    Empty if there is nothing that Katib would forget.
    """
    gap = [Remembered({}, None)] * (first - len(memory))
    entries = [*memory[:first], *gap, *(Remembered(s.labels, s.parent) for s in suggestions)]
    if not any(entry.labels or entry.parent is not None for entry in entries):
        return {}
    runs: list[list[Any]] = []  # [labels, parents]: neighbours with the same labels share one entry
    for entry in entries:
        if not runs or runs[-1][0] != entry.labels:
            runs.append([dict(entry.labels), []])
        runs[-1][1].append(entry.parent)
    return {MEMORY_SETTING: encode_json(runs)}


def _decode_memory(runs: Any) -> list[Remembered]:
    memory: list[Remembered] = []
    for labels, parents in runs:
        if not all(isinstance(text, str) for pair in labels.items() for text in pair):
            raise TypeError(labels)
        if not all(parent is None or isinstance(parent, int) for parent in parents):
            raise TypeError(parents)
        memory.extend(Remembered(labels, parent) for parent in parents)
    return memory
