"""The API described for programs: every reference leads somewhere, every path is served, answers are as it says."""

from __future__ import annotations

import importlib
import re

import pytest

from tests.server.documents import experiment, path, wait_for

VERSIONS = ("apis/kubeflow.org/v1beta1", "api/v1")


@pytest.fixture(scope="module")
def documents(client):
    index = client.get("/openapi/v3").json()["paths"]
    return {name: client.get(index[name]["serverRelativeURL"]).json() for name in VERSIONS}


def references(node):
    if isinstance(node, dict):
        yield from ([node["$ref"]] if "$ref" in node else [])
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from references(each)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_reference_leads_somewhere(documents, version):
    found = set(references(documents[version]))
    assert found
    assert found <= {f"#/components/schemas/{name}" for name in documents[version]["components"]["schemas"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_operation_is_served_and_has_its_own_id(client, documents, version):
    operations = [
        (where, method, operation)
        for where, item in documents[version]["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(ids) == len(set(ids))
    for where, method, operation in operations:
        answer = client.request(method, re.sub(r"\{\w+\}", "nobody", where), json={}, params={"dryRun": "All"})
        assert str(answer.status_code) in operation["responses"], (method, where)
        assert answer.status_code != 405, (method, where)


@pytest.mark.requires("jsonschema")
def test_answers_are_as_the_document_says(client, documents):
    client.post(path(), json=experiment("described", labels={"a": "b"}))
    wait_for(client, "described")
    schemas = documents[VERSIONS[0]]["components"]["schemas"]
    for plural, kind in (("experiments", "Experiment"), ("trials", "Trial"), ("suggestions", "Suggestion")):
        found = client.get(path(plural=plural)).json()
        schema = {"$ref": f"#/components/schemas/org.kubeflow.v1beta1.{kind}List", "components": {"schemas": schemas}}
        importlib.import_module("jsonschema").validate(_without_nulls(found), schema)
        assert found["items"]


def _without_nulls(node):
    """What may be null is marked in OpenAPI's own way, which JSON Schema does not know."""
    if isinstance(node, dict):
        return {name: _without_nulls(value) for name, value in node.items() if value is not None}
    return [_without_nulls(each) for each in node] if isinstance(node, list) else node


def test_fields_are_described(documents):
    schemas = documents[VERSIONS[0]]["components"]["schemas"]
    settings = schemas["org.kubeflow.v1beta1.AlgorithmSpec"]["properties"]["algorithmSettings"]
    assert settings["items"] == {"$ref": "#/components/schemas/org.kubeflow.v1beta1.NamedValue"}
    assert "settings" in settings["description"]
    top = schemas["org.kubeflow.v1beta1.Experiment"]
    assert top["x-kubernetes-group-version-kind"] == [
        {"group": "kubeflow.org", "version": "v1beta1", "kind": "Experiment"}
    ]
