"""Calls of all three services as any gRPC client makes them: raw method paths, this project's messages."""

from __future__ import annotations

import grpc

from suggestion_service.generated import api_pb2 as pb

OPTIONS = [("grpc.enable_http_proxy", 0)]


def call(channel, service, method, request, **options):
    """The reply to a message, or the status code and text of the refusal."""
    method_call = channel.unary_unary(
        f"/api.v1.beta1.{service}/{method}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=getattr(pb, f"{method}Reply").FromString,
    )
    try:
        return method_call(request, timeout=20, **options)
    except grpc.RpcError as error:
        return error.code(), error.details()


def log_of(*rows):
    """An ObservationLog of (time stamp, metric, value)."""
    log = pb.ObservationLog()
    for time_stamp, name, value in rows:
        log.metric_logs.add(time_stamp=time_stamp, metric={"name": name, "value": value})
    return log


def report(trial, *rows, **fields):
    """A report of (time stamp, metric, value) rows."""
    return pb.ReportObservationLogRequest(trial_name=trial, observation_log=log_of(*rows), **fields)


def rows_of(reply):
    """(time stamp, metric, value) of each row, in order."""
    return [(row.time_stamp, row.metric.name, row.metric.value) for row in reply.observation_log.metric_logs]
