"""What trials of an open space declare: taken out of their reports, and written into the experiment before the trials
that have it. A trial whose record lacks what the space has draws it again, the same; so a crash between harms nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from katib.core.declarations import DECLARED, USED, Declaration, difference, read
from katib.core.errors import SpecError
from katib.core.experiment import Experiment
from katib.core.objective import Measurement
from katib.core.parameters import Parameter
from katib.core.space import SearchSpace
from katib.core.trial import FailureClass, Stop, Trial, TrialState, evolve
from katib.engine.progress import Collection
from katib.engine.session import Session


def take_declarations(session: Session, trial: Trial, collection: Collection) -> tuple[Trial, Collection]:
    """The trial with what it asked for among its parameters, and what else it reported. Parameters that the space has
    not are left in ``session.declared``; one that it has otherwise ends the trial, as its own failure."""
    if not session.experiment.spec.space.open:
        return trial, collection
    measured = [m for m in collection.measurements if m.metric not in (DECLARED, USED)]
    if len(measured) == len(collection.measurements):
        return trial, collection
    parameters, problem = dict(trial.parameters), ""
    for measurement in collection.measurements:
        try:
            if measurement.metric == DECLARED:
                declaration = read(measurement.text)
                _declare(session, declaration)
                parameters[declaration.parameter.name] = declaration.value
            elif measurement.metric == USED:
                parameters = {name: parameters[name] for name in _names(measurement) if name in parameters}
        except SpecError as error:
            problem = problem or str(error)
    stop = trial.stop
    if problem and (stop is None or stop.failure is None):
        stop = Stop(TrialState.FAILED, problem, FailureClass.USER_ERROR)
    changed = trial if parameters == trial.parameters else evolve(trial, parameters=parameters)
    return evolve(changed, stop=stop), replace(collection, measurements=tuple(measured))


def with_declared(experiment: Experiment, parameters: Iterable[Parameter]) -> Experiment:
    """The experiment with these parameters in the next revision of its space; the same if it has them all."""
    space = experiment.spec.space
    new = tuple(parameter for parameter in parameters if parameter.name not in space)
    if not new:
        return experiment
    grown = SearchSpace((*space.parameters, *new), space.revision + 1, space.constraints, space.open)
    return replace(experiment, spec=replace(experiment.spec, space=grown))


def _declare(session: Session, declaration: Declaration) -> None:
    """Raises SpecError if the parameter is known as another one."""
    here, space = declaration.parameter, session.experiment.spec.space
    before = space[here.name] if here.name in space else session.declared.setdefault(here.name, here)
    if problem := difference(here, before):
        raise SpecError(problem)


def _names(measurement: Measurement) -> list[str]:
    """Raises SpecError for a text that is no list of names."""
    try:
        names = json.loads(measurement.text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SpecError(f"no list of parameters: {measurement.text[:100]!r}")
    return names
