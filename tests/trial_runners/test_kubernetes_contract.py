"""The Kubernetes runner keeps the runner contract, on a real cluster."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from katib.core.trial import Key
from tests.contracts import runner_contract
from tests.contracts.runner_contract import RunnerContract
from tests.trial_runners.kubernetes_attempts import KubernetesAdapter, Namespace
from trial_runners.kubernetes.api import Api

pytestmark = [pytest.mark.requires("k8s")]


class TestKubernetesRunner(RunnerContract):
    """The contract over pods."""

    @pytest.fixture
    def adapter(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesAdapter]:
        namespace = Namespace(Api(), f"kubecore-{uuid.uuid4().hex[:8]}")
        monkeypatch.setattr(runner_contract, "NAMESPACE", namespace.name)
        adapter = KubernetesAdapter(tmp_path / "runs", Key(namespace.name, "study"))
        yield adapter
        adapter.close()
        namespace.remove()
