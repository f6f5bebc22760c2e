"""Experiments over the API: from creation to deletion, edits and their limits, lists, errors."""

from __future__ import annotations

import pytest

from tests.server.documents import BASE, condition, experiment, gone, path, wait_for

MERGE = {"content-type": "application/merge-patch+json"}
JSON_PATCH = {"content-type": "application/json-patch+json"}


def create(client, name, **options):
    answer = client.post(path(), json=experiment(name, **options))
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_from_creation_to_deletion(client):
    made = create(client, "life")
    assert {"uid", "resourceVersion", "creationTimestamp"} <= made["metadata"].keys()
    done = wait_for(client, "life")
    assert done["status"]["trialsSucceeded"] == 2
    assert done["status"]["currentOptimalTrial"]["bestTrialName"] in done["status"]["succeededTrialList"]
    trial = client.get(path(done["status"]["succeededTrialList"][0], plural="trials")).json()
    assert condition(trial) == "Succeeded"
    assert trial["metadata"]["labels"]["katib.kubeflow.org/experiment"] == "life"
    assert client.get(path("life", plural="suggestions")).json()["status"]["suggestionCount"] == 2
    assert client.delete(path("life")).json()["status"] == "Success"
    gone(client, "life")
    assert client.get(path(trial["metadata"]["name"], plural="trials")).status_code == 404


