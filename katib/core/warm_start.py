"""Warm start: which former experiments a new one learns from, and what was copied of them when it was created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from katib.core.trial import Key
from katib.core.values import Parameters


@dataclass(frozen=True, slots=True)
class WarmStart:
    """experiments: former ones by name. selector: labels of further ones. max_trials: trials that are copied of each at
    most. first: how many of their best points are tried before the algorithm is asked."""

    experiments: tuple[Key, ...] = ()
    selector: Mapping[str, str] = field(default_factory=dict)
    max_trials: int = 100
    first: int = 3


@dataclass(frozen=True, slots=True)
class FormerTrial:
    """A finished trial of a former experiment. parameters: as they were there. losses: one for each target of the new
    experiment, smaller is better."""

    name: str
    parameters: Parameters
    losses: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """What was copied of a former experiment. finished: how many of its trials had finished then."""

    key: Key
    trials: tuple[FormerTrial, ...] = ()
    finished: int = 0
