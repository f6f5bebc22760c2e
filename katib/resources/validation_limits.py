"""Rules of what an Experiment says beyond Katib's fields: limits of time, retries, repeats, seed."""

from __future__ import annotations

from collections.abc import Iterator

from katib.core.errors import Problem
from katib.resources.documents import ExperimentSpec
from katib.resources.durations import EXPECTED, parse_duration
from katib.resources.extensions import RetryPolicySpec
from katib.resources.scalars import show

MAX_SEED = 2**63 - 1


def limit_problems(spec: ExperimentSpec) -> Iterator[Problem]:
    """Everything that is wrong with them."""
    for name, text in (
        ("maxDuration", spec.max_duration),
        ("maxTrialDuration", spec.max_trial_duration),
        ("noMetricTimeout", spec.no_metric_timeout),
    ):
        if text is not None and not parse_duration(text):
            yield Problem(f"spec.{name}", f"got {show(text)}, expected {EXPECTED}, greater than 0")
    if spec.seed is not None and not 0 <= spec.seed <= MAX_SEED:
        yield Problem("spec.seed", f"got {spec.seed}, expected an integer from 0 to 2^63 - 1")
    yield from _repeats(spec)
    if spec.retry_policy is not None:
        yield from _retry_policy(spec.retry_policy)


def _repeats(spec: ExperimentSpec) -> Iterator[Problem]:
    repeats, limit = spec.repeats, spec.max_trial_count
    if repeats is not None and repeats < 1:
        yield Problem("spec.repeats", f"got {repeats}, expected 1 or more")
    elif repeats is not None and limit is not None and repeats > limit > 0:
        yield Problem("spec.repeats", f"got {repeats}, expected at most maxTrialCount, which is {limit}")


def _retry_policy(policy: RetryPolicySpec) -> Iterator[Problem]:
    path = "spec.retryPolicy"
    for name, value in policy.tree().items():
        if name in ("backoff", "maxBackoff"):
            if parse_duration(value) is None:
                yield Problem(f"{path}.{name}", f"got {show(value)}, expected {EXPECTED}")
        elif isinstance(value, int) and value < 0:
            yield Problem(f"{path}.{name}", f"got {value}, expected 0 or more")
