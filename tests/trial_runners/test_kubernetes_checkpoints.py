"""Where an attempt keeps its checkpoint in a cluster, and how it comes to what it continues from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from katib.core.errors import RunnerError
from katib.core.experiment import TrialTemplate
from katib.core.trial import Attempt
from tests.contracts.runner_contract import attempt_id
from tests.trial_runners.test_kubernetes_manifest import TRAIN, container_of, job, values
from trial_runners.kubernetes.checkpoints import COPY, COPY_SCRIPT, NO_PAST, Past, Storage, lost, storage_of
from trial_runners.kubernetes.jobs import Jobs
from trial_runners.kubernetes.manifest import manifest_for
from trial_runners.settings import KubernetesSettings

PARENT = attempt_id("trial-p", 2)


def made(
    place: str, number: int = 1, run: dict[str, Any] | None = None, past: Past = NO_PAST, **fields: Any
) -> dict[str, Any]:
    attempt = Attempt(attempt_id(attempt=number), 3, {}, run=run or job(TRAIN), primary_container="training", **fields)
    return manifest_for(attempt, TrialTemplate(), KubernetesSettings(checkpoints=place, db_manager=""), past)


def spec_of(manifest: dict[str, Any]) -> dict[str, Any]:
    return manifest["spec"]["template"]["spec"]


def told(manifest: dict[str, Any]) -> dict[str, Any]:
    env = values(container_of(manifest))
    start = "KATIB_CHECKPOINT_"
    return {name.removeprefix(start): env[name] for name in env if name.startswith(start)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", Storage(), id="nowhere"),
        pytest.param("claim:work", Storage(claim="work"), id="claim"),
        pytest.param("claim:work/a/b/", Storage(claim="work", folder="a/b"), id="folder on a claim"),
        pytest.param("s3://bucket/x/", Storage(url="s3://bucket/x"), id="URL"),
    ],
)
def test_places(text: str, expected: Storage) -> None:
    assert storage_of(KubernetesSettings(checkpoints=text)) == expected


@pytest.mark.parametrize("text", ["/data", "claim:", "claim:Work", "claim:work/../x", "s3:bucket", "work"])
def test_no_places(text: str) -> None:
    with pytest.raises(RunnerError, match="expected claim:NAME"):
        made(text)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("", "/var/lib/katib/checkpoint", id="ours"),
        pytest.param("/opt/ck/", "/opt/ck", id="the experiment's"),
    ],
)
def test_without_a_place_it_is_lost_with_the_pod(path: str, expected: str) -> None:
    manifest = made("", 2, parent=PARENT, checkpoint_path=path)
    assert told(manifest) == {"DIR": expected}
    assert spec_of(manifest)["volumes"] == [{"name": "katib-checkpoints", "emptyDir": {}}]
    assert container_of(manifest)["volumeMounts"] == [{"name": "katib-checkpoints", "mountPath": expected}]
    assert "initContainers" not in spec_of(manifest)


def test_a_volume_of_the_users_own_stays() -> None:
    mount = {"name": "data", "mountPath": "/opt"}
    manifest = made("", run=job({**TRAIN, "volumeMounts": [mount]}), checkpoint_path="/opt/ck")
    assert container_of(manifest)["volumeMounts"] == [mount]
    assert "volumes" not in spec_of(manifest)


def test_a_claim_is_mounted_in_parts() -> None:
    spec = spec_of(made("claim:work/runs"))
    assert spec["volumes"] == [{"name": "katib-checkpoints", "persistentVolumeClaim": {"claimName": "work"}}]
    mount = {"name": "katib-checkpoints", "mountPath": "/var/lib/katib/checkpoint", "subPath": "runs/study/trial-a/1"}
    assert spec["containers"][0]["volumeMounts"] == [mount]
    assert "initContainers" not in spec


@pytest.mark.parametrize(
    ("number", "parent", "candidates"),
    [
        pytest.param(1, PARENT, ["trial-p/2"], id="parent"),
        pytest.param(3, None, ["trial-a/2", "trial-a/1"], id="later attempt"),
        pytest.param(2, PARENT, ["trial-a/1", "trial-p/2"], id="later attempt of one with a parent"),
    ],
)
def test_what_is_inherited_is_copied_before(number: int, parent: Any, candidates: list[str]) -> None:
    training = {**TRAIN, "securityContext": {"runAsUser": 7}}
    past = Past(released=[attempt_id("trial-r")])
    (copy,) = spec_of(made("claim:work", number, job(training), past, parent=parent))["initContainers"]
    assert (copy["name"], copy["image"], copy["securityContext"]) == (COPY, "mnist:1", {"runAsUser": 7})
    assert copy["volumeMounts"] == [
        {"name": "katib-checkpoints", "mountPath": "/var/lib/katib/checkpoints", "subPath": "study"}
    ]
    folders = [f"trial-a/{number}", *candidates, "trial-r/1"]
    words = [f"/var/lib/katib/checkpoints/{folder}" for folder in folders]
    assert copy["command"][5:] == [*words[:-1], "--", words[-1]]


def test_a_url_is_for_the_training_to_use() -> None:
    manifest = made("s3://bucket/x", past=Past("s3://bucket/x/team/study/trial-p/2"), parent=PARENT)
    assert told(manifest) == {
        "DIR": "/var/lib/katib/checkpoint",
        "URL": "s3://bucket/x/team/study/trial-a/1",
        "PARENT_URL": "s3://bucket/x/team/study/trial-p/2",
    }
    assert told(made("s3://bucket/x"))["URL"] == "s3://bucket/x/team/study/trial-a/1"
    assert "PARENT_URL" not in told(made("s3://bucket/x"))


def test_a_train_job_takes_a_url_only() -> None:
    run = {"kind": "TrainJob", "spec": {"trainer": {}}}
    trainer = made("s3://bucket", run=run)["spec"]["trainer"]
    assert values(trainer)["KATIB_CHECKPOINT_URL"] == "s3://bucket/team/study/trial-a/1"
    with pytest.raises(RunnerError, match="TrainJob: a claim"):
        made("claim:work", run=run)


def test_the_copy(tmp_path: Path) -> None:
    assert "$" not in COPY_SCRIPT

    def copy() -> str:
        command = [
            sys.executable,
            "-I",
            "-S",
            "-c",
            COPY_SCRIPT,
            *(str(tmp_path / name) for name in "tab"),
            "--",
            str(tmp_path / "r"),
            str(tmp_path / "none"),
        ]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "no checkpoint in" in copy()
    assert (tmp_path / "t").is_dir()
    (tmp_path / "a").mkdir()
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "deep" / "weights").write_text("1")
    (tmp_path / "b" / "latest").symlink_to("deep/weights")
    (tmp_path / "t.partial").mkdir()
    (tmp_path / "r" / "deep").mkdir(parents=True)
    assert f"a copy of {tmp_path / 'b'}" in copy()
    assert (tmp_path / "t" / "deep" / "weights").read_text() == "1"
    assert (tmp_path / "t" / "latest").is_symlink()
    assert not (tmp_path / "r").exists()
    (tmp_path / "a" / "weights").write_text("2")
    copy()
    assert (tmp_path / "t" / "deep" / "weights").read_text() == "1", "it has begun, so it stays"


@pytest.mark.parametrize(
    ("place", "parent", "said"),
    [
        pytest.param("", PARENT, True, id="nowhere"),
        pytest.param("", None, False, id="nothing to continue"),
        pytest.param("claim:work", PARENT, False, id="claim"),
    ],
)
def test_what_is_said_of_a_lost_checkpoint(place: str, parent: Any, said: bool) -> None:
    attempt = Attempt(attempt_id(), 3, {}, parent=parent)
    assert ("trial-p has left no checkpoint" in lost(attempt, KubernetesSettings(checkpoints=place))) is said


def test_checkpoints_behind_a_url(tmp_path: Path) -> None:
    place = f"file://{tmp_path}"
    settings = KubernetesSettings(checkpoints=place, db_manager="")
    jobs = Jobs(TrialTemplate(), settings, None)
    attempt = Attempt(attempt_id(attempt=3), 3, {}, run=job(TRAIN), primary_container="training", parent=PARENT)
    assert "PARENT_URL" not in told(jobs.manifest(attempt))
    (tmp_path / "team" / "study" / "trial-a" / "2").mkdir(parents=True)
    for expected, id in ((PARENT, PARENT), (attempt_id(attempt=1), attempt_id(attempt=1))):
        folder = tmp_path / "team" / "study" / id.trial / str(id.attempt)
        folder.mkdir(parents=True)
        (folder / "weights").write_text("1")
        assert told(jobs.manifest(attempt))["PARENT_URL"] == f"{place}/team/study/{expected.trial}/{expected.attempt}"
    for _ in range(2):
        removal = jobs.removal(attempt_id(attempt=1))
        assert removal is not None
        removal()
        assert told(jobs.manifest(attempt))["PARENT_URL"].endswith("trial-p/2")


def test_a_url_that_nobody_knows(tmp_path: Path) -> None:
    jobs = Jobs(TrialTemplate(), KubernetesSettings(checkpoints="nowhere://bucket", db_manager=""), None)
    attempt = Attempt(attempt_id(attempt=2), 3, {}, run=job(TRAIN), primary_container="training")
    with pytest.raises(RunnerError, match="nowhere"):
        jobs.manifest(attempt)
