"""The trial that an objective without a space is called with: it says what it needs when it needs it.

Worker processes import this module, so it loads nothing beyond the standard library and the trial's side of things.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from katib.core.declarations import DECLARED, USED, Declaration, difference, draw, written
from katib.core.errors import SpecError
from katib.core.parameters import Choice, Integer, Parameter, Real
from katib.core.priors import Distribution
from katib.core.values import Parameters, Value
from katib.report import Report, TrialStopped, asked_to_stop, measure, send
from trial_runners.objective_call import this_trial


class Trial:
    """One run of an objective that defines its space as it goes.

    A parameter that earlier trials declared has the value that the algorithm chose; one that is new is drawn from its
    range, by the search's seed, the trial's number and its name, and declared with the next report. Asked for again in
    the same trial it has the same value; with another range it fails the trial. number: 0, 1, 2, ...
    """

    def __init__(self, number: int, seed: int, metric: str, given: Parameters) -> None:
        """seed: of the trial. metric: that a plain number measures. given: what the algorithm chose."""
        self.number = number
        self._seed = seed
        self._metric = metric
        self._given = given
        self._asked: dict[str, Declaration] = {}
        self._untold: list[Report] = []

    @property
    def parameters(self) -> dict[str, Any]:
        """What was asked for so far, by name."""
        return {name: declaration.value for name, declaration in self._asked.items()}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A float from low to high, both included. step: only low, low + step, ...; log: uniform in its logarithm.

        Raises SpecError for a range that is none, or another than the parameter has, as all of these calls do.
        """
        grid = None if step is None else float(step)
        value = self._suggest(Real(name, float(low), float(high), _distribution(log), grid))
        return float(value)  # type: ignore[arg-type]

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """An integer from low to high, both included."""
        for number in (low, high, step):
            if number != int(number):
                raise SpecError(f"parameter {name!r}: got {number!r}, expected an integer")
        value = self._suggest(Integer(name, int(low), int(high), _distribution(log), int(step)))
        return int(value)  # type: ignore[arg-type]

    def suggest_categorical(self, name: str, choices: Sequence[Value]) -> Any:
        """One of the choices: texts, finite numbers, booleans or None, without an order."""
        values = tuple(choices)
        wrong = [value for value in values if not _is_value(value)]
        if wrong:
            raise SpecError(f"parameter {name!r}: got {wrong[0]!r}, expected texts, numbers, booleans or None")
        return self._suggest(Choice(name, values))

    def report(self, metrics: float | Mapping[str, Any], step: int | None = None) -> None:
        """Report a value of the objective metric, or values by metric, while the trial runs. step: the epoch or batch
        they belong to.

        Raises ValueError for what is no number, and TrialStopped, after the report was taken, if the trial is to end.
        """
        reports = measure(metrics if isinstance(metrics, Mapping) else {self._metric: metrics}, step)
        send((*self._tell(), *reports))

    def should_stop(self) -> bool:
        """Whether the trial is to end, by early stopping or because the search is over. Return then; what was reported
        counts."""
        return asked_to_stop()

    def end(self, *, well: bool) -> None:
        """Tell what was not told yet. well: the objective has returned, so nothing more will be asked for."""
        told = self._tell()
        if well:
            told = (*told, _told(USED, json.dumps(list(self._asked))))
        if told:
            with suppress(TrialStopped):  # it has ended anyway
                send(told)

    def _suggest(self, parameter: Parameter) -> Value:
        if not isinstance(parameter.name, str) or not parameter.name.strip() or not parameter.name.isprintable():
            raise SpecError(f"got {parameter.name!r}, expected the name of a parameter")
        before = self._asked.get(parameter.name)
        if before is not None:
            if problem := difference(parameter, before.parameter):
                raise SpecError(problem)
            return before.value
        given = parameter.name in self._given
        value = self._given[parameter.name] if given else draw(parameter, self._seed)
        self._untold.append(_told(DECLARED, written(Declaration(parameter, value))))
        declaration = Declaration(parameter, parameter.check(value))
        self._asked[parameter.name] = declaration
        return declaration.value

    def _tell(self) -> tuple[Report, ...]:
        told, self._untold = tuple(self._untold), []
        return told


class DefinedObjective:
    """A function of a trial as a function of parameters, which is what runners call."""

    def __init__(self, objective: Callable[[Trial], Any], metric: str) -> None:
        """metric: what a plain number measures."""
        self._objective = objective
        self._metric = metric

    def __call__(self, parameters: Parameters) -> Any:
        """Call it with the trial that runs here."""
        facts = this_trial()
        trial = Trial(facts.number, facts.seed, self._metric, parameters)
        well = False
        try:
            returned = self._objective(trial)
            well = True
            return returned
        finally:
            trial.end(well=well)


def _told(metric: str, text: str) -> Report:
    return Report(metric, None, text, time.time())


def _is_value(value: object) -> bool:
    return value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _distribution(log: bool) -> Distribution:
    return Distribution.LOG_UNIFORM if log else Distribution.UNIFORM
