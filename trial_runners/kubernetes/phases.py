"""What an attempt has come to, judged from its job and its pods: pure.

- A request of ours to end it decides, once nothing of it runs any more.
- The template's conditions over the job decide next, the failure's first, as in Katib. Why it failed is read from the
  pod: out of memory, evicted, deadline, exit status.
- A pod that somebody else takes away (by hand, preemption, drained or silent node), and a job that somebody deletes,
  make the attempt LOST: it must run again as a whole, for another pod in its place would report everything again. So
  the job is deleted too (``Outcome.cut``), unless its deadline is about to explain it.
- A pod that cannot start for what its user wrote (image, ConfigMap) fails: at once where waiting cannot help, else
  after some patience.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from katib.core.experiment import TrialTemplate
from katib.core.ports import Phase
from katib.core.trial import FailureClass
from katib.resources.conditions import Condition, Match, parse
from trial_runners.attempt_folder import Ending
from trial_runners.kubernetes import pod_states as pods
from trial_runners.kubernetes.api import Tree
from trial_runners.kubernetes.mirror import Objects

# Seconds after a pod should have been gone, until its node counts as silent.
_SILENCE = 30.0

# Seconds before a job's deadline in which its own controller may be the one that takes the pod away; clocks differ.
_DEADLINE_MARGIN = 5.0

# Seconds that the container which collects metrics may run on after the training.
_COLLECTOR_PATIENCE = 20.0

_UNSTARTED = frozenset({"StartError", "ContainerCannotRun"})
_SIGNAL_BASE = 128
_FROM_OUTSIDE = frozenset({signal.SIGKILL, signal.SIGTERM})


class Outcome(NamedTuple):
    """Where an attempt is, and why. words: what the cluster says beside, for people. cut: it is over by our decision,
    so its job must be deleted. troubled: its pod cannot start, which patience may help."""

    phase: Phase
    reason: str = ""
    failure: FailureClass | None = None
    words: str = ""
    cut: bool = False
    troubled: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """How jobs of a template end. container: the one that trains. pod_labels: of the pods whose container it is."""

    success: Condition | None
    failure: Condition | None
    container: str
    pod_labels: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, template: TrialTemplate) -> Rules:
        """The template's. Raises SpecError on a condition that cannot be read."""
        return cls(
            success=parse(template.success_condition) if template.success_condition else None,
            failure=parse(template.failure_condition) if template.failure_condition else None,
            container=template.primary_container,
            pod_labels=tuple(sorted(template.primary_pod_labels.items())),
        )

    def primary(self, candidates: Sequence[Tree]) -> list[Tree]:
        """Those pods whose container trains, in order of their making."""
        with_container = [pod for pod in candidates if pods.has_container(pod, self.container)]
        labelled = [pod for pod in with_container if dict(self.pod_labels).items() <= pods.labels(pod).items()]
        return sorted(labelled or with_container, key=pods.age)


class Sight(NamedTuple):
    """What is known of an attempt. job: None if there is none. made: it is on record that there was one. pods: all of
    them. ending: our request to end it. troubled: seconds that its pod could not start. note: why there is no pod, if
    that was found out. now: seconds since the epoch. beside: the container that collects metrics, empty for none."""

    job: Tree | None
    made: bool
    pods: Objects
    ending: Ending | None
    now: float
    troubled: float = 0.0
    note: str = ""
    beside: str = ""


def judge(sight: Sight, rules: Rules, patience: float) -> Outcome:
    """The outcome. patience: seconds that a pod may be unable to start for its image or its ConfigMaps."""
    active = [pod for pod in sight.pods.present if not pods.over(pod, sight.now - _SILENCE)]
    if sight.ending is not None:
        return _ending(sight, active, sight.ending)
    if sight.job is None:
        return _without_job(sight, active, rules)
    own, taken = pods.untaken(rules.primary([*sight.pods.present, *sight.pods.gone]), sight.pods.gone)
    failed = rules.failure.match(sight.job) if rules.failure else None
    if failed is not None:
        return _failed(sight.job, failed, own, rules.container)
    if rules.success and rules.success.match(sight.job) is not None:
        return Outcome(Phase.SUCCEEDED)
    if sight.job["metadata"].get("deletionTimestamp"):
        return Outcome(Phase.RUNNING, "its job is being deleted by somebody")
    if not own:
        return Outcome(Phase.WAITING, sight.note or "its job has made no pod yet")
    if taken and not _deadline_near(sight.job, sight.now):
        return _lost(own[-1], taken)._replace(cut=True)
    return _of_pod(sight, own[-1], rules, patience)


def _ending(sight: Sight, active: Sequence[Tree], ending: Ending) -> Outcome:
    """What we ended is over once its pods are. While the job is there without a pod, one may still come."""
    pods_known = bool(sight.pods.present or sight.pods.gone)
    deleted = sight.job is None or (bool(sight.job["metadata"].get("deletionTimestamp")) and pods_known)
    if deleted and not active:
        return Outcome(ending.phase, ending.reason, ending.failure)
    return Outcome(Phase.RUNNING, "it is being ended")


def _without_job(sight: Sight, active: Sequence[Tree], rules: Rules) -> Outcome:
    if active:
        return Outcome(Phase.RUNNING, "its job was deleted by somebody; its pods are being ended")
    if not sight.made:
        return Outcome(Phase.LOST, "there is no trace of this attempt in the cluster", FailureClass.LOST)
    own = rules.primary([*sight.pods.present, *sight.pods.gone])
    node = f"; its pod was on node {pods.node(own[-1])}" if own and pods.node(own[-1]) else ""
    return Outcome(Phase.LOST, f"its job was deleted by somebody{node}", FailureClass.LOST)


