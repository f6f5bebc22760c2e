"""What Kubernetes has beside trials: pods with their output, jobs, events."""

from __future__ import annotations

import json
import time

import pytest

from tests.server.documents import experiment, path, wait_for

CORE = "/api/v1/namespaces/default"
OF_TRIAL = "katib.kubeflow.org/trial"
USED = "${trialParameters.x}"  # a template must name its parameters
COLLECTOR = "metrics-logger-and-collector"


def run(client, name, script, *, seconds=30.0, trials=1, **spec):
    """The experiment, whose trials run a shell script; the name of its first trial once it has one."""
    tree = experiment(name, trials=trials)
    tree["spec"] |= spec
    template = tree["spec"]["trialTemplate"]
    template["trialSpec"]["spec"]["template"]["spec"]["containers"][0]["command"] = ["sh", "-c", script, USED]
    assert client.post(path(), json=tree).status_code == 201
    deadline = time.monotonic() + seconds
    while not (found := of(client, "trials", name)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found[0]["metadata"]["name"]


def of(client, plural, name):
    base = path("", plural=plural) if plural == "trials" else f"{CORE}/{plural}"
    return client.get(base, params={"labelSelector": f"katib.kubeflow.org/experiment={name}"}).json()["items"]


def log(client, pod, **query):
    return client.get(f"{CORE}/pods/{pod}/log", params=query)


@pytest.fixture(scope="module")
def counted(client):
    """A pod that printed three lines, the last one without its end."""
    trial = run(client, "counted", "printf 'one\\nloss=0.5\\nthree'")
    wait_for(client, "counted")
    return f"{trial}-0"


def test_a_pod_from_start_to_end(client):
    trial = run(client, "podded", "echo loss=1; sleep 1.5")
    where = f"{CORE}/pods/{trial}-0"
    seen = {}
    while (pod := client.get(where).json())["status"]["phase"] not in ("Succeeded", "Failed"):
        seen[pod["status"]["phase"]] = pod
        time.sleep(0.05)
    assert "Running" in seen
    assert [list(each["state"]) for each in seen["Running"]["status"]["containerStatuses"]] == [["running"]] * 2
    assert pod["status"]["phase"] == "Succeeded"
    assert [each["state"]["terminated"]["exitCode"] for each in pod["status"]["containerStatuses"]] == [0, 0]
    main, collector = pod["spec"]["containers"]
    assert (main["name"], collector["name"]) == ("main", COLLECTOR)
    assert {"name": "KATIB_TRIAL_NAME", "value": trial} in main["env"]
    assert pod["metadata"]["labels"].items() >= {OF_TRIAL: trial, "job-name": trial}.items()
    found = client.get(f"{CORE}/pods", params={"labelSelector": f"{OF_TRIAL}={trial}"}).json()["items"]
    assert [each["metadata"]["uid"] for each in found] == [pod["metadata"]["uid"]]
    job = client.get(f"/apis/batch/v1/namespaces/default/jobs/{trial}").json()
    assert job["metadata"]["uid"] == pod["metadata"]["ownerReferences"][0]["uid"]
    assert (job["status"]["succeeded"], job["status"]["conditions"][0]["type"]) == (1, "Complete")


def test_a_trial_that_failed(client):
    trial = run(client, "failing", "echo oh no; exit 3")
    wait_for(client, "failing")
    pod = client.get(f"{CORE}/pods/{trial}-0").json()
    assert (pod["status"]["phase"], pod["status"]["reason"]) == ("Failed", "UserError")
    assert "oh no" in pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"]
    job = client.get(f"/apis/batch/v1/namespaces/default/jobs/{trial}").json()
    assert job["status"]["conditions"][0]["type"] == "Failed"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, "one\nloss=0.5\nthree"),
        ({"container": "main"}, "one\nloss=0.5\nthree"),
        ({"container": COLLECTOR, "follow": "true"}, "one\nloss=0.5\nthree"),
        ({"tailLines": 0}, ""),
        ({"tailLines": 1}, "three"),
        ({"tailLines": 2}, "loss=0.5\nthree"),
        ({"tailLines": 3}, "one\nloss=0.5\nthree"),
        ({"tailLines": 9}, "one\nloss=0.5\nthree"),
        ({"tailLines": 2, "limitBytes": 4}, "loss"),
        ({"limitBytes": 5}, "one\nl"),
        ({"sinceSeconds": 3600}, "one\nloss=0.5\nthree"),
        ({"sinceTime": "2100-01-01T00:00:00Z"}, ""),
    ],
    ids=str,
)
def test_so_much_of_the_output(client, counted, query, expected):
    answer = log(client, counted, **query)
    assert (answer.status_code, answer.text) == (200, expected)
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"container": "other"}, "other"),
        ({"previous": "true"}, "previous"),
        ({"timestamps": "true"}, "times"),
        ({"sinceTime": "yesterday"}, "yesterday"),
        ({"tailLines": "-3"}, "tailLines"),
    ],
    ids=str,
)
def test_output_that_there_is_not(client, counted, query, word):
    answer = log(client, counted, **query)
    assert answer.status_code == 400
    assert word in answer.json()["message"]


def test_no_such_pod(client, counted):
    for name in ("nobody-0", counted.removesuffix("-0"), f"{counted}-node-0-0"):
        assert (log(client, name).status_code, client.get(f"{CORE}/pods/{name}").status_code) == (404, 404)


