"""Katib's ``Suggestion`` service over this project's algorithms.

Stateless: a request carries the whole history, so any replica answers any call and a restart loses nothing. What is
kept between calls (algorithm objects, the history that was sent last) saves work and changes no answer.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import grpc

from algorithms import ALGORITHMS, create_algorithm
from katib.core.errors import SpecError, UnknownNameError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.ports import Algorithm
from katib.core.trial import Proposal
from suggestion_service.codec import foreign
from suggestion_service.codec.experiment import decode_experiment
from suggestion_service.codec.proposals import encode_proposal, for_katib
from suggestion_service.errors import errors_as_status
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.mirror import Mirror
from suggestion_service.requests import decoded, parse
from suggestion_service.trial_volume import TrialVolume

# A mistaken number must not fill the memory.
MAX_COUNT = 100_000  # suggestions in one call
MAX_TOTAL = 1_000_000  # suggestions that a Katib controller has had and asks for, each of which is counted through

_KEPT = 32  # experiments whose algorithm and history are kept; about 20 MB each at 10,000 trials

_log = logging.getLogger(__name__)

Create = Callable[[ExperimentSpec], Algorithm]


def create_listed(spec: ExperimentSpec) -> Algorithm:
    """The algorithm that ``spec`` names, if the algorithm table lists it.

    A name of the form ``package.module:Class`` would let a caller load any code by the network, so it is unknown here.
    """
    if spec.algorithm.name not in ALGORITHMS:
        raise UnknownNameError("algorithm", spec.algorithm.name, ALGORITHMS)
    return create_algorithm(spec)


class _Built(NamedTuple):
    """An algorithm, the history that it was last asked about, and the lock that keeps both to one call at a time."""

    spec: ExperimentSpec
    algorithm: Algorithm
    mirror: Mirror
    lock: threading.Lock


class SuggestionServicer:
    """Answers the calls of ``api.v1.beta1.Suggestion``. Requests come as bytes, so that a malformed one is answered
    like any other bad argument."""

    def __init__(self, create: Create = create_listed, volume: TrialVolume | None = None) -> None:
        """``create`` builds an algorithm and raises SpecError where that cannot be. ``volume``: where trials of Katib
        controllers have their checkpoints; without it they are not handed down."""
        self._create = create
        self._volume = volume
        self._built = lru_cache(maxsize=_KEPT)(self._build)

    def ValidateAlgorithmSettings(self, data: bytes, context: Any) -> pb.ValidateAlgorithmSettingsReply:
        """Empty reply if the algorithm can be built. Katib's controller takes only INVALID_ARGUMENT for a refusal."""
        with errors_as_status(context, refusal=grpc.StatusCode.INVALID_ARGUMENT):
            experiment = parse(pb.ValidateAlgorithmSettingsRequest, data).experiment
            foreign.take_memory(experiment)
            built = self._built(experiment.SerializeToString(deterministic=True))
            if built.spec.checkpoint_path and self._volume is None and not experiment.HasField("record"):
                _log.warning("%s: no checkpoint is handed down without --trial-volume", experiment.name)
        return pb.ValidateAlgorithmSettingsReply()

    def GetSuggestions(self, data: bytes, context: Any) -> pb.GetSuggestionsReply:
        """The algorithm's answer to the history in the request."""
        with errors_as_status(context):
            request = parse(pb.UnreadGetSuggestionsRequest, data)
            _check("current_request_number", request.current_request_number, MAX_COUNT)
            if request.experiment.HasField("record"):
                return self._answer_own(request)
            _check("total_request_number", request.total_request_number, MAX_TOTAL)
            return self._answer_katib(parse(pb.GetSuggestionsRequest, data))

    def _answer_own(self, request: pb.UnreadGetSuggestionsRequest) -> pb.GetSuggestionsReply:
        built = self._built(request.experiment.SerializeToString(deterministic=True))
        with built.lock:
            history = decoded(lambda: built.mirror.history(request.trials))
            proposal = built.algorithm.suggest(history, request.current_request_number)
        return encode_proposal(proposal, built.spec)

    def _answer_katib(self, request: pb.GetSuggestionsRequest) -> pb.GetSuggestionsReply:
        memory = foreign.take_memory(request.experiment)
        built = self._built(request.experiment.SerializeToString(deterministic=True))
        space, objective = built.spec.space, built.spec.objective
        history = decoded(lambda: foreign.decode_history(request, space, objective, memory))
        first = history.next_number
        with built.lock:
            proposal = built.algorithm.suggest(history, request.current_request_number)
        if built.spec.budget.max_trials is not None:  # without a maximum, repeats would be tried for ever
            proposal = foreign.fill(proposal, history, request.current_request_number)
        if built.spec.checkpoint_path and self._volume is not None:
            self._hand_down(self._volume, built.spec.key.name, history, proposal)
        reply = encode_proposal(proposal, built.spec)
        for_katib(reply, built.spec, first, foreign.remember(memory, first, proposal.suggestions))
        return reply

    def _hand_down(self, volume: TrialVolume, experiment: str, history: History, proposal: Proposal) -> None:
        """Give the trials to be named their parents' checkpoints."""
        for number, suggestion in enumerate(proposal.suggestions, history.next_number):
            if suggestion.parent is not None:
                parent = history.trials[suggestion.parent].name
                volume.hand_down(experiment, parent, foreign.trial_name(experiment, number))

    def _build(self, experiment: bytes) -> _Built:
        spec = decoded(lambda: decode_experiment(pb.Experiment.FromString(experiment)))
        mirror = Mirror(spec.space, spec.objective, spec.sources)
        return _Built(spec, self._create(spec), mirror, threading.Lock())


def _check(field: str, number: int, most: int) -> None:
    if not 0 <= number <= most:
        raise SpecError(f"{field}: got {number}, expected 0 to {most}")
