"""The part of a cluster that one experiment is in: its jobs and their pods, mirrored, and requests to change them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from katib.core.errors import RunnerError
from katib.core.trial import AttemptId, Key
from katib.resources.projection import EXPERIMENT_LABEL
from trial_runners.kubernetes.api import EVENTS, PODS, Api, RefusedError, Request, Resource, Tree, UnansweredError
from trial_runners.kubernetes.mirror import Mark, Mirror, Objects
from trial_runners.kubernetes.names import identity, label_value

_CONFLICT, _MISSING = 409, 404

# Events that are asked for, to find out why a job makes no pod.
_EVENTS = 20


class Cluster:
    """Jobs of one kind in the experiment's namespace. For any number of threads."""

    def __init__(self, api: Api, key: Key, kind: tuple[str, str], changed: Callable[[Mark], None]) -> None:
        """kind: apiVersion and kind of the jobs. changed: told of each attempt that something of changed."""
        self._api, self._namespace, self._kind = api, key.namespace, kind
        selector = f"{EXPERIMENT_LABEL}={label_value(key.name)}"
        self.jobs = Mirror(api, self._resource, key.namespace, selector, changed)
        self.pods = self.jobs
        if kind != ("v1", "Pod"):
            self.pods = Mirror(api, lambda: PODS, key.namespace, selector, changed)

    def check(self, timeout: float) -> None:
        """Return once jobs and pods are known. Raises RunnerError or UnavailableError."""
        self.jobs.check(timeout)
        self.pods.check(timeout)

    @property
    def known(self) -> bool:
        """Whether ``check`` would return now."""
        return self.jobs.synced and self.pods.synced

    def job(self, mark: Mark) -> Tree | None:
        """The job of an attempt."""
        return next(iter(self.jobs.of(mark).present), None)

    def pods_of(self, mark: Mark) -> Objects:
        """The pods of an attempt."""
        return self.pods.of(mark)

    def keep(self, mark: Mark) -> None:
        """Remember what becomes of an attempt's pods."""
        self.pods.keep(mark)

    def forget(self, mark: Mark) -> None:
        """No longer."""
        self.pods.forget(mark)

    def create(self, id: AttemptId, manifest: Tree) -> Tree:
        """Make the job, or find it made. Raises RunnerError if it is refused or its name is taken, UnavailableError."""
        resource = self._resource()
        try:
            job = self._api.call(Request("create", resource, self._namespace, body=manifest))
        except RefusedError as error:
            if error.status != _CONFLICT:
                raise RunnerError(f"the cluster refuses the job: {error}") from error
            job = self._existing(id, resource, manifest["metadata"]["name"])
        self.jobs.put(job)
        return job

    def delete_job(self, job: Tree) -> None:
        """Delete a job after its pods, which it takes with it; nothing if it is gone."""
        self._delete(self.jobs, self._resource(), job, {"propagationPolicy": "Foreground"})

    def remove(self, mark: Mark) -> None:
        """Delete all of an attempt: its job, and pods that have none any more."""
        for job in self.jobs.of(mark).present:
            self.delete_job(job)
        for pod in self.pods.of(mark).present:
            if not pod["metadata"].get("deletionTimestamp") and not pod["metadata"].get("ownerReferences"):
                self.delete_pod(pod, 1)

    def release_pods(self, job: Tree, grace: int) -> None:
        """Delete a job whose pods are to be deleted next, with a grace of their own; nothing if it is gone.

        A batch Job lets go of its pods. Otherwise the cluster would delete them a few milliseconds later, with the
        grace of their template, and kubelets before 1.22 hear of the first grace only. Other kinds may have more than
        pods, which must go with them. grace: seconds, for a job that is a pod itself.
        """
        if self.pods is self.jobs:
            self.delete_pod(job, grace)
        else:
            policy = "Orphan" if self._kind[1] == "Job" else "Foreground"
            self._delete(self.jobs, self._resource(), job, {"propagationPolicy": policy})

    def delete_pod(self, pod: Tree, grace: int) -> None:
        """Have a pod end: SIGTERM now, SIGKILL after ``grace`` seconds."""
        self._delete(self.pods, PODS, pod, {"gracePeriodSeconds": grace})

    def warning(self, job: Tree) -> str:
        """The last warning that the cluster has about a job, empty if there is none."""
        selector = f"involvedObject.uid={job['metadata']['uid']},type=Warning"
        query = {"fieldSelector": selector, "limit": _EVENTS}
        events = self._api.call(Request("list", EVENTS, self._namespace, query=query)).get("items") or []
        if not events:
            return ""
        last = max(events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "")
        return f"{last.get('reason')}: {last.get('message')}"

    def close(self) -> None:
        """Stop watching."""
        self.jobs.close()
        if self.pods is not self.jobs:
            self.pods.close()

    def _resource(self) -> Resource:
        return self._api.resource(*self._kind)

    def _existing(self, id: AttemptId, resource: Resource, name: str) -> Tree:
        """The object that has the name already, if it is the attempt's."""
        try:
            job = self._api.call(Request("get", resource, self._namespace, name))
        except RefusedError as error:
            raise UnansweredError(f"{name} was there a moment ago: {error}", _CONFLICT) from error
        labels = job["metadata"].get("labels") or {}
        if not identity(id).items() <= labels.items():
            raise RunnerError(f"the name {name} is taken in namespace {self._namespace} by what is none of ours")
        if job["metadata"].get("deletionTimestamp"):
            raise UnansweredError(f"a former {name} is still being deleted", _CONFLICT)
        return job

    def _delete(self, mirror: Mirror, resource: Resource, obj: Tree, options: dict[str, Any]) -> None:
        """Delete this very object, not another one of its name. The mirror learns at once that it is going."""
        name, uid = obj["metadata"]["name"], obj["metadata"]["uid"]
        body = {"kind": "DeleteOptions", "apiVersion": "v1", **options, "preconditions": {"uid": uid}}
        try:
            answer = self._api.call(Request("delete", resource, self._namespace, name, body=body))
        except RefusedError as error:
            if error.status not in (_MISSING, _CONFLICT):
                raise
            return
        metadata = answer.get("metadata", {})  # what is gone at once has no version any more
        if metadata.get("uid") == uid and metadata.get("deletionTimestamp") and metadata.get("resourceVersion"):
            mirror.put(answer)
