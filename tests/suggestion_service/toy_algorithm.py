"""The smallest algorithm with every feature of an answer: values from the trial number, labels, parents, an end."""

from __future__ import annotations

import zlib

from katib.core.errors import SpecError, UnavailableError
from katib.core.experiment import Component, ExperimentSpec
from katib.core.objective import Direction, Objective
from katib.core.space import Choice, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key, Proposal, Suggestion

SPACE = SearchSpace(
    (
        Real("lr", 1e-4, 1e-1),
        Integer("layers", 1, 5),
        Ordinal("batch", (16, 32, 64)),
        Choice("optimizer", ("sgd", "adam")),
        Choice("bias", (True, False, None)),
    )
)


def spec_of(algorithm="toy", space=SPACE, seed=7, **settings):
    return ExperimentSpec(
        key=Key("default", "toy"),
        space=space,
        objective=Objective("loss", Direction.MINIMIZE),
        algorithm=Component(algorithm, settings),
        seed=seed,
    )


class ToyAlgorithm:
    """Its answer depends on all that it is told, so that a loss on the way changes it."""

    def __init__(self, spec):
        if spec.algorithm.name != "toy":
            raise SpecError(f"not toy: {spec.algorithm.name}")
        self.spec = spec
        self.limit = int(spec.algorithm.settings.get("limit", "1000"))

    def suggest(self, history, count):
        if "raise" in self.spec.algorithm.settings:
            raise {"unavailable": UnavailableError("later"), "bug": ZeroDivisionError("secret")}[
                self.spec.algorithm.settings["raise"]
            ]
        told = repr(
            (
                self.spec.seed,
                [(t.number, t.state, t.parameters, t.observation, t.labels, t.parent) for t in history.finished],
                sorted(history.active),
                [list(history.curve(number).seqs) for number in sorted(history.trials)],
            )
        )
        suggestions = []
        for number in range(history.next_number, min(history.next_number + count, self.limit)):
            u = zlib.crc32(f"{told}{number}".encode()) / 2**32
            best = history.finished[-1].number if history.finished else None
            suggestions.append(
                Suggestion(history.space.from_unit([u] * len(history.space)), {"toy": str(number)}, best)
            )
        return Proposal(tuple(suggestions), history.next_number >= self.limit, frozenset(range(len(history.finished))))
