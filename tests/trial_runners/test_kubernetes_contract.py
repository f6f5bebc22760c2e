"""The Kubernetes runner keeps the runner contract, on a real cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts import runner_contract
from tests.contracts.runner_contract import RunnerContract
from tests.trial_runners.kubernetes_attempts import KubernetesAdapter, adapter_in

pytestmark = [pytest.mark.requires("k8s")]


class TestKubernetesRunner(RunnerContract):
    """The contract over pods."""

    @pytest.fixture
    def adapter(
        self, tmp_path: Path, kubernetes_namespace: str, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[KubernetesAdapter]:
        with adapter_in(kubernetes_namespace, tmp_path / "runs") as adapter:
            monkeypatch.setattr(runner_contract, "NAMESPACE", adapter.key.namespace)
            yield adapter
