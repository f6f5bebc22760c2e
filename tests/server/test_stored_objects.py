"""ConfigMaps and namespaces: kept, changed, watched, deleted; templates out of ConfigMaps; what is refused."""

from __future__ import annotations

import json

import pytest

from tests.server.documents import experiment, gone, path, wait_for

MERGE = {"content-type": "application/merge-patch+json"}


def maps(name: str = "", namespace: str = "default") -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps" + (f"/{name}" if name else "")


def config_map(name: str, **data: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"a": "b"}}, "data": data}


def names(answer) -> list[str]:
    return [each["metadata"]["name"] for each in answer.json()["items"]]


def test_a_config_map_from_birth_to_death(served, client):
    revision = client.get(maps()).json()["metadata"]["resourceVersion"]
    assert client.post(maps(), json=config_map("settings", one="é")).status_code == 201
    answer = client.patch(maps("settings"), json={"data": {"two": "2"}}, headers=MERGE)
    assert answer.json()["data"] == {"one": "é", "two": "2"}
    assert client.get(maps("settings")).json() == answer.json()
    stale = {**answer.json(), "metadata": {**answer.json()["metadata"], "resourceVersion": "1"}}
    assert client.put(maps("settings"), json=stale).status_code == 409
    assert client.post(maps(), json=config_map("settings")).json()["reason"] == "AlreadyExists"
    client.delete(maps("settings"))
    assert client.get(maps("settings")).status_code == 404
    query = {"watch": "1", "resourceVersion": revision, "timeoutSeconds": "1"}
    with client.stream("GET", maps(), params=query) as lines:
        seen = [json.loads(line) for line in lines.iter_lines()]
    assert [line["type"] for line in seen] == ["ADDED", "MODIFIED", "DELETED"]


def test_a_template_in_a_config_map(client):
    tree = experiment("from-map")
    template = tree["spec"]["trialTemplate"]
    client.post(maps(), json=config_map("templates", **{"job.yaml": json.dumps(template.pop("trialSpec"))}))
    source = {"configMapName": "templates", "configMapNamespace": "default", "templatePath": "job.yaml"}
    template |= {"configMap": source, "successCondition": "status.succeeded", "failureCondition": "status.failed"}
    answer = client.post(path(), json=tree)
    assert answer.status_code == 201, answer.text
    assert wait_for(client, "from-map")["status"]["trialsSucceeded"] == 2
    template["configMap"] = {**source, "configMapName": "template"}
    tree["metadata"]["name"] = "from-nothing"
    answer = client.post(path(), json=tree)
    assert answer.status_code == 422
    assert "found no ConfigMap template" in answer.json()["message"]


def test_a_namespace_is_there_once_it_is_used(client):
    assert "default" in names(client.get("/api/v1/namespaces"))
    body = {"metadata": {"name": "made"}}
    assert client.post("/api/v1/namespaces", json=body).json()["status"] == {"phase": "Active"}
    client.post(path("", "used"), json=experiment("inside"))
    client.post(maps("", "used"), json=config_map("inside"))
    assert {"made", "used"} <= set(names(client.get("/api/v1/namespaces")))
    assert client.get("/api/v1/namespaces/used").json()["metadata"]["uid"]
    assert client.delete("/api/v1/namespaces/used").status_code == 200
    assert client.delete("/api/v1/namespaces/made").status_code == 200
    assert names(client.get(maps("", "used"))) == []
    gone(client, "inside", namespace="used")
    assert not {"made", "used"} & set(names(client.get("/api/v1/namespaces")))


@pytest.mark.parametrize(
    ("where", "body", "field"),
    [
        (maps(), config_map("Upper"), "metadata.name"),
        (maps(), {**config_map("x"), "data": {"a b": "1"}}, "data[a b]"),
        (maps(), {**config_map("x"), "data": {"a": 1}}, "data"),
        (maps(), {**config_map("x"), "data": {"a": "x" * 1_048_577}}, "data"),
        (maps(), {"metadata": {"name": "x", "labels": {"a": 1}}}, "metadata.labels"),
        ("/api/v1/namespaces", {"metadata": {"name": "a.b"}}, "metadata.name"),
    ],
)
def test_what_is_refused(client, where, body, field):
    answer = client.post(where, json=body)
    assert answer.status_code == 422, answer.text
    assert [cause["field"] for cause in answer.json()["details"]["causes"]] == [field]


def test_the_default_namespace_stays(client):
    assert client.delete("/api/v1/namespaces/default").status_code == 409
