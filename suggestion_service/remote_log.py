"""Reads the metrics of trials at another DBManager."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from katib.core.errors import UnavailableError
from katib.core.objective import Measurement
from suggestion_service.channel import open_channel
from suggestion_service.codec.logs import decode_log
from suggestion_service.errors import status_as_errors
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.security import ClientSecurity

_METHOD = "/api.v1.beta1.DBManager/GetObservationLog"


class RemoteLog:
    """One DBManager of somebody else."""

    def __init__(self, address: str, security: ClientSecurity, *, timeout: float = 10.0, namespace: str = "") -> None:
        """timeout: seconds for all trials that are asked about at a time. namespace: of the trials, empty for the
        DBManager's own; Katib's knows none."""
        self._address = address
        self._timeout = timeout
        self._namespace = namespace
        self._read = open_channel(address, security).unary_unary(
            _METHOD,
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=pb.GetObservationLogReply.FromString,
        )

    def curves(self, names: Sequence[str], metric: str) -> Mapping[str, Sequence[Measurement]]:
        """What the trials reported of ``metric`` (empty: of any), by name. Raises UnavailableError."""
        deadline = time.monotonic() + self._timeout
        return {name: self._curve(name, metric, deadline) for name in names}

    def _curve(self, name: str, metric: str, deadline: float) -> Sequence[Measurement]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise UnavailableError(f"DBManager at {self._address}: no answer for all trials in {self._timeout:g} s")
        request = pb.GetObservationLogRequest(trial_name=name, metric_name=metric, namespace=self._namespace)
        with status_as_errors(self._address):
            return decode_log(self._read(request, timeout=left).observation_log)
