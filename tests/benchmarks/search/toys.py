"""Small problems, and algorithms that misbehave, for the tests of what runs benchmarks."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.search.player import Contestant
from benchmarks.search.problem import Evaluation, Problem
from benchmarks.search.simulation import Conditions
from katib.core.constraints import Constraint
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.objective import Direction, Objective, Target
from katib.core.space import Choice, Integer, Real, SearchSpace
from katib.core.trial import Proposal, Suggestion

PLANE = SearchSpace((Real("x", 0.0, 1.0), Real("y", 0.0, 1.0)))
GRID = SearchSpace((Integer("x", 1, 3), Choice("kind", ("a", "b"))))


def bowl(parameters, rng) -> Evaluation:
    """Noisy, of random length."""
    loss = (parameters["x"] - 0.3) ** 2 + (parameters["y"] - 0.7) ** 2
    return Evaluation({"loss": loss + 0.01 * rng.normal()}, {"loss": loss}, float(rng.uniform(0.5, 2.0)))


def bad_half(parameters, rng) -> Evaluation:
    """Fails where x is above a half."""
    return Evaluation({}, {}) if parameters["x"] > 0.5 else Evaluation({"loss": 1.0}, {"loss": 1.0})


def lengths(parameters, rng) -> Evaluation:
    """Lasts as long as ``x`` says, in eighths."""
    loss = parameters["x"]
    return Evaluation({"loss": loss}, {"loss": loss}, loss * 8)


def grid(parameters, rng) -> Evaluation:
    """Six points; to be maximised."""
    value = parameters["x"] + (0.5 if parameters["kind"] == "b" else 0.0)
    return Evaluation({"value": value}, {"value": value})


def traded(parameters, rng) -> Evaluation:
    """Two objectives and a constraint."""
    values = {"loss": parameters["x"], "size": 1.0 - parameters["x"], "time": parameters["y"]}
    return Evaluation(values, values)


def broken(parameters, rng) -> Evaluation:
    """Has a defect."""
    raise ZeroDivisionError("of the problem")


def deadly(parameters, rng) -> Evaluation:
    """Kills its process."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("survived")


def endless(parameters, rng) -> Evaluation:
    """Takes its time, and says so where the variable tells it to."""
    if folder := os.environ.get("TOY_FOLDER"):
        (Path(folder) / "began").touch()
    time.sleep(60)
    raise AssertionError("nobody ended it")


TRADED = Objective(
    "loss",
    others=(Target("size", Direction.MAXIMIZE),),
    additional=("time",),
    constraints=(Constraint("time <= 0.5"),),
)
PROBLEMS: Mapping[str, Problem] = {
    problem.name: problem
    for problem in (
        Problem("bowl", "toys", PLANE, Objective("loss"), bowl, 0.2, 0.0),
        Problem("bad-half", "toys", PLANE, Objective("loss"), bad_half, 2.0, 1.0),
        Problem("lengths", "toys", PLANE, Objective("loss"), lengths, 0.5, 0.0),
        Problem("grid", "toys", GRID, Objective("value", Direction.MAXIMIZE), grid, -2.0, -3.5),
        Problem("traded", "toys", PLANE, TRADED, traded, 0.1, 1.0, (1.0, 1.0)),
        Problem("broken", "toys", PLANE, Objective("loss"), broken, 1.0),
        Problem("deadly", "toys", PLANE, Objective("loss"), deadly, 1.0),
        Problem("endless", "toys", PLANE, Objective("loss"), endless, 1.0),
    )
}


def problem(name: str, data: Path | None = None) -> Problem:
    """The problem of that name."""
    return PROBLEMS[name]


def conditions(seed: int = 0, budget: int = 12, workers: int = 1) -> Conditions:
    """Of the tests' suite."""
    return Conditions(seed, budget, workers, "toys")


class Scripted:
    """A player whose answers are given by a function of the history."""

    def __init__(self, answer: Callable[[History], Proposal]) -> None:
        self.answer = answer
        self.seconds = 0.0
        self.versions = {"scripted": "1"}
        self.closed = False
        self.pending: list[list[int]] = []  # numbers of what ran, at each call

    def suggest(self, history: History, count: int) -> Proposal:
        self.seconds += 0.25
        self.pending.append(sorted(history.active))
        return self.answer(history)

    def close(self) -> None:
        self.closed = True


def scripted(answer: Callable[[History], Proposal]) -> tuple[Contestant, list[Scripted]]:
    """A contestant, and its players as they come to be."""
    players: list[Scripted] = []

    def create(spec: ExperimentSpec) -> Scripted:
        players.append(Scripted(answer))
        return players[-1]

    return Contestant("scripted", create), players


def point(x: float, y: float = 0.5) -> Proposal:
    """A proposal of one point of the plane."""
    return Proposal((Suggestion({"x": x, "y": y}),))
