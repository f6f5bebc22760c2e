"""Katib's ``DBManager`` service: metrics that trials and collectors hand in, and those that were recorded."""

from __future__ import annotations

import math
from typing import Any

from katib.core.errors import PermanentError
from katib.core.store_ports import LoggedStore
from suggestion_service.codec.logs import decode_report, decode_time, encode_report
from suggestion_service.errors import errors_as_status
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.observations import DEFAULT_NAMESPACE, Namespaces, Observations, namespace_of
from suggestion_service.requests import name_of, parse


class DBManagerServicer:
    """Answers the calls of ``api.v1.beta1.DBManager`` over the observation log of a store.

    Katib's messages name no namespace. Where ours do not either, ``namespaces`` tells the trial's.
    """

    def __init__(self, store: LoggedStore, namespaces: Namespaces = DEFAULT_NAMESPACE) -> None:
        self._log = store.log
        self._observations = Observations(store)
        self._namespaces = namespaces

    def ReportObservationLog(self, data: bytes, context: Any) -> pb.ReportObservationLogReply:
        """Take all rows or none. A report that names itself is taken once, however often it is sent."""
        with errors_as_status(context):
            request = parse(pb.ReportObservationLogRequest, data)
            namespace, trial = self._place(request)
            report = decode_report(request)
            attempt = self._observations.attempt(namespace, trial, report.attempt)
            self._log.append(namespace, trial, report._replace(attempt=attempt))
        return pb.ReportObservationLogReply()

    def GetObservationLog(self, data: bytes, context: Any) -> pb.GetObservationLogReply:
        """The rows of a trial in order of time, then of arrival; none for a trial that nobody reported of."""
        reply = pb.GetObservationLogReply()
        with errors_as_status(context):
            request = parse(pb.GetObservationLogRequest, data)
            namespace, trial = self._place(request)
            start = decode_time(request.start_time, "start_time", -math.inf)
            end = decode_time(request.end_time, "end_time", math.inf)
            measurements = self._observations.read(namespace, trial, request.metric_name, start, end)
            reply.observation_log.CopyFrom(encode_report(measurements))
        return reply

    def DeleteObservationLog(self, data: bytes, context: Any) -> pb.DeleteObservationLogReply:
        """Forget a trial of somebody else's; one of ours keeps its log as long as its experiment."""
        with errors_as_status(context):
            namespace, trial = self._place(parse(pb.DeleteObservationLogRequest, data))
            if (own := self._observations.own(namespace, trial)) is not None:
                raise PermanentError(f"the log of trial {trial} is part of experiment {own[0]}, and goes with it")
            self._log.delete(namespace, trial)
        return pb.DeleteObservationLogReply()

    def _place(self, request: Any) -> tuple[str, str]:
        trial = name_of(request.trial_name, "trial_name")
        return name_of(request.namespace or namespace_of(trial, self._namespaces), "namespace"), trial