def test_the_same_name_in_two_namespaces(client):
    for namespace, label in (("one", "a"), ("two", "b")):
        assert client.post(path("", namespace), json=experiment("twin", labels={"of": label})).status_code == 201
    assert client.get(path("twin", "one")).json()["metadata"]["labels"] == {"of": "a"}
    client.delete(path("twin", "one"))
    assert client.get(path("twin", "two")).json()["metadata"]["labels"] == {"of": "b"}
    names = [each["metadata"]["namespace"] for each in client.get(f"{BASE}/experiments").json()["items"]]
    assert "two" in names


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ({"spec": {"maxTrialCount": 5}}, MERGE),
        ([{"op": "replace", "path": "/spec/maxTrialCount", "value": 5}], JSON_PATCH),
        ({"spec": {"maxTrialCount": 5}}, JSON_PATCH),
    ],
    ids=["merge", "json", "merge-sent-as-json"],
)
def test_patches_of_the_budget(client, body, headers):
    name = f"patched-{len(client.get(path()).json()['items'])}"
    create(client, name, seconds=1.0)
    answer = client.patch(path(name), json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["spec"]["maxTrialCount"] == 5
    assert answer.json()["metadata"]["generation"] == 2
    client.delete(path(name))


def test_metadata_is_patched(client):
    create(client, "annotated")
    change = {"metadata": {"labels": {"team": "vision"}, "annotations": {"note": "é"}}}
    assert client.patch(path("annotated"), json=change, headers=MERGE).status_code == 200
    found = client.get(path("annotated")).json()["metadata"]
    assert (found["labels"], found["annotations"]) == ({"team": "vision"}, {"note": "é"})
    change = {"metadata": {"labels": {"team": None}}}
    assert "labels" not in client.patch(path("annotated"), json=change, headers=MERGE).json()["metadata"]


def test_replace_compares_revisions(client):
    create(client, "replaced", trials=3, seconds=1.0)
    seen = client.get(path("replaced")).json()
    seen["spec"]["maxTrialCount"] = 4
    newest = client.patch(path("replaced"), json={"metadata": {"labels": {"a": "b"}}}, headers=MERGE).json()
    answer = client.put(path("replaced"), json=seen)
    assert (answer.status_code, answer.json()["reason"]) == (409, "Conflict")
    newest["spec"]["maxTrialCount"] = 4
    newest["metadata"].pop("resourceVersion")
    assert client.put(path("replaced"), json=newest).json()["spec"]["maxTrialCount"] == 4


def test_pages_hold_everything_once(client):
    for number in range(5):
        create(client, f"page-{number}", labels={"paged": "yes"})
    names, token, query = [], "", {"labelSelector": "paged=yes", "limit": 2}
    while True:
        found = client.get(path(), params={**query, "continue": token}).json()
        names += [each["metadata"]["name"] for each in found["items"]]
        assert len(found["items"]) <= 2
        if not (token := found["metadata"].get("continue", "")):
            break
    assert names == [f"page-{number}" for number in range(5)]


def test_deleting_what_a_selector_names(client):
    for name in ("keep", "drop-1", "drop-2"):
        create(client, name, labels={"sort": name[:4]})
    found = client.delete(path(), params={"labelSelector": "sort=drop"}).json()
    assert [each["metadata"]["name"] for each in found["items"]] == ["drop-1", "drop-2"]
    for name in ("drop-1", "drop-2"):
        gone(client, name)
    assert client.get(path("keep")).status_code == 200


def unknown_field():
    tree = experiment("unknown")
    tree["spec"]["maxTrialCont"] = 3
    return tree


@pytest.mark.parametrize(
    ("validation", "code", "warned"), [("Warn", 201, True), ("Ignore", 201, False), ("Strict", 422, False)]
)
def test_unknown_fields(client, validation, code, warned):
    query = {"fieldValidation": validation, "dryRun": "All"}
    answer = client.post(path(), json=unknown_field(), params=query)
    assert answer.status_code == code, answer.text
    assert ("maxTrialCount" in answer.headers.get("Warning", "")) is warned
    assert client.get(path("unknown")).status_code == 404


def broken(**spec):
    tree = experiment("broken")
    tree["spec"] |= spec
    return tree


@pytest.mark.parametrize(
    ("method", "where", "body", "code", "reason", "word"),
    [
        ("POST", path(), broken(algorithm={"algorithmName": "rndom"}), 422, "Invalid", "random"),
        ("POST", path(), broken(maxTrialCount="many"), 422, "Invalid", "spec.maxTrialCount"),
        ("POST", path(), {**experiment(), "kind": "Trial"}, 400, "BadRequest", "Experiment"),
        ("POST", path(), [1], 400, "BadRequest", "list"),
        ("POST", path("x"), experiment("x"), 405, "MethodNotAllowed", "create"),
        ("POST", path(plural="trials"), {}, 405, "MethodNotAllowed", "trials"),
        ("PUT", path("nobody"), experiment("nobody"), 404, "NotFound", "nobody"),
        ("PUT", path("one-name"), experiment("other-name"), 400, "BadRequest", "one-name"),
        ("GET", path("nobody"), None, 404, "NotFound", "nobody"),
        ("DELETE", path("nobody"), None, 404, "NotFound", "nobody"),
        ("GET", f"{BASE}/namespaces/default/pears", None, 404, "NotFound", "resource"),
        ("GET", path() + "?labelSelector=%3D%3D", None, 400, "BadRequest", "labelSelector"),
        ("GET", path() + "?continue=abc", None, 400, "BadRequest", "continue"),
        ("GET", path() + "?limit=-1", None, 400, "BadRequest", "limit"),
    ],
)
def test_errors_say_what_is_wrong(client, method, where, body, code, reason, word):
    answer = client.request(method, where, json=body)
    status = answer.json()
    assert (answer.status_code, status["kind"], status["code"], status["reason"]) == (code, "Status", code, reason)
    assert word in status["message"]


def test_a_taken_name(client):
    create(client, "taken")
    answer = client.post(path(), json=experiment("taken"))
    assert (answer.status_code, answer.json()["reason"]) == (409, "AlreadyExists")


def test_what_cannot_be_edited(client):
    create(client, "fixed")
    change = {"spec": {"algorithm": {"algorithmName": "tpe"}}}
    answer = client.patch(path("fixed"), json=change, headers=MERGE)
    assert answer.status_code == 422
    assert [each["field"] for each in answer.json()["details"]["causes"]] == ["spec.algorithm.algorithmName"]
