"""hyperopt: ``tpe.suggest`` over ``Trials`` with its defaults, as ``fmin`` calls it.

Conditional parameters are branches of their parent's ``hp.choice``, as its documentation has it. Trials under way
count as bad ones, and so do failed ones (``STATUS_FAIL``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hyperopt import JOB_STATE_DONE, JOB_STATE_RUNNING, STATUS_FAIL, STATUS_OK, Trials, hp, space_eval, tpe
from hyperopt.base import Domain, spec_from_misc

from .axes import Axis, axes_of, point
from .serve import Point, Result, Setup

PACKAGES = ("hyperopt",)
_PLACE = "place"  # of a parameter that others depend on, in a branch beside those


class TPE:
    """The loop of ``fmin``, from outside."""

    def __init__(self, setup: Setup) -> None:
        self._axes = axes_of(setup.parameters)
        nodes: dict[str, Any] = {}
        for axis in reversed(self._axes):  # children are made before the parents whose branches they lie in
            nodes[axis.name] = _node(axis, [each for each in self._axes if each.parent == axis.name], nodes)
        self._space = {axis.name: nodes[axis.name] for axis in self._axes if axis.parent is None}
        self._domain = Domain(_not_called, self._space)
        self._trials = Trials()
        self._random = np.random.default_rng(setup.seed)

    def ask(self) -> tuple[Any, Point]:
        """The next point, and its trial."""
        ids = self._trials.new_trial_ids(1)
        self._trials.refresh()
        (trial,) = tpe.suggest(ids, self._domain, self._trials, self._random.integers(2**31 - 1), verbose=False)
        trial["state"] = JOB_STATE_RUNNING
        self._trials.insert_trial_docs([trial])
        self._trials.refresh()
        places: dict[str, Any] = {}
        _flatten(space_eval(self._space, spec_from_misc(trial["misc"])), places)
        return trial["tid"], point(self._axes, places)

    def tell(self, results: Sequence[Result]) -> None:
        """Write the results into the trials."""
        for number, losses, _ in results:
            trial = next(each for each in self._trials._dynamic_trials if each["tid"] == number)
            trial["state"] = JOB_STATE_DONE
            trial["result"] = {"status": STATUS_OK, "loss": losses[0]} if losses else {"status": STATUS_FAIL}
        self._trials.refresh()


def _node(axis: Axis, children: Sequence[Axis], nodes: Mapping[str, Any]) -> Any:
    if axis.kind == "category" or children:
        branches = [
            {_PLACE: place, **{each.name: nodes[each.name] for each in children if place in each.parent_places}}
            for place in axis.places
        ]
        return hp.choice(axis.name, branches if children else list(axis.places))
    if axis.log and axis.kind == "integer":
        return hp.qloguniform(axis.name, math.log(axis.low), math.log(axis.high), 1)
    if axis.log:
        return hp.loguniform(axis.name, math.log(axis.low), math.log(axis.high))
    if axis.kind == "integer":
        return hp.uniformint(axis.name, int(axis.low), int(axis.high))
    return hp.uniform(axis.name, axis.low, axis.high)


def _flatten(chosen: Mapping[str, Any], places: dict[str, Any]) -> None:
    """The places on all axes, those in the branches that were taken included."""
    for name, place in chosen.items():
        if isinstance(place, Mapping):
            places[name] = place[_PLACE]
            _flatten({key: value for key, value in place.items() if key != _PLACE}, places)
        else:
            places[name] = place


def _not_called(_: Any) -> float:
    raise NotImplementedError("trials run elsewhere")


def start(setup: Setup) -> TPE:
    """Set it up."""
    return TPE(setup)
