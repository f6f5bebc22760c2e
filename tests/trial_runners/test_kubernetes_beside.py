"""What the container that collects metrics makes of an attempt: it is waited for, but it does not decide."""

from __future__ import annotations

from typing import Any

import pytest

from katib.core.ports import Phase
from katib.core.trial import FailureClass
from tests.trial_runners.kubernetes_attempts import template
from trial_runners.kubernetes.mirror import Objects
from trial_runners.kubernetes.phases import Outcome, Rules, Sight, judge

RUNNING = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
NOW = 1767225600.0  # the same time
ENDED = {"terminated": {"exitCode": 0, "finishedAt": "2026-01-01T00:00:00Z"}}
FAILED = {"terminated": {"exitCode": 3, "reason": "Error", "finishedAt": "2026-01-01T00:00:00Z"}}
UNSTARTED = {"terminated": {"exitCode": 128, "reason": "StartError", "message": 'exec: "python3": not found'}}


def judged(training: Any, collector: Any, seconds: float, beside: str = "echo", restart: str = "Never") -> Outcome:
    statuses = [{"name": "main", "state": training}, {"name": "echo", "state": collector}]
    containers = [{"name": "main"}, {"name": "echo", "image": "i:1"}]
    pod = {
        "metadata": {"name": "p", "uid": "u"},
        "spec": {"restartPolicy": restart, "containers": containers},
        "status": {"phase": "Running", "containerStatuses": statuses},
    }
    job: dict[str, Any] = {"metadata": {"name": "j"}, "spec": {}, "status": {}}
    sight = Sight(job, True, Objects((pod,)), None, NOW + seconds, beside=beside)
    return judge(sight, Rules.of(template()), 300.0)


@pytest.mark.parametrize(
    ("outcome", "phase", "failure", "cut"),
    [
        pytest.param(judged(RUNNING, RUNNING, 100), Phase.RUNNING, None, False, id="both run"),
        pytest.param(judged(ENDED, RUNNING, 10), Phase.RUNNING, None, False, id="it has a moment"),
        pytest.param(judged(ENDED, RUNNING, 30), Phase.SUCCEEDED, None, True, id="no more than that"),
        pytest.param(judged(FAILED, RUNNING, 30), Phase.FAILED, FailureClass.USER_ERROR, True, id="the training's end"),
        pytest.param(judged(FAILED, RUNNING, 30, restart="OnFailure"), Phase.RUNNING, None, False, id="once more"),
        pytest.param(judged(ENDED, ENDED, 30), Phase.RUNNING, None, False, id="the job is about to end"),
        pytest.param(judged(ENDED, RUNNING, 30, beside=""), Phase.RUNNING, None, False, id="the user's own"),
        pytest.param(judged(RUNNING, UNSTARTED, 0), Phase.FAILED, FailureClass.USER_ERROR, True, id="cannot start"),
        pytest.param(judged(RUNNING, ENDED, 0), Phase.RUNNING, None, False, id="it ended early"),
    ],
)
def test_the_end_of_the_training_decides(
    outcome: Outcome, phase: Phase, failure: FailureClass | None, cut: bool
) -> None:
    assert (outcome.phase, outcome.failure, outcome.cut) == (phase, failure, cut)


def test_why_it_cannot_start() -> None:
    reason = judged(RUNNING, UNSTARTED, 0).reason
    assert reason == 'the metrics collector cannot start in its image, i:1: exec: "python3": not found'
