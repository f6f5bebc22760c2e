"""The trial's side of DBManager: hands a trial's metrics in, for ``katib.report_metrics`` where no runner takes them.

The variables that say where to: ``KATIB_DB_MANAGER_ADDRESS`` (HOST:PORT), ``KATIB_TRIAL_NAME``, ``KATIB_NAMESPACE``
(left out: the service's own), ``KATIB_ATTEMPT`` (left out: the run that runs now); and how, as ``ClientSecurity`` has
it: ``KATIB_DB_MANAGER_CA``, ``..._CERT``, ``..._KEY``, ``..._TOKEN`` and ``..._TOKEN_FILE``.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from katib.core.errors import KatibError, UnavailableError
from katib.core.objective import Measurement
from suggestion_service.channel import open_channel
from suggestion_service.codec.logs import encode_report
from suggestion_service.diagnosis import tls_problem
from suggestion_service.errors import status_as_errors
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.security import ClientSecurity

PREFIX = "KATIB_DB_MANAGER_"
PATIENCE = 60.0
"""Seconds that a report is tried for while the service does not answer: a restart is waited for, not more."""

_CALL = 10.0  # seconds for one try
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 3.0  # seconds between two tries


def push(reports: Sequence[tuple[Any, ...]], environment: Mapping[str, str] = os.environ) -> None:
    """Hand in what ``katib.report_metrics`` was told, and return when it is taken.

    reports: fields of Measurement. Raises ValueError if the environment names no trial, RuntimeError if the service
    refuses the report, or does not answer for ``PATIENCE`` seconds.
    """
    trial, address = environment.get("KATIB_TRIAL_NAME"), environment[f"{PREFIX}ADDRESS"]
    if not trial:
        raise ValueError(f"{PREFIX}ADDRESS is set, but KATIB_TRIAL_NAME does not say whose metrics these are")
    attempt = environment.get("KATIB_ATTEMPT", "")
    request = pb.ReportObservationLogRequest(
        trial_name=trial,
        observation_log=encode_report(Measurement(*report) for report in reports),
        namespace=environment.get("KATIB_NAMESPACE", ""),
        attempt=int(attempt) if attempt.isdecimal() else 0,
        report=uuid.uuid4().hex,  # taken once, whatever answer is lost
    )
    try:
        _send(request, address, ClientSecurity.from_environment(PREFIX, environment))
    except KatibError as error:
        raise RuntimeError(f"metrics of trial {trial} were not taken: {error}") from error


def _send(request: pb.ReportObservationLogRequest, address: str, security: ClientSecurity) -> None:
    call = _method(os.getpid(), address, security)
    deadline, pause = time.monotonic() + PATIENCE, _FIRST_PAUSE
    while True:
        left = deadline - time.monotonic()
        try:
            with status_as_errors(address):
                call(request, timeout=min(_CALL, max(left, 0.1)))
            return
        except UnavailableError as error:
            if problem := tls_problem(address, security):
                raise UnavailableError(f"service at {address}: {problem}") from error
            if left <= pause:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


@lru_cache(maxsize=4)
def _method(pid: int, address: str, security: ClientSecurity) -> Any:
    """The call on a connection that this process keeps; a forked one (``pid``) needs its own."""
    return open_channel(address, security).unary_unary(
        "/api.v1.beta1.DBManager/ReportObservationLog",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=pb.ReportObservationLogReply.FromString,
    )