def test_output_is_followed_to_the_end_of_the_trial(served, client):
    trial = run(client, "followed", "for i in 1 2 3; do echo loss=$i; sleep 0.5; done; echo last")
    arrived = []
    with served.client() as other, other.stream("GET", f"{CORE}/pods/{trial}-0/log", params={"follow": "1"}) as answer:
        for line in answer.iter_lines():
            arrived.append((line, client.get(path(trial, plural="trials")).json()["status"]["completionTime"]))
    assert [line for line, _ in arrived] == ["loss=1", "loss=2", "loss=3", "last"]
    assert arrived[0][1] is None


def test_events_of_experiments_and_trials(served, client):
    began = client.get(f"{CORE}/events").json()["metadata"]["resourceVersion"]
    run(client, "eventful", "echo loss=1")
    done = wait_for(client, "eventful")
    selector = f"involvedObject.name=eventful,involvedObject.uid={done['metadata']['uid']}"
    found = client.get(f"{CORE}/events", params={"fieldSelector": selector}).json()["items"]
    assert "ExperimentCreated" in {each["reason"] for each in found}
    assert all(each["firstTimestamp"] and each["involvedObject"]["kind"] == "Experiment" for each in found)
    assert client.get(f"{CORE}/events/{found[0]['metadata']['name']}").json() == found[0]
    query = {"watch": "1", "resourceVersion": began, "timeoutSeconds": "1", "fieldSelector": selector}
    with served.client() as other, other.stream("GET", f"{CORE}/events", params=query) as answer:
        told = [json.loads(line)["object"]["metadata"]["name"] for line in answer.iter_lines()]
    assert sorted(told) == [each["metadata"]["name"] for each in found]


def test_the_pod_of_a_train_job(client):
    tree = experiment("trained", trials=1)
    script = "echo 'print(\"loss=2\")' > train.py; python train.py; pwd"
    trainer = {"command": ["bash", "-c", script, USED], "numNodes": 1}
    spec = {"runtimeRef": {"name": "torch-distributed"}, "trainer": trainer}
    tree["spec"]["trialTemplate"] |= {
        "primaryContainerName": "node",
        "trialSpec": {"apiVersion": "trainer.kubeflow.org/v1alpha1", "kind": "TrainJob", "spec": spec},
    }
    assert client.post(path(), json=tree).status_code == 201
    (trial,) = wait_for(client, "trained")["status"]["succeededTrialList"]
    job = client.get(f"/apis/trainer.kubeflow.org/v1alpha1/namespaces/default/trainjobs/{trial}").json()
    assert job["status"]["conditions"][0]["type"] == "Complete"
    assert job["status"]["jobsStatus"][0].items() >= {"name": "node", "succeeded": 1}.items()
    roles = "jobset.sigs.k8s.io/replicatedjob-name in (node, launcher)"
    selector = f"jobset.sigs.k8s.io/jobset-name={trial},{roles}"
    (pod,) = client.get(f"{CORE}/pods", params={"labelSelector": selector}).json()["items"]
    assert pod["metadata"]["name"] == f"{trial}-node-0-0"
    assert log(client, pod["metadata"]["name"]).text.splitlines()[0] == "loss=2"
    assert f"/{trial}/1/work" in log(client, pod["metadata"]["name"]).text
    runtimes = "/apis/trainer.kubeflow.org/v1alpha1/clustertrainingruntimes"
    assert [each["metadata"]["name"] for each in client.get(runtimes).json()["items"]] == ["torch-distributed"]
    assert client.get(f"/apis/batch/v1/namespaces/default/jobs/{trial}").status_code == 404


TABLE = {"accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}


@pytest.mark.parametrize(
    ("where", "cells"),
    [
        (f"{CORE}/pods/{{pod}}", ["0/2", "Completed", 0]),
        ("/apis/batch/v1/namespaces/default/jobs/{trial}", ["Complete"]),
    ],
    ids=["pods", "jobs"],
)
def test_tables(client, counted, where, cells):
    table = client.get(where.format(pod=counted, trial=counted.removesuffix("-0")), headers=TABLE).json()
    assert table["rows"][0]["cells"][1 : 1 + len(cells)] == cells


def test_the_table_of_events(client, counted):
    rows = client.get(f"{CORE}/events", headers=TABLE).json()["rows"]
    assert ["Normal", "ExperimentCreated", "experiment/counted"] in [row["cells"][2:5] for row in rows]


def test_a_further_attempt_is_a_restart_of_the_containers(client):
    script = "[ $KATIB_ATTEMPT = 2 ] || { echo first; exit 1; }; echo loss=2"
    trial = run(client, "again", script, retryPolicy={"userError": 1})
    assert wait_for(client, "again")["status"]["succeededTrialList"] == [trial]
    pod = client.get(f"{CORE}/pods/{trial}-0").json()
    assert [each["restartCount"] for each in pod["status"]["containerStatuses"]] == [1, 1]
    assert (log(client, f"{trial}-0").text, log(client, f"{trial}-0", previous="1").text) == ("loss=2\n", "first\n")


def test_a_reader_who_leaves_is_let_go(served, client):
    trial = run(client, "left", "echo loss=1; sleep 60")
    with served.client() as other, other.stream("GET", f"{CORE}/pods/{trial}-0/log", params={"follow": "1"}) as answer:
        assert next(answer.iter_lines()) == "loss=1"
    deadline = time.monotonic() + 10
    while "katib_open_watches 0" not in client.get("/metrics").text:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    client.delete(path("left"))
