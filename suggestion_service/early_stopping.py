"""Katib's ``EarlyStopping`` service: this project's stopping rules for engines that ask for them over the network.

Our own engine judges its trials itself, at every report. Katib hands rules out with a trial and has them applied beside
it; they come from the same code.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import grpc

from algorithms import STOPPERS, create_stopper
from katib.core.errors import SpecError, UnavailableError, UnknownNameError
from katib.core.experiment import Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Objective
from katib.core.ports import Comparison, RuleStopper, StoppingRule
from katib.core.space import SearchSpace
from katib.core.store_ports import LoggedStore
from katib.core.trial import Key
from suggestion_service.codec import foreign, trials
from suggestion_service.codec.experiment import decode_component, decode_experiment
from suggestion_service.curves import Curve, KeptCurves, Read
from suggestion_service.errors import errors_as_status
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.observations import DEFAULT_NAMESPACE, Namespaces, Observations, namespace_of
from suggestion_service.requests import decoded, name_of, parse

log = logging.getLogger(__name__)

_COMPARISONS = {Comparison.EQUAL: pb.EQUAL, Comparison.LESS: pb.LESS, Comparison.GREATER: pb.GREATER}
_STATUS = pb.TrialStatus

_WARNED_LIMIT = 100  # addresses

#: Trials and a metric -> what another DBManager has of them, by name. Raises UnavailableError.
ReadElsewhere = Callable[[Sequence[str], str], Mapping[str, Curve]]


def create_listed(spec: ExperimentSpec) -> RuleStopper:
    """The rule that ``spec`` names, if the table of rules lists it: a caller must not have other code loaded."""
    name = spec.stopper.name if spec.stopper else ""
    stopper = create_stopper(spec) if name in STOPPERS else None
    if stopper is None or not hasattr(stopper, "rules"):
        raise UnknownNameError("early-stopping rule", name, STOPPERS)
    return stopper  # type: ignore[return-value]


class EarlyStoppingServicer:
    """Answers the calls of ``api.v1.beta1.EarlyStopping``."""

    def __init__(
        self,
        store: LoggedStore,
        namespaces: Namespaces = DEFAULT_NAMESPACE,
        read_elsewhere: Mapping[str, ReadElsewhere] | None = None,
    ) -> None:
        """read_elsewhere: addresses of other DBManagers that a request may name, and how each is read. With any other
        address, or none, curves are looked for in the store: no caller can make this service connect anywhere."""
        self._log = store.log
        self._observations = Observations(store)
        self._namespaces = namespaces
        self._read_elsewhere = read_elsewhere or {}
        self._kept = KeptCurves()
        self._warned: set[str] = set()

    def ValidateEarlyStoppingSettings(self, data: bytes, context: Any) -> pb.ValidateEarlyStoppingSettingsReply:
        """Empty reply if the rule can be built. Katib's controller takes only INVALID_ARGUMENT for a refusal."""
        with errors_as_status(context, refusal=grpc.StatusCode.INVALID_ARGUMENT):
            request = parse(pb.ValidateEarlyStoppingSettingsRequest, data)
            component = decoded(lambda: decode_component(request.early_stopping))
            create_listed(_spec_of(component))
        return pb.ValidateEarlyStoppingSettingsReply()

    def GetEarlyStoppingRules(self, data: bytes, context: Any) -> pb.GetEarlyStoppingRulesReply:
        """The rules for trials that start now."""
        reply = pb.GetEarlyStoppingRulesReply()
        with errors_as_status(context):
            request = parse(pb.GetEarlyStoppingRulesRequest, data)
            spec = decoded(lambda: decode_experiment(request.experiment))
            if spec.stopper is None:
                raise SpecError("experiment.spec.early_stopping: missing, expected an early-stopping rule")
            stopper = create_listed(spec)
            reply.early_stopping_rules.extend(map(_encode_rule, stopper.rules(self._history(request, spec, context))))
        return reply

    def SetTrialStatus(self, data: bytes, context: Any) -> pb.SetTrialStatusReply:
        """Note that a rule has stopped the trial: one of ours ends EarlyStopped, another's is left out of medians."""
        with errors_as_status(context):
            request = parse(pb.SetTrialStatusRequest, data)
            trial = name_of(request.trial_name, "trial_name")
            namespace = name_of(request.namespace or namespace_of(trial, self._namespaces), "namespace")
            attempt = self._observations.attempt(namespace, trial, request.attempt)
            self._log.mark_early_stopped(namespace, trial, attempt)
        return pb.SetTrialStatusReply()

    def _history(self, request: pb.GetEarlyStoppingRulesRequest, spec: ExperimentSpec, context: Any) -> History:
        """The history that the request tells of, with the curves of the trials that succeeded."""
        if request.experiment.HasField("record"):
            return decoded(lambda: trials.decode_history(request.trials, spec.space, spec.objective))
        succeeded: list[pb.Trial] = []
        for trial in request.trials:
            if trial.status.condition == _STATUS.SUCCEEDED:
                if self._log.early_stopped(namespace_of(trial.name, self._namespaces), trial.name):
                    trial.status.condition = _STATUS.EARLYSTOPPED  # its end was seen before its mark
                else:
                    succeeded.append(trial)
        reader = self._reader(request.db_manager_address, spec.objective.metric, context)
        curves = self._kept.get({trial.name: _identity(trial, request, spec) for trial in succeeded}, reader)
        shown = pb.GetSuggestionsRequest(experiment=request.experiment, trials=request.trials)
        return decoded(lambda: foreign.decode_history(shown, spec.space, spec.objective, curves=curves))

    def _reader(self, address: str, metric: str, context: Any) -> Read:
        """What reads curves for a request that names this DBManager."""
        elsewhere = self._read_elsewhere.get(address)
        if elsewhere is None and address and address not in self._warned and len(self._warned) < _WARNED_LIMIT:
            self._warned.add(address)
            log.warning("asked to read metrics at %r, which --db-manager does not list; looking in the store", address)

        def read(names: Sequence[str]) -> Mapping[str, Curve]:
            if not context.is_active():
                raise UnavailableError("the caller has given up")
            if elsewhere is not None:
                return elsewhere(names, metric)
            return {name: self._observations.read(namespace_of(name, self._namespaces), name, metric) for name in names}

        return read


def _identity(trial: pb.Trial, request: pb.GetEarlyStoppingRulesRequest, spec: ExperimentSpec) -> tuple[str, ...]:
    """What tells a finished trial's curve from that of a later trial of the same name, and from one read elsewhere."""
    status = trial.status
    return request.db_manager_address, spec.objective.metric, trial.name, status.start_time, status.completion_time


def _encode_rule(rule: StoppingRule) -> pb.EarlyStoppingRule:
    return pb.EarlyStoppingRule(
        name=rule.metric, value=repr(rule.value), comparison=_COMPARISONS[rule.comparison], start_step=rule.start_step
    )


def _spec_of(component: Component) -> ExperimentSpec:
    """The least experiment that a rule can be built from."""
    return ExperimentSpec(Key("", ""), SearchSpace(()), Objective("objective"), Component(""), stopper=component)
