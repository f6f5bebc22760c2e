"""From the arguments of the Python door to an experiment in the store: made, or found again and gone on with."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from katib.compose import Workshop
from katib.core.constraints import Constraint
from katib.core.errors import AlreadyExistsError, LeaseHeldError, Problem, SpecError
from katib.core.experiment import Budget, Component, Desired, Experiment, ExperimentSpec, Limits, TrialTemplate
from katib.core.objective import Direction, Objective, Target
from katib.core.ports import Lease
from katib.core.space import SearchSpace
from katib.core.trial import Key, Parameters
from katib.engine import controller, lifecycle
from katib.resources.python_function import function_document, problems_of
from katib.sdk.search import space_of
from katib.storage.leases import this_holder

METRIC = "objective"
LEASE_PAUSE = 0.1  # seconds between two tries to get a lease that another process has


def unique_name(prefix: str) -> str:
    """A name that no experiment has yet."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def make_spec(key: Key, arguments: Mapping[str, Any]) -> ExperimentSpec:
    """The spec for checked arguments of ``tune`` or ``Optimizer``, by their names. Raises SpecError."""
    given = arguments
    if given["early_stopping_settings"] and not given["early_stopping"]:
        raise SpecError([Problem("early_stopping_settings", "given without early_stopping, the rule they are for")])
    stopping, constraints = given["early_stopping"], _constraints(given["constraints"])
    domains = given["space"] or {}
    on_parameters = [each for each in constraints if each.names <= domains.keys()]
    space = space_of(domains, on_parameters) if domains else SearchSpace(open=True)
    return ExperimentSpec(
        key=key,
        space=space,
        objective=_objective(given, [each for each in constraints if each not in on_parameters]),
        algorithm=_component(given["algorithm"], given["algorithm_settings"]),
        stopper=_component(stopping, given["early_stopping_settings"]) if stopping else None,
        budget=Budget(int(given["parallel"]), _int(given["max_trials"]), _int(given["max_failed"])),
        seed=_int(given["seed"]),
        initial=_initial(space, given["initial"]),
        limits=Limits(_float(given["max_duration"]), _float(given["max_trial_duration"])),
        template=TrialTemplate(_document(given)),
    )


def _document(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a trial runs in, if anything was asked for. Raises SpecError."""
    resources, workers, isolate = given.get("resources") or {}, given.get("workers", 1), given.get("isolate", False)
    if not resources and workers == 1 and not isolate:
        return {}
    document = function_document(resources, workers, isolate)
    problems = [Problem(problem.path.removeprefix("spec."), problem.message) for problem in problems_of(document)]
    if problems:
        raise SpecError(problems)
    return document


def _constraints(texts: Sequence[str]) -> list[Constraint]:
    try:
        return [Constraint(text) for text in texts]
    except SpecError as error:
        raise error.within("constraints") from None


def _objective(given: Mapping[str, Any], constraints: Sequence[Constraint]) -> Objective:
    """Names in ``constraints`` that are no parameters are metrics, and recorded."""
    several = dict(given["objectives"] or {given["metric"]: given["direction"]})
    if given["objectives"] and given["metric"] not in (METRIC, next(iter(several))):
        raise SpecError([Problem("metric", f"got {given['metric']!r} beside objectives; leave it out")])
    (metric, direction), *others = several.items()
    named = {name for constraint in constraints for name in constraint.names}
    return Objective(
        metric,
        Direction(direction),
        _float(given["goal"]),
        additional=tuple(sorted(named - several.keys() - (given["space"] or {}).keys())),
        others=tuple(Target(name, Direction(direction)) for name, direction in others),
        constraints=tuple(constraints),
        repeats=int(given["repeats"]),
    )


def _initial(space: SearchSpace, given: Sequence[Parameters]) -> tuple[Parameters, ...]:
    """The point of all defaults, if there are any, and the caller's points, each once."""
    points: list[Parameters] = []
    defaults: list[Parameters] = [{}] if any(parameter.default is not None for parameter in space) else []
    for index, partial in enumerate([*defaults, *given], -len(defaults)):
        try:
            point = space.complete(partial)
        except SpecError as error:
            raise error.within(f"initial[{index}]" if index >= 0 else "space") from None
        if point not in points:
            points.append(point)
    return tuple(points)


def create_or_find(workshop: Workshop, spec: ExperimentSpec, wait: float) -> None:
    """Store the experiment, or find the one of that name and give it the budget; its lease is this process's then.

    wait: seconds to wait for the lease while another process has it. Raises SpecError if the stored experiment differs
    in more than its budget, LeaseHeldError.
    """
    workshop.check(spec)
    try:
        lifecycle.create(workshop.store, spec, {})
    except AlreadyExistsError:
        _check_same(workshop.store.get(spec.key), spec)
    lease = _acquire(workshop, spec.key, time.monotonic() + wait)
    try:
        lifecycle.edit(workshop.store, spec.key, lambda stored: _continued(stored, spec.budget))
    except BaseException:
        workshop.leases.release(lease)
        raise


def _continued(stored: Experiment, budget: Budget) -> Experiment:
    """The experiment as it goes on; one that is over and may not go on stays as it is."""
    wanted = replace(stored, desired=Desired.RUN, budget=budget)
    over = stored.status.verdict is not None and not lifecycle.may_restart(wanted)
    return stored if over else wanted


def _acquire(workshop: Workshop, key: Key, deadline: float) -> Lease:
    """The lease, which this process may acquire again: a controller does that when it begins."""
    while True:
        try:
            return workshop.leases.acquire(key, this_holder(), controller.LEASE_SECONDS)
        except LeaseHeldError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(min(LEASE_PAUSE, max(0.0, deadline - time.monotonic())))


def _check_same(stored: Experiment, spec: ExperimentSpec) -> None:
    """Raises SpecError if an experiment of that name was created with something else."""
    old = stored.spec
    pairs = {
        "space": (_declared_here(old.space), _declared_here(spec.space)),
        "metric, direction or goal": (_targets(old.objective), _targets(spec.objective)),
        "constraints or repeats": (_rules(old.objective), _rules(spec.objective)),
        "limit of time": (old.limits, spec.limits),
        "algorithm": (old.algorithm, spec.algorithm),
        "early_stopping": (old.stopper, spec.stopper),
        "seed": (old.seed, old.seed if spec.seed is None else spec.seed),
        "trialTemplate": (dict(old.template.document), dict(spec.template.document)),
    }
    differing = [name for name, (before, now) in pairs.items() if before != now]
    if differing:
        message = (
            f"experiment {spec.key.name!r} exists with another {', '.join(differing)}; expected the same, or a new name"
        )
        raise SpecError([Problem("name", message)])


def _declared_here(space: SearchSpace) -> SearchSpace:
    """The space as its creator gave it."""
    return SearchSpace(open=True) if space.open else space


def _targets(objective: Objective) -> Objective:
    return replace(objective, constraints=(), additional=(), repeats=1)


def _rules(objective: Objective) -> tuple[object, ...]:
    return objective.constraints, objective.repeats


def _component(name: str, settings: Mapping[str, object] | None) -> Component:
    return Component(name, {key: str(value) for key, value in (settings or {}).items()})


def _int(value: Any) -> int | None:
    return None if value is None else int(value)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