def _of_pod(sight: Sight, pod: Tree, rules: Rules, patience: float) -> Outcome:
    """Where an attempt is whose job has not ended."""
    waiting = pods.waiting(pod, rules.container)
    if waiting is None:
        if pods.phase(pod) in ("Succeeded", "Failed"):
            return Outcome(Phase.RUNNING, "its pod has ended, its job is about to")
        return _beside(sight, pod, rules) or Outcome(Phase.RUNNING)
    reason, message = waiting
    said = f"{reason}: {message}" if message else reason
    hopeless = reason in pods.HOPELESS or (reason in pods.TROUBLED and sight.troubled > patience)
    if hopeless:
        return Outcome(Phase.FAILED, f"its pod cannot start: {said}", FailureClass.USER_ERROR, cut=True)
    return Outcome(Phase.WAITING, said, troubled=reason in pods.TROUBLED)


def _beside(sight: Sight, pod: Tree, rules: Rules) -> Outcome | None:
    """What the container that collects metrics makes of a pod that runs: one that cannot start is no use to wait for;
    one that does not end after the training does not decide."""
    kind, collector = pods.state(pod, sight.beside)
    if collector.get("reason") in _UNSTARTED:
        words = str(collector.get("message") or "")
        reason = f"the metrics collector cannot start in its image, {pods.image(pod, sight.beside)}: {words}"
        return Outcome(Phase.FAILED, reason, FailureClass.USER_ERROR, words, cut=True)
    ended, training = pods.state(pod, rules.container)
    if not sight.beside or ended != "terminated" or kind == "terminated" or not training.get("finishedAt"):
        return None
    if sight.now - pods.seconds(training["finishedAt"]) < _COLLECTOR_PATIENCE:
        return None
    if training.get("exitCode"):
        return _exit(pod, rules.container, training)._replace(cut=True) if pods.ends_with_it(pod) else None
    return Outcome(Phase.SUCCEEDED, cut=True)


def _failed(job: Tree, match: Match, own: Sequence[Tree], container: str) -> Outcome:
    """Why a job has failed: by its own word, then by that of its last pod."""
    if match.reason == "DeadlineExceeded":
        seconds = (job.get("spec") or {}).get("activeDeadlineSeconds")
        limit = f", {seconds} s" if seconds is not None else ""
        return Outcome(Phase.FAILED, f"ran longer than its activeDeadlineSeconds{limit}", FailureClass.TIME_OUT)
    pod = own[-1] if own else None
    if pod is not None:
        found = _pod_failure(pod, container)
        if found is not None:
            return found
    said = ": ".join(filter(None, [match.reason, match.message]))
    return Outcome(Phase.FAILED, said or "its job has failed", FailureClass.USER_ERROR)


def _pod_failure(pod: Tree, container: str) -> Outcome | None:
    """What the pod of a failed job died of; None if it does not say."""
    if pods.reason(pod) == "DeadlineExceeded":
        seconds = pod["spec"].get("activeDeadlineSeconds")
        reason = f"its pod ran longer than its activeDeadlineSeconds, {seconds} s"
        return Outcome(Phase.FAILED, reason, FailureClass.TIME_OUT)
    taken = pods.taken_away(pod)
    if taken:
        return _lost(pod, taken)
    ends = pods.ends(pod)
    for name, end in ends:
        if end.get("reason") == "OOMKilled":
            limit = pods.memory_limit(pod, name)
            reason = f"container {name} ran out of memory{f', its limit is {limit}' if limit else ''}"
            return Outcome(Phase.FAILED, reason, FailureClass.OUT_OF_MEMORY)
    failed = sorted(((name, end) for name, end in ends if end.get("exitCode")), key=lambda item: item[0] != container)
    return _exit(pod, *failed[0]) if failed else None


def _exit(pod: Tree, name: str, end: Tree) -> Outcome:
    status, words = int(end["exitCode"]), str(end.get("message") or "")
    killer = _signal(status)
    if killer in _FROM_OUTSIDE:
        reason = f"container {name} was killed by signal {killer.name} from outside, on node {pods.node(pod)}"
        return Outcome(Phase.LOST, reason, FailureClass.LOST, words)
    reason = f"killed by signal {killer.name}" if killer is not None else f"exit status {status}"
    if end.get("reason") not in (None, "", "Error", "Completed"):
        reason = f"{reason} ({end['reason']})"
    return Outcome(Phase.FAILED, f"{reason} of container {name}", FailureClass.USER_ERROR, words)


def _lost(pod: Tree, why: str) -> Outcome:
    name, node = pod["metadata"]["name"], pods.node(pod)
    return Outcome(Phase.LOST, f"pod {name} on node {node or 'none'}: {why}", FailureClass.LOST)


def _deadline_near(job: Tree, now: float) -> bool:
    """Whether the job's controller may be ending it for its deadline."""
    seconds = (job.get("spec") or {}).get("activeDeadlineSeconds")
    started = (job.get("status") or {}).get("startTime")
    if not isinstance(seconds, int) or not started:
        return False
    passed = now - pods.seconds(started)
    return seconds - _DEADLINE_MARGIN <= passed <= seconds + 2 * _SILENCE


def _signal(status: int) -> signal.Signals | None:
    try:
        return signal.Signals(status - _SIGNAL_BASE)
    except ValueError:
        return None
