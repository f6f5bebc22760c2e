"""What goes wrong in a cluster, done to real pods: each fault has its final state, its class and its words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from katib.core.errors import RunnerError
from katib.core.ports import Phase
from katib.core.trial import Attempt, FailureClass
from tests.contracts.runner_contract import update_of
from tests.trial_runners.kubernetes_attempts import (
    JOBS,
    KubernetesAdapter,
    adapter_in,
    follow,
    shell,
    template,
    until,
)
from trial_runners.kubernetes.api import PODS, Api, Request, Resource
from trial_runners.kubernetes.runner import PATIENCE_VARIABLE

pytestmark = [pytest.mark.requires("k8s")]

QUOTAS = Resource("/api/v1", "resourcequotas")
DEFINITIONS = Resource("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False)
SLEEP = "trap 'exit 1' TERM; echo begun; sleep 60 & wait"


@pytest.fixture
def adapter(tmp_path: Path, kubernetes_namespace: str) -> Iterator[KubernetesAdapter]:
    with adapter_in(kubernetes_namespace, tmp_path / "runs") as adapter:
        yield adapter


@pytest.mark.parametrize(
    ("script", "changes", "failure", "words"),
    [
        pytest.param("", {"container": {"imagePullPolicy": "Never", "image": "localhost/none:1"}}, "UserError",
                     "ErrImageNeverPull", id="image that must be there is not"),
        pytest.param("", {"container": {"image": "Not An Image"}}, "UserError", "InvalidImageName", id="image name"),
        pytest.param("", {"container": {"image": "localhost/none:1"}}, "UserError", "localhost/none:1",
                     id="image cannot be pulled"),
        pytest.param("", {"container": {"envFrom": [{"configMapRef": {"name": "nowhere"}}]}}, "UserError",
                     'configmap "nowhere" not found', id="ConfigMap missing"),
        pytest.param("", {"container": {"command": ["/no/such/program"]}}, "UserError", "/no/such/program",
                     id="program missing"),
        pytest.param("exec python3 -c 'x = bytearray(300 << 20); print(len(x))'",
                     {"container": {"resources": {"limits": {"memory": "32Mi"}}}}, "OutOfMemory", "32Mi", id="memory"),
        pytest.param(SLEEP, {"spec": {"activeDeadlineSeconds": 2}}, "TimeOut", "2 s", id="deadline of the job"),
        pytest.param(SLEEP, {"pod": {"activeDeadlineSeconds": 2}}, "TimeOut", "2 s", id="deadline of the pod"),
        pytest.param("sh -c 'kill -SEGV $$'; exit $?", {}, "UserError", "SIGSEGV", id="signal"),
        pytest.param("echo 1; echo 2 >&2; exit 7", {}, "UserError", "exit status 7", id="exit status"),
    ],
)  # fmt: skip
def test_failures(
    adapter: KubernetesAdapter,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    changes: dict[str, Any],
    failure: str,
    words: str,
) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "1.5")
    runner = adapter.open()
    attempt = shell(adapter.id(), script, **changes)
    runner.start(attempt)
    last = follow(runner, attempt.id).last
    assert (last.phase, last.failure) == (Phase.FAILED, FailureClass(failure)), last
    assert words in f"{last.reason} {last.message}"


def test_a_job_deleted_by_hand_is_lost(adapter: KubernetesAdapter) -> None:
    runner = adapter.open()
    attempt = _running(adapter, runner)
    adapter.namespace.delete(JOBS, "trial-a")
    last = follow(runner, attempt.id).last
    assert (last.phase, last.failure) == (Phase.LOST, FailureClass.LOST)
    assert "deleted by somebody" in last.reason  # the job, or its pod if that is heard of first
    assert "on node" in last.reason


def test_a_pod_deleted_by_hand_is_lost_and_not_replaced(adapter: KubernetesAdapter) -> None:
    runner = adapter.open()
    attempt = _running(adapter, runner)
    (pod,) = adapter.namespace.list(PODS)
    adapter.namespace.delete(PODS, pod["metadata"]["name"], gracePeriodSeconds=2)
    seen = follow(runner, attempt.id)
    assert (seen.last.phase, seen.last.failure) == (Phase.LOST, FailureClass.LOST)
    assert f"pod {pod['metadata']['name']} on node {pod['spec']['nodeName']}: it was deleted" in seen.last.reason
    assert seen.text() == b"begun\n"
    until(lambda: not adapter.namespace.list(JOBS))
    until(lambda: not adapter.namespace.list(PODS))


def test_what_cannot_be_scheduled_says_why_and_can_be_stopped(adapter: KubernetesAdapter) -> None:
    runner = adapter.open()
    attempt = shell(adapter.id(), "true", container={"resources": {"requests": {"cpu": "1000"}}})
    runner.start(attempt)
    until(lambda: "Insufficient cpu" in update_of(runner, attempt.id).reason)
    assert update_of(runner, attempt.id).phase is Phase.WAITING
    runner.stop(attempt.id)
    assert follow(runner, attempt.id).last.phase is Phase.STOPPED
    assert not adapter.namespace.list(PODS)


def test_a_quota_says_why(adapter: KubernetesAdapter) -> None:
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    adapter.namespace.create(QUOTAS, quota)
    until(lambda: bool(adapter.namespace.list(QUOTAS)[0].get("status")))
    runner = adapter.open()
    attempt = shell(adapter.id(), "true")
    runner.start(attempt)
    until(lambda: "exceeded quota" in update_of(runner, attempt.id).reason)
    assert update_of(runner, attempt.id).phase is Phase.WAITING
    assert runner.requests[("list", "events")] <= 2
    runner.stop(attempt.id, grace=0)
    assert follow(runner, attempt.id).last.phase is Phase.STOPPED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spec": {"parallelism": -1}}, "spec.parallelism"),
        ({"container": {"image": 5}}, "refuses the job"),
    ],
    ids=["against a rule", "against the schema"],
)
def test_a_job_that_is_refused(adapter: KubernetesAdapter, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RunnerError, match=words):
        adapter.open().start(shell(adapter.id(), "true", **changes))


def test_a_name_that_is_taken(adapter: KubernetesAdapter) -> None:
    foreign = shell(adapter.id(), "sleep 9").run
    adapter.namespace.create(JOBS, {**foreign, "metadata": {"name": "trial-a"}})
    with pytest.raises(RunnerError, match="trial-a is taken"):
        adapter.open().start(shell(adapter.id(), "true"))


class TestCustomResource:
    """A kind that the runner knows nothing of: its conditions decide."""

    KIND = "TrainingRun"
    DOCUMENT = {"apiVersion": "test.katib.dev/v1", "kind": KIND}  # noqa: RUF012
    RUNS = Resource("/apis/test.katib.dev/v1", "trainingruns")

    @pytest.fixture
    def kind(self) -> Iterator[None]:
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        names = {"kind": self.KIND, "plural": "trainingruns", "singular": "trainingrun"}
        spec = {"group": "test.katib.dev", "scope": "Namespaced", "names": names, "versions": [version]}
        api, name = Api(), "trainingruns.test.katib.dev"
        api.call(Request("create", DEFINITIONS, "", body={"metadata": {"name": name}, "spec": spec}))
        until(lambda: _is_served(self.DOCUMENT))
        yield
        api.call(Request("delete", DEFINITIONS, "", name))

    @pytest.mark.parametrize(
        ("type", "phase", "failure"),
        [("Done", Phase.SUCCEEDED, None), ("Broken", Phase.FAILED, FailureClass.USER_ERROR)],
    )
    def test_conditions_decide(
        self, adapter: KubernetesAdapter, kind: None, type: str, phase: Phase, failure: FailureClass | None
    ) -> None:
        conditions = {
            "success_condition": 'status.conditions.#(type=="Done")',
            "failure_condition": 'status.conditions.#(type=="Broken")',
        }
        adapter.template = template(self.DOCUMENT, **conditions)
        runner = adapter.open()
        job = shell(adapter.id(), "true").run
        attempt = replace(shell(adapter.id(), "true"), run={**job, **self.DOCUMENT})
        runner.start(attempt)
        assert update_of(runner, attempt.id).phase is Phase.WAITING
        made = adapter.namespace.list(self.RUNS)[0]
        status = {"conditions": [{"type": type, "reason": "Because", "message": "it is so"}]}
        self._replace(adapter, {**made, "status": status})
        last = follow(runner, attempt.id).last
        assert (last.phase, last.failure) == (phase, failure)
        assert (last.reason == "Because: it is so") == (phase is Phase.FAILED)

    def test_a_kind_that_is_not_installed(self, adapter: KubernetesAdapter) -> None:
        adapter.template = template({"apiVersion": "nowhere.dev/v1", "kind": "Thing"})
        with pytest.raises(RunnerError, match="knows no kind 'Thing'"):
            adapter.open().start(shell(adapter.id(), "true"))

    def _replace(self, adapter: KubernetesAdapter, obj: dict[str, Any]) -> None:
        adapter.namespace.api.call(Request("update", self.RUNS, adapter.namespace.name, "trial-a", body=obj))


def _is_served(document: dict[str, str]) -> bool:
    try:
        Api().resource(document["apiVersion"], document["kind"])
    except RunnerError:
        return False
    return True


def _running(adapter: KubernetesAdapter, runner: Any) -> Attempt:
    attempt = shell(adapter.id(), SLEEP)
    runner.start(attempt)
    until(lambda: update_of(runner, attempt.id).phase is Phase.RUNNING)
    until(lambda: bool(update_of(runner, attempt.id).chunks))
    return attempt
