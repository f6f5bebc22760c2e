"""Trials of every namespace are found by their names alone, as Katib's gRPC messages have them."""

from __future__ import annotations

import grpc
import pytest

from suggestion_service.generated import api_pb2 as pb
from tests.server.documents import experiment, path, wait_for


@pytest.mark.parametrize(
    "places", [["default"], ["elsewhere"], ["one", "two"], ["default", "three"]], ids=lambda places: "+".join(places)
)
def test_metrics_of_a_trial(served, client, places):
    name = f"in-{'-'.join(places)}"
    trials = {}
    for namespace in places:
        client.post("/api/v1/namespaces", json={"metadata": {"name": namespace}})
        assert client.post(path("", namespace), json=experiment(name, trials=1)).status_code == 201
    for namespace in places:
        (trials[namespace],) = wait_for(client, name, namespace=namespace)["status"]["succeededTrialList"]
    with grpc.insecure_channel(served.grpc) as channel:
        ask = channel.unary_unary(
            "/api.v1.beta1.DBManager/GetObservationLog",
            request_serializer=pb.GetObservationLogRequest.SerializeToString,
            response_deserializer=pb.GetObservationLogReply.FromString,
        )
        for namespace, trial in trials.items():
            tree = client.get(path(trial, namespace, "trials")).json()
            logs = ask(pb.GetObservationLogRequest(trial_name=trial)).observation_log.metric_logs
            assert [float(each.metric.value) for each in logs] == [
                float(tree["status"]["observation"]["metrics"][0]["latest"])
            ]
