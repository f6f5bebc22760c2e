"""The experiment as the engine sees it: typed, validated, frozen. ``katib.resources`` makes it from YAML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from katib.core.collector import CollectorSpec
from katib.core.objective import Objective
from katib.core.space import SearchSpace
from katib.core.trial import FailureClass, Key, Parameters, TrialState
from katib.core.warm_start import Source, WarmStart


@dataclass(frozen=True, slots=True)
class Component:
    """An algorithm or stopper by name, with its settings as the user wrote them (Katib: name and text value)."""

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Budget:
    """max_trials: None = no limit. parallel: trials at a time, at least 1. max_failed: None = never fails on that
    ground; 0 and 1 both end the experiment at the first failed trial, as in Katib."""

    parallel: int = 3
    max_trials: int | None = None
    max_failed: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, None for no limit. experiment: that it may run, pauses not counted. trial: that one attempt may
    run. silence: that a running trial may go without reporting a metric."""

    experiment: float | None = None
    trial: float | None = None
    silence: float | None = None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a trial's attempts that failed with each class run again. What is not listed does not.

    backoff: seconds before the first retry, doubled for each further one up to max_backoff.
    """

    limits: Mapping[FailureClass, int] = field(
        default_factory=lambda: {FailureClass.LOST: 3, FailureClass.INFRASTRUCTURE: 3}
    )
    backoff: float = 0.0
    max_backoff: float = 300.0

    def pause(self, failures: int) -> float:
        """Seconds between a trial's failure number ``failures`` (1, 2, ...) and its next attempt."""
        return min(self.backoff * 2.0 ** min(failures - 1, 60), self.max_backoff)


class ResumePolicy(StrEnum):
    """Katib's ``resumePolicy``."""

    NEVER = "Never"
    LONG_RUNNING = "LongRunning"
    FROM_VOLUME = "FromVolume"


@dataclass(frozen=True, slots=True)
class TemplateParameter:
    """``${trialParameters.name}`` in a template stands for ``reference``: a parameter, or ``${trialSpec.Key}``."""

    name: str
    reference: str


@dataclass(frozen=True, slots=True)
class TrialTemplate:
    """The job of a trial. document: manifest as a tree, with placeholders; empty for Python objectives."""

    document: Mapping[str, Any] = field(default_factory=dict)
    parameters: tuple[TemplateParameter, ...] = ()
    primary_container: str = ""
    primary_pod_labels: Mapping[str, str] = field(default_factory=dict)
    success_condition: str = ""
    failure_condition: str = ""
    retain: bool = False


@dataclass(frozen=True, slots=True)
class ExperimentSpec:
    """All that the engine needs to know. nas: Katib's ``nasConfig`` as a tree. seed: None until the experiment is
    created; then fixed, so that every run of it can be repeated. initial: points to try first, before the algorithm
    is asked. warm_start: former experiments to learn from; sources: what was copied of them at creation."""

    key: Key
    space: SearchSpace
    objective: Objective
    algorithm: Component
    budget: Budget = Budget()
    stopper: Component | None = None
    collector: CollectorSpec = field(default_factory=CollectorSpec)
    template: TrialTemplate = TrialTemplate()
    nas: Mapping[str, Any] | None = None
    resume_policy: ResumePolicy = ResumePolicy.NEVER
    labels: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    initial: tuple[Parameters, ...] = ()
    limits: Limits = Limits()
    retry: RetryPolicy = RetryPolicy()
    warm_start: WarmStart | None = None
    sources: tuple[Source, ...] = ()

    @property
    def checkpoint_path(self) -> str:
        """Where a trial's command finds its checkpoint folder: Katib's setting ``suggestion_trial_dir``, which Katib
        heeds for any algorithm. Empty if the experiment names no such place."""
        return self.algorithm.settings.get("suggestion_trial_dir", "")


class Desired(StrEnum):
    """What any process may ask of an experiment; its owner sees it within a second."""

    RUN = "Run"
    STOP = "Stop"  # running trials end; the experiment can go on later
    DELETE = "Delete"


class Retry(NamedTuple):
    """A wish that a finished trial runs again. attempt: the run that ended; done once the trial has a later one."""

    number: int
    name: str
    attempt: int


class Verdict(StrEnum):
    """How an experiment ended; the value is Katib's condition reason."""

    GOAL_REACHED = "ExperimentGoalReached"
    MAX_TRIALS_REACHED = "ExperimentMaxTrialsReached"
    MAX_DURATION_REACHED = "ExperimentMaxDurationReached"  # ours: Katib has no limit of time
    SEARCH_EXHAUSTED = "ExperimentSuggestionEndReached"
    FAILED = "ExperimentFailed"

    @property
    def succeeded(self) -> bool:
        """Whether the end is a success."""
        return self is not Verdict.FAILED


@dataclass(frozen=True, slots=True)
class ExperimentStatus:
    """What the owner last recorded; written in the same transaction as the trials it counts.

    counts: trials by state, of those that were committed. best: number of the best trial, best_value its objective.
    stopped: a wish to stop was carried out. waiting: why nothing starts, if something is awaited. resumed: when it
    began to run, first or after its last pause; ran: seconds that it had run before. restarted: when it last went on
    after its end.
    """

    counts: Mapping[TrialState, int] = field(default_factory=dict)
    best: int | None = None
    best_name: str = ""
    best_value: float | None = None
    started: float | None = None
    finished: float | None = None
    restarted: float | None = None
    verdict: Verdict | None = None
    message: str = ""
    stopped: bool = False
    waiting: str = ""
    resumed: float | None = None
    ran: float = 0.0


@dataclass(frozen=True, slots=True)
class Experiment:
    """One stored experiment.

    document: the resource as the user gave it, defaults filled, for display. budget: the one in force, which any
    process may edit. retries: finished trials that are to run again, the done ones too until
    the next is added. generation: grows with every change of these. revision: resourceVersion, the
    commit that touched it or one of its trials last. seq: the last sequence number given out in this experiment.
    """

    key: Key
    uid: str
    spec: ExperimentSpec
    document: Mapping[str, Any] = field(default_factory=dict)
    desired: Desired = Desired.RUN
    budget: Budget = Budget()
    retries: tuple[Retry, ...] = ()
    status: ExperimentStatus = ExperimentStatus()
    created: float = 0.0
    generation: int = 1
    revision: int = 0
    seq: int = 0
