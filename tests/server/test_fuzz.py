"""Whatever a client sends, the server answers with an error of the client's, never one of its own: requests made from
the served OpenAPI documents, patches, selectors."""

from __future__ import annotations

import importlib
import json
import os
import string

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.documents import experiment, path

DOCUMENTS = ("apis/kubeflow.org/v1beta1", "api/v1")
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"

EXAMPLES = int(os.environ.get("KATIB_FUZZ_EXAMPLES", "40"))

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


def check(answer: httpx.Response, sent: object) -> None:
    """No error of the server's, and errors are Statuses."""
    assert answer.status_code < 500, (answer.status_code, answer.text, sent)
    if answer.status_code >= 400:
        assert answer.json()["kind"] == "Status", (answer.text, sent)


@pytest.fixture(scope="module")
def patched(client):
    """An experiment that is stored and never runs long."""
    assert client.post(path(), json=experiment("fuzzed", trials=2)).status_code == 201
    return path("fuzzed")


texts = st.text(max_size=12) | st.sampled_from(["\ud800", "\x00", "é", "a" * 300, "1e999", "-1", "NaN"])
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([10**400, -(2**63), 1e308])
names = st.sampled_from(
    [
        *("metadata", "spec", "status", "labels", "annotations", "name", "namespace", "finalizers", "ownerReferences"),
        *("maxTrialCount", "parallelTrialCount", "parameters", "objective", "algorithm", "trialTemplate", "uid"),
        *("managedFields", "feasibleSpace", "min", "max", "list", "goal", "resourceVersion", "kind", "apiVersion"),
    ]
)
trees = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | texts, inner, max_size=4),
    max_leaves=12,
)
merges = st.dictionaries(names, trees, max_size=4) | st.fixed_dictionaries(
    {}, optional={"metadata": st.dictionaries(names, trees, max_size=4), "spec": st.dictionaries(names, trees)}
)
pointers = st.lists(names | st.sampled_from(["0", "-", "~1", "~2", "", "99"]), max_size=4).map(
    lambda steps: "".join(f"/{step}" for step in steps)
)
operations = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x"]) | trees,
        "path": pointers | trees,
    },
    optional={"value": trees, "from": pointers},
)


@pytest.mark.slow
class TestPatches:
    @bounded
    @given(patch=merges | trees)
    def test_merge(self, client, patched, patch):
        self.send(client, patched, patch, MERGE)

    @bounded
    @given(patch=st.lists(operations, max_size=3) | trees)
    def test_json(self, client, patched, patch):
        self.send(client, patched, patch, JSON_PATCH)

    @bounded
    @given(patch=merges | trees)
    def test_apply(self, client, patched, patch):
        self.send(client, patched + "?fieldManager=fuzz&force=true", patch, "application/apply-patch+yaml")

    @bounded
    @given(tree=merges | trees)
    def test_creation(self, client, tree):
        for query in ("", "&fieldValidation=Strict"):
            body = dumped(tree)
            headers = {"content-type": "application/json"}
            check(client.post(path() + f"?dryRun=All{query}", content=body, headers=headers), tree)

    def send(self, client, where, patch, kind):
        body = dumped(patch)
        query = "&dryRun=All" if "?" in where else "?dryRun=All"
        check(client.patch(where + query, content=body, headers={"content-type": kind}), patch)


def dumped(tree: object) -> bytes:
    """JSON, halves of surrogate pairs included."""
    return json.dumps(tree).encode()


@pytest.mark.slow
@bounded
@given(
    labels=st.text(alphabet="ab=!,() \t" + "in" + "é\x00%", max_size=30) | st.text(max_size=20),
    fields=st.text(alphabet="ab=!,.", max_size=20) | st.sampled_from(["metadata.name=x", "metadata.name!=", "a=b,c"]),
    other=st.dictionaries(
        st.sampled_from(["limit", "continue", "resourceVersion", "timeoutSeconds", "resourceVersionMatch", "pretty"]),
        st.text(alphabet=string.printable, max_size=12) | st.sampled_from(["WzEsIDIsIDNd", "W10", "9" * 30]),
        max_size=3,
    ),
)
def test_selectors_and_queries(client, labels, fields, other):
    for plural in ("experiments", "trials"):
        query = {**other, "labelSelector": labels, "fieldSelector": fields}
        check(client.get(path(plural=plural), params=query), query)


@pytest.mark.slow
@pytest.mark.requires("schemathesis")
@pytest.mark.parametrize("document", DOCUMENTS)
def test_requests_of_the_served_documents(served, client, document):
    schema = importlib.import_module("schemathesis").openapi.from_dict(client.get(f"/openapi/v3/{document}").json())
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(bounded, max_examples=max(EXAMPLES // 5, 1))
        @given(case=operation.as_strategy())
        def send(case):
            query = dict(case.query or {})
            if {"watch", "follow"} & query.keys():
                query["timeoutSeconds"] = "1"
                query.pop("follow", None)
            if case.method.upper() not in ("GET", "HEAD"):
                query["dryRun"] = "All"
            sent = case.as_transport_kwargs(base_url=served.url)
            sent = {
                name: sent[name] for name in ("method", "url", "headers", "json", "data") if sent.get(name) is not None
            }
            if "data" in sent:
                sent["content"] = sent.pop("data")
            with httpx.Client(timeout=30) as fresh:
                check(fresh.request(**sent, params=query), sent)

        send()


def test_halves_of_characters(client):
    tree = experiment("half", annotations={"note": "\ud800"})
    answer = client.post(path(), content=dumped(tree), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")
