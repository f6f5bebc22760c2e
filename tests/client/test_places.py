"""Which place a client chooses, what it says where it cannot be used, and who runs what on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

import katib.client.choice
from katib import KatibClient
from katib.client.choice import Given
from katib.core.errors import KatibError
from suggestion_service.security import ClientSecurity
from tests.client.conftest import kubeconfig
from tests.server.documents import experiment
from tests.server.server_process import serving

TOKEN = ClientSecurity(token="t")
URL = "http://127.0.0.1:1"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """Nothing is set, and nothing lies around."""
    for name in ("KATIB_SERVER", "KATIB_STORE", "KATIB_TOKEN", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KATIB_HOME", str(tmp_path / "katib"))
    monkeypatch.setattr(katib.client.choice, "POD_FOLDER", tmp_path / "pod")


@pytest.mark.parametrize(
    ("given", "environment", "chosen"),
    [
        (Given(), {}, Given(store="")),
        (Given(), {"KATIB_STORE": "sqlite:///x"}, Given(store="sqlite:///x")),
        (Given(), {"KATIB_STORE": "sqlite:///x", "KATIB_SERVER": URL, "KUBECONFIG": "k"}, Given(server=URL)),
        (Given(), {"KUBECONFIG": "k"}, Given(context="")),
        (Given(store=""), {"KATIB_SERVER": URL, "KATIB_TOKEN": "t"}, Given(store="")),
        (Given(context="c"), {"KATIB_SERVER": URL}, Given(context="c")),
        (Given(server=URL), {"KATIB_TOKEN": "t"}, Given(server=URL, security=TOKEN)),
        (Given(security=TOKEN), {"KATIB_SERVER": URL, "KATIB_TOKEN": "u"}, Given(server=URL, security=TOKEN)),
    ],
)
def test_the_choice(given, environment, chosen):
    assert given.chosen(environment) == chosen


def test_a_pod_and_a_kubeconfig_are_found(tmp_path):
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").touch()
    assert Given().chosen({}) == Given(context="")
    (tmp_path / "pod").mkdir()
    (tmp_path / "pod" / "namespace").write_text("team\n")
    assert katib.client.choice.default_namespace() == "team"


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"server": URL, "store": ""}, ValueError, "got server and store"),
        ({"store": "", "context": "c"}, ValueError, "config_file, context"),
        ({"store": "", "token": "t"}, ValueError, r"\$KATIB_SERVER"),
        ({"server": "ftp://x"}, KatibError, "http://HOST:PORT"),
        ({"server": "http://example.org", "token": "t"}, KatibError, "unencrypted"),
        ({"server": "https://example.org", "ca": "/nowhere.pem"}, KatibError, "nowhere.pem"),
        ({"store": "nodb://x"}, KatibError, "nodb"),
        ({"config_file": "/nowhere/config"}, KatibError, "no Kubernetes cluster"),
    ],
)
def test_a_place_that_cannot_be_used(options, error, word):
    with pytest.raises(error, match=word):
        KatibClient(**options)


@pytest.mark.parametrize("place", ["server", "config_file"])
def test_nobody_answers(place, tmp_path):
    with (
        KatibClient(**{place: URL if place == "server" else kubeconfig(URL, tmp_path)}) as client,
        pytest.raises(RuntimeError, match="does not answer"),
    ):
        client.list_trials()


def test_a_server_with_a_certificate_and_a_token(ours, tmp_path):
    pair = ours.issue("127.0.0.1")
    arguments = ("--tls-cert", str(pair["cert"]), "--tls-key", str(pair["key"]))
    with serving(tmp_path / "home", *arguments, env={"KATIB_TOKEN": "secret"}) as served:
        with KatibClient(server=served.url, ca=ours.file, token="secret") as client:
            client.create_experiment(experiment("safe"))
            client.wait_for_experiment_condition("safe", timeout=30)
            (trial, _) = client.list_trials("safe")
            name = trial.metadata.name
            (logged,) = client.get_trial_metrics(name, db_manager_address=served.grpc)
            assert logged.metric.name == "loss"
        with (
            KatibClient(server=served.url, ca=ours.file, token="wrong") as client,
            pytest.raises(RuntimeError, match=r"nauthorized|token"),
        ):
            client.list_trials()


def test_a_closed_clients_experiment_is_taken_up_by_who_waits_for_it():
    with KatibClient() as first:
        first.create_experiment(experiment("left", trials=2, seconds=1.0))
        first.wait_for_experiment_condition("left", expected_condition="Running", timeout=30)
    with KatibClient() as second:
        assert not second.is_experiment_succeeded("left")
        time.sleep(0.7)
        assert not second.is_experiment_succeeded("left")  # looking at it is not running it
        assert second.wait_for_experiment_condition("left", timeout=30).status.trials_succeeded == 2
        assert {trial.metadata.labels.get("katib.dev/attempt", "1") for trial in second.list_trials()} == {"1"}


def test_experiments_here_need_no_package_of_a_server():
    code = (
        "import sys\n"
        "for name in ('starlette', 'uvicorn', 'jsonpatch', 'kubernetes'): sys.modules[name] = None\n"
        "import json, katib\n"
        f"with katib.KatibClient() as client:\n"
        f"    client.create_experiment(json.loads({json.dumps(json.dumps(experiment('alone')))}))\n"
        "    print(client.wait_for_experiment_condition('alone', timeout=30).status.trials_succeeded)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "2\n", done.stderr
