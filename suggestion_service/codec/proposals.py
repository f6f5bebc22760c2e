"""Proposal <-> GetSuggestionsReply."""

from __future__ import annotations

from collections.abc import Mapping

from katib.core.errors import AlgorithmError, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.trial import Proposal, Suggestion
from suggestion_service.codec.foreign import trial_name
from suggestion_service.codec.values import decode_assignments, encode_assignments
from suggestion_service.generated import api_pb2 as pb


def encode_proposal(proposal: Proposal, spec: ExperimentSpec) -> pb.GetSuggestionsReply:
    """The reply to one of our own engines; ``for_katib`` adds what a Katib controller needs."""
    reply = pb.GetSuggestionsReply()
    for suggestion in proposal.suggestions:
        target = reply.parameter_assignments.add()
        encode_assignments(spec.space, suggestion.parameters, target.assignments)
        target.labels.update(suggestion.labels)
        if suggestion.parent is not None:
            target.parent = suggestion.parent
    reply.record.exhausted = proposal.exhausted
    reply.record.releases.extend(sorted(proposal.releases))
    return reply


def for_katib(reply: pb.GetSuggestionsReply, spec: ExperimentSpec, first: int, settings: Mapping[str, str]) -> None:
    """Name the trials of ``reply``, the first of them number ``first``, and add settings for the controller to keep."""
    for number, assignments in enumerate(reply.parameter_assignments, first):
        assignments.trial_name = trial_name(spec.key.name, number)
    if settings:
        reply.algorithm.algorithm_name = spec.algorithm.name
        for name, value in settings.items():
            reply.algorithm.algorithm_settings.add(name=name, value=value)


def decode_proposal(reply: pb.GetSuggestionsReply, spec: ExperimentSpec, count: int, waiting: bool) -> Proposal:
    """The proposal in a reply of our own service, or of a service that knows only Katib's fields.

    waiting: trials are still running. A Katib service cannot say that the search is over; from it, an empty answer
    while nothing is left to wait for means just that. Raises AlgorithmError if the answer is none to the question.
    """
    sets = reply.parameter_assignments
    if len(sets) > count:
        raise AlgorithmError(f"algorithm {spec.algorithm.name!r}: asked for {count} suggestions, got {len(sets)}")
    suggestions = tuple(_decode_suggestion(message, spec) for message in sets)
    if reply.HasField("record"):
        return Proposal(suggestions, reply.record.exhausted, frozenset(reply.record.releases))
    return Proposal(suggestions, exhausted=not suggestions and count > 0 and not waiting)


def _decode_suggestion(message: pb.GetSuggestionsReply.ParameterAssignments, spec: ExperimentSpec) -> Suggestion:
    parameters = decode_assignments(spec.space, message.assignments)
    if spec.nas is None:  # an architecture is no point of the space; the trial's own code reads it
        try:
            parameters = spec.space.check(parameters)
        except SpecError as error:
            raise AlgorithmError(f"algorithm {spec.algorithm.name!r} left the search space: {error}") from error
    return Suggestion(parameters, dict(message.labels), message.parent if message.HasField("parent") else None)
