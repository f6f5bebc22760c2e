"""The forms of answers that kubectl asks for: tables, metadata alone, and discovery in one answer."""

from __future__ import annotations

import json

import pytest

from tests.server.documents import experiment, path, wait_for

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@pytest.fixture(scope="module")
def done(client):
    client.post(path(), json=experiment("shown", labels={"team": "a"}))
    return wait_for(client, "shown")


def cells(table):
    return [
        {c["name"]: cell for c, cell in zip(table["columnDefinitions"], row["cells"], strict=True)}
        for row in table["rows"]
    ]


@pytest.mark.parametrize(
    ("plural", "expected"),
    [
        (
            "experiments",
            {"Name": "shown", "Type": "Succeeded", "Status": "True", "Algorithm": "random", "Succeeded": 2},
        ),
        ("suggestions", {"Name": "shown", "Type": "Succeeded", "Requested": 2, "Assigned": 2}),
        ("trials", {"Type": "Succeeded", "Status": "True"}),
    ],
)
def test_tables(client, done, plural, expected):
    table = client.get(path(plural=plural), headers={"accept": f"{TABLE},application/json"}).json()
    row = cells(table)[0]
    assert {name: row[name] for name in expected} == expected
    assert row["Age"].endswith("s")
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    assert table["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("include", "kind"), [("None", None), ("Metadata", "PartialObjectMetadata"), ("Object", "Experiment")]
)
def test_what_rows_include(client, done, include, kind):
    table = client.get(path("shown"), headers={"accept": TABLE}, params={"includeObject": include}).json()
    assert table["rows"][0].get("object", {}).get("kind") == kind


@pytest.mark.parametrize(
    ("accept", "kind"), [(TABLE, "Table"), (PARTIAL, "PartialObjectMetadata"), ("*/*", "Experiment")]
)
def test_watches_have_the_form_too(client, done, accept, kind):
    query = {"watch": "1", "timeoutSeconds": "1", "fieldSelector": "metadata.name=shown"}
    lines = client.get(path(), headers={"accept": accept}, params=query).text.splitlines()
    assert [json.loads(line)["object"]["kind"] for line in lines] == [kind]


@pytest.mark.parametrize(
    ("accept", "code"),
    [("text/html,*/*;q=0.8", 200), ("application/vnd.kubernetes.protobuf", 406), ("text/plain", 406)],
)
def test_what_is_accepted(client, done, accept, code):
    assert client.get(path("shown"), headers={"accept": accept}).status_code == code


def test_discovery_in_one_answer(client):
    answer = client.get("/apis", headers={"accept": f"{AGGREGATED},application/json"})
    assert answer.headers["content-type"] == AGGREGATED
    group = next(each for each in answer.json()["items"] if each["metadata"]["name"] == "kubeflow.org")
    resource = next(each for each in group["versions"][0]["resources"] if each["resource"] == "experiments")
    assert resource["responseKind"]["kind"] == "Experiment"
    assert "watch" in resource["verbs"]
    assert [each["subresource"] for each in resource["subresources"]] == ["status"]
    assert client.get("/apis").json()["kind"] == "APIGroupList"


def test_a_generated_name(client):
    tree = experiment()
    tree["metadata"] = {"generateName": "made-"}
    names = {client.post(path(), json=tree, params={"dryRun": "All"}).json()["metadata"]["name"] for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("made-") and len(name) == 10 for name in names)
