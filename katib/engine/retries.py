"""Finished trials that somebody wants to run again: which ones may, which are due, and what becomes of them.

The wish names the attempt that ended, so it is done as soon as there is a later one, whoever carried it out and however
often it is looked at. The trial keeps its number and its place in the budget; what the former attempt measured stays
in the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from katib.core.experiment import Desired, Experiment, ResumePolicy, Verdict
from katib.core.trial import Trial, TrialState
from katib.engine.progress import next_attempt

# States that may be tried again: those that gave no value. A value that an algorithm has learned from stays.
RETRIABLE = frozenset({TrialState.FAILED, TrialState.METRICS_UNAVAILABLE})


def refusal(experiment: Experiment, trial: Trial) -> str:
    """Why ``trial`` cannot be run again, empty if it can."""
    if trial.state not in RETRIABLE:
        return f"it is {trial.state.value}, and only {' and '.join(sorted(RETRIABLE))} trials run again"
    if experiment.desired is Desired.DELETE:
        return "its experiment is being deleted"
    verdict, policy = experiment.status.verdict, experiment.spec.resume_policy
    if verdict is None or can_go_on(experiment):
        return ""
    return (
        f"its experiment has ended ({verdict.value}, resumePolicy {policy.value}); only one that ended by "
        "maxTrialCount, with the resumePolicy LongRunning or FromVolume, can go on"
    )


def can_go_on(experiment: Experiment) -> bool:
    """Katib's rule for experiments that have ended: by maxTrialCount, with a policy that allows it."""
    never = experiment.spec.resume_policy is ResumePolicy.NEVER
    return experiment.status.verdict is Verdict.MAX_TRIALS_REACHED and not never


def due(experiment: Experiment, trials: Mapping[int, Trial]) -> list[Trial]:
    """The trials, by number, that are to run again and have not yet begun to."""
    wishes = {wish.number: wish.attempt for wish in experiment.retries}
    found = (trials[number] for number in sorted(wishes) if number in trials)
    return [trial for trial in found if trial.attempt == wishes[trial.number] and trial.state in RETRIABLE]


def again(trial: Trial) -> Trial:
    """The trial waiting for its next attempt, as free to be lost as at its first."""
    reason = f"attempt {trial.attempt} ended ({trial.state.value}); run again on request"
    return replace(next_attempt(trial, reason), failures={}, failure=None, message="")
