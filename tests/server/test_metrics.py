"""``/metrics``: Katib's counters and gauges follow what happens, in a format that Prometheus' own parser reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from tests.server.documents import experiment, gone, path, wait_for
from tests.server.server_process import serving

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def read(client, accept: str = "text/plain", parse: Callable = text_string_to_metric_families) -> Samples:
    answer = client.get("/metrics", headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(accept)
    families = list(parse(answer.text))
    assert all(family.documentation and family.type != "unknown" for family in families)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


def counted(samples: Samples, kind: str) -> dict[str, float]:
    ends = ("created", "deleted", "succeeded", "failed", "metrics_unavailable")
    found = {end: value(samples, f"katib_{kind}_{end}_total", namespace="default") for end in ends}
    return {end: count for end, count in found.items() if count}


def failing() -> dict:
    tree = experiment("bad", trials=3)
    job = tree["spec"]["trialTemplate"]["trialSpec"]["spec"]
    job["template"]["spec"]["containers"][0]["command"] = ["sh", "-c", "echo ${trialParameters.x}; exit 3"]
    tree["spec"] |= {"maxFailedTrialCount": 2, "parallelTrialCount": 1}  # so no third one has begun
    return tree


def silent() -> dict:
    tree = experiment("mute")
    job = tree["spec"]["trialTemplate"]["trialSpec"]["spec"]
    job["template"]["spec"]["containers"][0]["command"] = ["sh", "-c", "echo ${trialParameters.x}"]
    tree["spec"]["maxFailedTrialCount"] = 2
    return tree


def test_what_happens_is_counted(home):
    with serving(home) as first, first.client() as client:
        for tree in (experiment("good"), failing(), silent()):
            assert client.post(path(), json=tree).status_code == 201
        wait_for(client, "good")
        wait_for(client, "bad", "Failed")
        wait_for(client, "mute", "Failed")
        found = read(client)
        assert counted(found, "experiment") == {"created": 3, "succeeded": 1, "failed": 2}
        assert counted(found, "trial") == {"created": 6, "succeeded": 2, "failed": 2, "metrics_unavailable": 2}
        now = {"namespace": "default", "status": "Succeeded"}
        assert value(found, "katib_experiments_current", **now) == 1
        assert value(found, "katib_trials_current", **now) == 2
        client.delete(path("good"))
        gone(client, "good")
        found = read(client)
        assert (counted(found, "experiment")["deleted"], counted(found, "trial")["deleted"]) == (1, 2)
        assert value(found, "katib_experiments_current", **now) == 0
        assert value(found, "katib_mirror_lag_revisions") == 0
        assert value(found, "katib_running_experiments") == 0
    with serving(home) as second, second.client() as client:
        found = read(client)
        assert counted(found, "experiment") == counted(found, "trial") == {}
        assert value(found, "katib_experiments_current", namespace="default", status="Failed") == 2
        assert value(found, "katib_trials_current", namespace="default", status="MetricsUnavailable") == 2


def test_requests(client):
    before = read(client)
    client.get(path())
    client.get(path("nobody"))
    client.get("/made/up")
    client.get("/apis/kubeflow.org/v1beta1/namespaces/default/made-up-too")
    with client.stream("GET", path(), params={"watch": "1", "timeoutSeconds": "1"}):
        pass
    found = read(client)

    def more(name, **labels):
        return value(found, name, **labels) - value(before, name, **labels)

    assert more("katib_api_requests_total", verb="list", kind="experiments", code="200") == 1
    assert more("katib_api_requests_total", verb="get", kind="experiments", code="404") == 1
    assert more("katib_api_requests_total", verb="get", kind="other", code="404") == 2
    assert more("katib_api_request_duration_seconds_count", verb="list", kind="experiments") == 1
    assert more("katib_api_request_duration_seconds_bucket", verb="list", kind="experiments", le="+Inf") == 1
    seconds = more("katib_api_request_duration_seconds_sum", verb="list", kind="experiments")
    assert 0 < seconds < 30
    assert math.isfinite(seconds)
    assert ("process_resident_memory_bytes", frozenset()) in found


def test_open_metrics(client):
    found = read(client, "application/openmetrics-text", openmetrics.text_string_to_metric_families)
    assert ("katib_mirror_revision", frozenset()) in found


def test_open_watches(served, client):
    with served.client() as other, other.stream("GET", path(), params={"watch": "1", "timeoutSeconds": "20"}):
        assert value(read(client), "katib_open_watches") == 1
