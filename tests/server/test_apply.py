"""Server-side apply: who owns what, what is removed, who is in the way; over writes of all kinds and a restart."""

from __future__ import annotations

import copy

import pytest

from katib.server.apply import applied
from katib.server.managed_fields import MANAGED, Owner, entries, updated
from katib.server.status import ApiError
from tests.server.documents import experiment, gone, path
from tests.server.server_process import serving

YAML = {"content-type": "application/apply-patch+yaml"}
MERGE = {"content-type": "application/merge-patch+json"}


def tree(spec, **metadata):
    return {"kind": "Pear", "apiVersion": "v1", "metadata": {"name": "a", **metadata}, "spec": spec}


def stored(before, after, owned):
    """What is kept of a write."""
    noted = entries(owned, before, "v1", "now")
    return {**after, "metadata": {**after["metadata"], MANAGED: noted}}


def run(*steps):
    """The spec after these steps: (manager, spec that he applies), or (manager, spec that he writes, "update")."""
    live = {"metadata": {}}
    for manager, spec, *update in steps:
        seen = copy.deepcopy(live)
        if update:
            after = tree(spec)
            live = stored(live, after, updated(live, after, manager))
        else:
            live = stored(live, *applied(live, tree(spec), manager, False))
        assert seen["metadata"] == {} or "spec" in seen
    return live["spec"]


A, B = {"name": "a"}, {"name": "b"}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([("me", {"x": 1, "y": 2}), ("me", {"x": 1})], {"x": 1}),
        ([("me", {"x": 1, "y": 2}), ("you", {"y": 2}), ("me", {"x": 1})], {"x": 1, "y": 2}),
        ([("me", {"x": 1}), ("you", {"y": 2}), ("me", {"x": 3})], {"x": 3, "y": 2}),
        ([("me", {"in": {"x": 1}, "y": 2}), ("me", {"y": 2})], {"y": 2}),
        ([("me", {"list": [1, 2], "y": 1}), ("me", {"list": [3], "y": 1})], {"list": [3], "y": 1}),
        ([("me", {"items": [A, B]}), ("me", {"items": [B]})], {"items": [B]}),
        ([("me", {"items": [A]}), ("you", {"items": [B]}), ("me", {"items": [{**A, "v": 1}]})],
         {"items": [{**A, "v": 1}, B]}),
        ([("me", {"items": [A]}), ("you", {"items": [{**A, "v": 1}]}, "update"), ("me", {"y": 1})],
         {"items": [{**A, "v": 1}], "y": 1}),
        ([("me", {"items": [{**A, "v": 1}]}), ("you", {"items": [A]}), ("me", {"y": 1})], {"items": [A], "y": 1}),
        ([("me", {"x": "0.5"}), ("you", {"x": 0.5})], {"x": 0.5}),
        ([("me", {"x": 1}), ("you", {"x": 1, "y": 1}, "update"), ("me", {"x": 2})], {"x": 2, "y": 1}),
        ([("me", {"x": {"y": 1}}), ("me", {"x": 5})], {"x": 5}),
        ([("me", {"x": 1, "y": None})], {"x": 1}),
    ],
    ids=[
        "dropped", "dropped-but-shared", "others-stay", "nothing-empty-is-left", "plain-lists-are-one", "item-dropped",
        "items-are-merged", "what-others-added-stays", "shared-item-loses-its-field", "numbers-may-be-texts",
        "an-update-of-the-same-takes-nothing", "another-type", "null-is-absent",
    ],
)  # fmt: skip
def test_what_becomes_of_an_object(steps, expected):
    assert run(*steps) == expected


