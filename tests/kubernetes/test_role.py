"""The rights that the documented Role gives are enough to run an experiment, and nothing else is asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from benchmarks import kubernetes_place
from benchmarks.examples import KATIB, run_command
from benchmarks.kubernetes_place import Namespace, job

pytestmark = pytest.mark.requires("k8s")

ROOT = Path(__file__).parents[2]


def test_an_experiment_runs_with_the_rights_of_the_role(
    kubernetes_cluster: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(kubernetes_cluster))
    with kubernetes_place.namespace() as place:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig_of_a_user(place, kubernetes_cluster, tmp_path)))
        file = tmp_path / "experiment.yaml"
        echo = job(["echo", "loss=${trialParameters.n}"])
        file.write_text(json.dumps(kubernetes_place.experiment(place.name, "modest", echo, 2, 2)))
        ran = run_command([*KATIB, str(file), "--runner", "kubernetes"], tmp_path, timeout=120)
        assert ran.status == 0, ran.output
        assert place.await_gone() == 0


def kubeconfig_of_a_user(place: Namespace, kubeconfig: Path, folder: Path) -> Path:
    """Of somebody who has the Role in one namespace, and nothing else."""
    from kubernetes import client

    rights = client.RbacAuthorizationV1Api(place.core.api_client)
    role = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "role.yaml").read_text())
    rights.create_namespaced_role(place.name, role)
    place.core.create_namespaced_service_account(place.name, {"metadata": {"name": "user"}})
    subject = {"kind": "ServiceAccount", "name": "user", "namespace": place.name}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role["metadata"]["name"]}
    binding = {"metadata": {"name": "user"}, "subjects": [subject], "roleRef": reference}
    rights.create_namespaced_role_binding(place.name, binding)
    request = {"spec": {"audiences": [], "expirationSeconds": 3600}}
    token = place.core.create_namespaced_service_account_token("user", place.name, request).status.token
    tree = yaml.safe_load(kubeconfig.read_text())
    tree["users"] = [{"name": "user", "user": {"token": token}}]
    for context in tree["contexts"]:
        context["context"]["user"] = "user"
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(tree))
    return file
