"""Hypothesis strategies for everything that crosses the wire."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import strategies as st

from katib.core.constraints import Constraint
from katib.core.experiment import Budget, Component, ExperimentSpec, ResumePolicy
from katib.core.history import History
from katib.core.objective import Direction, Measurement, MetricSummary, Objective, Strategy, Target, observe
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import FailureClass, Key, Proposal, Suggestion, Trial, TrialState
from katib.core.warm_start import FormerTrial, Source

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = st.from_regex(r"\A[a-z][a-z0-9-]{0,8}\Z")
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
TIMES = st.floats(0, 4e9, allow_nan=False)
SETTINGS = st.dictionaries(NAMES, TEXTS, max_size=3)
VALUES = st.one_of(TEXTS, st.integers(-5, 5), st.booleans(), st.none(), NUMBERS)


def unique_values(values):
    return st.lists(values, min_size=1, max_size=4, unique_by=lambda v: (isinstance(v, bool), v)).map(tuple)


@st.composite
def reals(draw, name):
    distribution = draw(st.sampled_from(Distribution))
    bound = st.floats(1e-9, 1e6) if distribution.log else NUMBERS
    low, high = sorted((draw(bound), draw(bound)))
    return Real(name, low, high, distribution, draw(st.none() | st.floats(1e-3, 1e3)))


@st.composite
def integers(draw, name):
    distribution = draw(st.sampled_from(Distribution))
    bound = st.integers(1 if distribution.log else -(10**6), 2**60)
    low, high = sorted((draw(bound), draw(bound)))
    return Integer(name, low, high, distribution, draw(st.sampled_from([1, 2, 5, 3.0, None])))


@st.composite
def ordinals(draw, name):
    values = draw(unique_values(st.one_of(st.integers(-9, 9), NUMBERS)))
    return Ordinal(name, values, draw(st.sampled_from([(), tuple(f"{float(v):.20g}" for v in values)])))


@st.composite
def choices(draw, name):
    values = draw(unique_values(VALUES))
    texts = draw(st.just(()) | st.lists(TEXTS, min_size=len(values), max_size=len(values), unique=True).map(tuple))
    return Choice(name, values, texts)


@st.composite
def spaces(draw):
    parameters = []
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        parameter = draw(st.one_of(reals(name), integers(name), ordinals(name), choices(name)))
        parents = [p for p in parameters if isinstance(p, Choice | Ordinal)]
        if parents and draw(st.booleans()):
            parent = draw(st.sampled_from(parents))
            parameter = replace(parameter, condition=Condition(parent.name, parent.values[:2]))
        if draw(st.booleans()):
            parameter = replace(parameter, default=parameter.from_unit(draw(st.floats(0, 1))))
        parameters.append(parameter)
    named = [Constraint(f"`{parameter.name}` != 'never'") for parameter in parameters]
    return SearchSpace(tuple(parameters), draw(st.integers(0, 5)), tuple(named[: draw(st.integers(0, 2))]))


constraints = st.sampled_from(["latency < 50", "loss <= 0.5 and `x-y` > 1"]).map(Constraint)


objectives = st.builds(
    Objective,
    metric=NAMES,
    direction=st.sampled_from(Direction),
    goal=st.none() | NUMBERS,
    additional=st.lists(NAMES, max_size=2).map(tuple),
    strategies=st.dictionaries(NAMES, st.sampled_from(Strategy), max_size=2),
    others=st.lists(st.builds(Target, NAMES, st.sampled_from(Direction), st.none() | NUMBERS), max_size=2).map(tuple),
    constraints=st.lists(constraints, max_size=2).map(tuple),
    repeats=st.integers(1, 4),
)

specs = st.builds(
    ExperimentSpec,
    key=st.builds(Key, NAMES, NAMES),
    space=spaces(),
    objective=objectives,
    algorithm=st.builds(Component, NAMES, SETTINGS),
    budget=st.builds(Budget, st.integers(1, 100), st.none() | st.integers(0, 2**40), st.none() | st.integers(0, 100)),
    stopper=st.none() | st.builds(Component, NAMES, SETTINGS),
    nas=st.none()
    | st.fixed_dictionaries(
        {
            "graphConfig": st.fixed_dictionaries({"numLayers": st.integers(1, 9), "inputSizes": st.just([32, 32, 3])}),
            "operations": st.just([]),
        }
    ),
    resume_policy=st.sampled_from(ResumePolicy),
    labels=SETTINGS,
    seed=st.none() | st.integers(-(2**70), 2**70),
    sources=st.lists(
        st.builds(
            Source,
            st.builds(Key, NAMES, NAMES),
            st.lists(
                st.builds(
                    FormerTrial,
                    NAMES,
                    st.dictionaries(NAMES, VALUES, max_size=3),
                    st.lists(NUMBERS, max_size=2).map(tuple),
                ),
                max_size=2,
            ).map(tuple),
            st.integers(0, 10**9),
        ),
        max_size=2,
    ).map(tuple),
)

measurements = st.builds(
    Measurement,
    metric=st.just("loss") | NAMES,
    value=st.none() | NUMBERS,
    text=TEXTS,
    time=TIMES,
    step=st.none() | st.integers(0, 10**9),
)


@st.composite
def parameters_of(draw, space):
    values = space.from_unit([draw(st.floats(0, 1)) for _ in space])
    strange = draw(st.sampled_from(["none", "typed", "extra"]))
    if strange == "typed" and values:  # a warm-start trial may lie out of the space
        values[draw(st.sampled_from(sorted(values)))] = draw(VALUES)
    if strange == "extra":
        values["architecture"] = draw(VALUES)
    return values


@st.composite
def trials(draw, space, number, seq):
    reports = draw(st.lists(measurements, max_size=3))
    return Trial(
        number=number,
        name=f"trial-{number}",
        parameters=draw(parameters_of(space)),
        labels=draw(SETTINGS),
        parent=draw(st.none() | st.integers(0, 99)),
        state=draw(st.sampled_from(TrialState)),
        attempt=draw(st.integers(1, 4)),
        seq=seq,
        created=draw(TIMES),
        started=draw(st.none() | TIMES),
        finished=draw(st.none() | TIMES),
        observation=draw(st.just({"loss": MetricSummary()}) | st.just(observe({}, reports))),
        measured=len(reports),
        failures=draw(st.dictionaries(st.sampled_from(FailureClass), st.integers(0, 3), max_size=2)),
        failure=draw(st.none() | st.sampled_from(FailureClass)),
    )


@st.composite
def histories(draw, space, objective):
    found, curves = [], {}
    order = draw(st.permutations(range(draw(st.integers(0, 4)))))
    for number, place in enumerate(order):
        found.append(draw(trials(space, number, 1000 * (place + 1))))
        reports = draw(st.lists(measurements.map(lambda m: replace(m, metric=objective.metric)), max_size=3))
        curves[number] = [(100 * number + i, report) for i, report in enumerate(reports)]
    return History(space, objective, found, curves)


@st.composite
def proposals(draw, space):
    points = draw(st.lists(st.lists(st.floats(0, 1), min_size=len(space), max_size=len(space)), max_size=3))
    suggestions = tuple(
        Suggestion(space.from_unit(point), draw(SETTINGS), draw(st.none() | st.integers(0, 10**6))) for point in points
    )
    return Proposal(suggestions, draw(st.booleans()), frozenset(draw(st.lists(st.integers(0, 10**6), max_size=3))))


def same_types(left, right):
    """Whether equal mappings of values are equal in type too: True is no 1, and 1 is no 1.0."""
    return {n: type(v) for n, v in left.items()} == {n: type(v) for n, v in right.items()}


def curve_of(history, number):
    curve = history.curve(number)
    values = [None if math.isnan(value) else value for value in curve.values]
    return values, list(curve.steps), list(curve.seqs)