@pytest.mark.parametrize(
    ("steps", "fields"),
    [
        ([("you", {"x": 1}), ("me", {"x": 2})], [".spec.x"]),
        ([("you", {"x": 1, "y": 1}, "update"), ("me", {"x": 2, "y": 2})], [".spec.x", ".spec.y"]),
        ([("me", {"x": 1}), ("you", {"x": 3}, "update"), ("me", {"x": 1})], [".spec.x"]),
        ([("you", {"items": [{**A, "v": 1}]}), ("me", {"items": [{**A, "v": 2}]})], ['.spec.items[name="a"].v']),
        ([("you", {"x": {"y": 1}}), ("me", {"x": 5})], [".spec.x.y"]),
    ],
    ids=["applied", "updated", "taken-over", "in-an-item", "what-contains-it"],
)
def test_who_is_in_the_way(steps, fields):
    with pytest.raises(ApiError) as caught:
        run(*steps)
    assert caught.value.code == 409
    assert '"you"' in str(caught.value)
    assert [cause["field"] for cause in caught.value.details["causes"]] == fields


def test_force_takes_over():
    live, owned = applied({"metadata": {}}, tree({"x": 1}), "you", False)
    live, owned = applied(stored({"metadata": {}}, live, owned), tree({"x": 2}), "me", True)
    assert live["spec"] == {"x": 2}
    assert owned == {Owner("you", "Apply"): frozenset(), Owner("me", "Apply"): frozenset({("f:spec", "f:x")})}


def apply(client, body, **query):
    return client.patch(path(body["metadata"]["name"]), json=body, headers=YAML, params={"fieldManager": "me", **query})


def test_an_experiment_is_applied_over_a_restart(tmp_path):
    body = experiment("applied", trials=5, seconds=60)
    body["spec"]["maxFailedTrialCount"] = 1
    with serving(tmp_path) as served, served.client() as client:
        assert apply(client, body, dryRun="All").status_code == 201
        assert client.get(path("applied")).status_code == 404
        made = apply(client, body)
        assert made.status_code == 201, made.text
        again = apply(client, body)
        assert (again.status_code, again.json()["metadata"][MANAGED]) == (200, made.json()["metadata"][MANAGED])
    with serving(tmp_path) as served, served.client() as client:
        del body["spec"]["maxFailedTrialCount"]
        answer = apply(client, {**body, "metadata": {**body["metadata"], "labels": {"team": "a"}}})
        assert answer.status_code == 200, answer.text
        assert "maxFailedTrialCount" not in answer.json()["spec"]
        assert answer.json()["metadata"]["labels"] == {"team": "a"}
        client.patch(path("applied"), json={"metadata": {"labels": {"team": "b"}}}, headers=MERGE)
        refused = apply(client, {**body, "metadata": {**body["metadata"], "labels": {"team": "a"}}})
        assert (refused.status_code, refused.json()["reason"]) == (409, "Conflict")
        assert refused.json()["details"]["causes"][0]["field"] == ".metadata.labels.team"
        left = apply(client, body).json()["metadata"]
        assert left["labels"] == {"team": "b"}
        assert [entry["manager"] for entry in left[MANAGED]] == ["python-httpx", "me"]
        client.delete(path("applied"))
        gone(client, "applied")


@pytest.mark.parametrize(
    ("change", "query", "code", "word"),
    [
        ({}, {"fieldManager": ""}, 400, "fieldManager"),
        ({"metadata": {"name": "other"}}, {}, 400, "metadata.name"),
        ({"metadata": {"name": "refused", MANAGED: [{}]}}, {}, 400, "managedFields"),
        ({"spec": {"algorithm": {"algorithmName": "rndom"}}}, {}, 422, "spec.algorithm.algorithmName"),
    ],
    ids=["nobody", "another-name", "managed-fields", "rules"],
)
def test_what_is_refused(client, change, query, code, word):
    answer = client.patch(
        path("refused"), json={**experiment("refused"), **change}, headers=YAML, params={"fieldManager": "me", **query}
    )
    assert answer.status_code == code, answer.text
    assert word in answer.json()["message"]


def test_the_status_is_the_engines(client):
    answer = client.patch(f"{path('any')}/status", json={}, headers=MERGE)
    assert answer.status_code == 405
    assert "engine" in answer.json()["message"]
