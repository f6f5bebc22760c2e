"""Watches: what there is and what happens, from a revision on, with selectors, until the time is over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.server.documents import experiment, path, wait_for
from tests.server.server_process import serving


@contextmanager
def watching(client, where, **query) -> Iterator[Iterator[tuple[str, dict]]]:
    with client.stream("GET", where, params={"watch": "1", "timeoutSeconds": "20", **query}) as answer:
        assert answer.status_code == 200
        yield ((line["type"], line["object"]) for line in map(json.loads, answer.iter_lines()))


def until_deleted(events, name):
    seen = []
    for type, tree in events:
        if tree["metadata"]["name"].startswith(name):
            seen.append((type, tree))
            if type == "DELETED" and tree["metadata"]["name"] == name:
                return seen
    raise AssertionError(f"the watch ended after {[type for type, _ in seen]}")


def test_an_experiment_from_birth_to_death(served, client):
    revision = client.get(path()).json()["metadata"]["resourceVersion"]
    with served.client() as other, watching(other, path(), resourceVersion=revision) as events:
        client.post(path(), json=experiment("watched"))
        wait_for(client, "watched")
        client.delete(path("watched"))
        seen = until_deleted(events, "watched")
    types = [type for type, _ in seen]
    assert [types[0], *sorted(set(types[1:-1]))] == ["ADDED", "MODIFIED"]
    revisions = [int(tree["metadata"]["resourceVersion"]) for _, tree in seen]
    assert revisions == sorted(set(revisions))
    assert seen[-1][1]["status"]["trialsSucceeded"] == 2


def test_what_happened_before_is_told_afterwards(client):
    revision = client.get(path(plural="trials")).json()["metadata"]["resourceVersion"]
    client.post(path(), json=experiment("later"))
    done = wait_for(client, "later")
    with watching(client, path(plural="trials"), resourceVersion=revision, timeoutSeconds="1") as events:
        last = {tree["metadata"]["name"]: tree for _, tree in events}
    assert sorted(last) == sorted(done["status"]["succeededTrialList"])
    assert all(tree["status"]["completionTime"] for tree in last.values())


def test_only_what_the_selector_names(client):
    for name in ("wanted", "unwanted"):
        client.post(path(), json=experiment(name))
    with watching(client, path(), fieldSelector="metadata.name=wanted", timeoutSeconds="1") as events:
        assert {tree["metadata"]["name"] for _, tree in events} == {"wanted"}


def test_an_object_that_leaves_the_selector_is_gone_for_the_watch(served, client):
    client.post(path(), json=experiment("leaving", labels={"team": "a"}))
    wait_for(client, "leaving")
    with served.client() as other, watching(other, path(), labelSelector="team=a") as events:
        assert next(events)[0] == "ADDED"
        change, headers = {"metadata": {"labels": {"team": "b"}}}, {"content-type": "application/merge-patch+json"}
        client.patch(path("leaving"), json=change, headers=headers)
        assert next(events)[0] == "DELETED"


def test_what_happened_before_the_server_began_is_expired(tmp_path):
    with serving(tmp_path) as first, first.client() as client:
        client.post(path(), json=experiment("old"))
        wait_for(client, "old")
    with (
        serving(tmp_path) as second,
        second.client() as client,
        watching(client, path(), resourceVersion="1") as events,
    ):
        type, status = next(events)
        assert (type, status["code"], status["reason"]) == ("ERROR", 410, "Expired")
        assert [each["metadata"]["name"] for each in client.get(path()).json()["items"]] == ["old"]
