"""An algorithm that lives in a suggestion service: our own, or a Katib suggestion image."""

from __future__ import annotations

import weakref
from typing import Any

import grpc

from algorithms import ALGORITHMS, create_algorithm
from katib.core.errors import KatibError, PermanentError, UnavailableError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.trial import Proposal, Trial
from suggestion_service.channel import open_channel
from suggestion_service.codec.experiment import encode_experiment, encode_objective
from suggestion_service.codec.proposals import decode_proposal
from suggestion_service.codec.trials import Frame, encode_trial
from suggestion_service.diagnosis import tls_problem
from suggestion_service.errors import status_as_errors
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.security import ClientSecurity


class RemoteAlgorithm:
    """The Algorithm port over gRPC. Holds no state of the search; finished trials are encoded once and kept as bytes.

    From a Katib suggestion image, settings that it hands back are sent with later calls, as Katib's controller does;
    they live as long as this object.
    """

    def __init__(
        self,
        spec: ExperimentSpec,
        address: str,
        *,
        timeout: float = 60.0,
        security: ClientSecurity = ClientSecurity(),
    ) -> None:
        """``address``: HOST:PORT. ``timeout``: seconds for each call.

        Raises what building the algorithm in this process would, UnavailableError if the service does not answer, or
        PermanentError if it refuses this client.
        """
        self._spec = spec
        self._address = address
        self._security = security
        self._timeout = timeout
        if spec.space.open and spec.algorithm.name in ALGORITHMS:  # the wire has no word for that it is open
            create_algorithm(spec)
        self._experiment = encode_experiment(spec)
        self._encoded = _EncodedTrials(Frame(spec.space, spec.objective, encode_objective(spec.objective)))
        self._channel = open_channel(address, security)
        self._suggest = self._method("GetSuggestions", pb.GetSuggestionsReply)
        try:
            self._validate()
        except KatibError as error:
            self.close()
            if problem := self._problem(error):
                raise PermanentError(f"service at {address}: {problem}") from error
            raise

    def suggest(self, history: History, count: int) -> Proposal:
        """The service's answer. Raises UnavailableError if it does not answer in time, AlgorithmError if its answer is
        none, and otherwise what the algorithm raised."""
        try:
            with status_as_errors(self._address):
                reply = self._suggest(self._request(history, count), timeout=self._timeout)
        except UnavailableError as error:
            if problem := self._problem(error):
                raise UnavailableError(f"service at {self._address}: {problem}") from error
            raise
        for setting in reply.algorithm.algorithm_settings:
            self._keep(setting)
        return decode_proposal(reply, self._spec, count, waiting=bool(history.active))

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _problem(self, error: KatibError) -> str:
        """What is wrong with certificates, if that is why the service does not answer; a new one mends it."""
        return tls_problem(self._address, self._security) if isinstance(error, UnavailableError) else ""

    def _validate(self) -> None:
        validate = self._method("ValidateAlgorithmSettings", pb.ValidateAlgorithmSettingsReply)
        request = pb.ValidateAlgorithmSettingsRequest(experiment=self._experiment)
        with status_as_errors(self._address):
            try:
                validate(request.SerializeToString(), timeout=self._timeout)
            except grpc.RpcError as status:
                if status.code() is not grpc.StatusCode.UNIMPLEMENTED:  # a service need not know how to validate
                    raise

    def _request(self, history: History, count: int) -> bytes:
        # Messages of one kind, written one after the other, are one message: lists are joined, fields set.
        head = pb.GetSuggestionsRequest(
            experiment=self._experiment, current_request_number=count, total_request_number=len(history) + count
        )
        return b"".join((head.SerializeToString(), *self._encoded.of(history)))

    def _method(self, name: str, reply: Any) -> Any:
        return self._channel.unary_unary(f"/api.v1.beta1.Suggestion/{name}", response_deserializer=reply.FromString)

    def _keep(self, setting: pb.AlgorithmSetting) -> None:
        settings = self._experiment.spec.algorithm.algorithm_settings
        for known in settings:
            if known.name == setting.name:
                known.value = setting.value
                return
        settings.add(name=setting.name, value=setting.value)


class _EncodedTrials:
    """The trials of a history as bytes of a GetSuggestionsRequest.

    Finished trials never change, so those of the history seen last are kept, and a call encodes only what is new.
    """

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._history: weakref.ref[History] | None = None
        self._finished = bytearray()
        self._count = 0

    def of(self, history: History) -> tuple[bytearray, bytes]:
        """Finished trials, then those that are pending or running."""
        if self._history is None or self._history() is not history:
            self._history, self._finished, self._count = weakref.ref(history), bytearray(), 0
        for trial in history.finished[self._count :]:
            self._finished += self._encode(trial, history)
            self._count += 1
        return self._finished, b"".join(self._encode(trial, history) for trial in history.active.values())

    def _encode(self, trial: Trial, history: History) -> bytes:
        request = pb.GetSuggestionsRequest()
        encode_trial(trial, history.curve(trial.number), self._frame, request.trials.add())
        return request.SerializeToString()
