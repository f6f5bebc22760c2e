"""Hypothesis strategies for everything that the store keeps."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import strategies as st

from katib.core.changes import Event
from katib.core.collector import CollectorSpec
from katib.core.constraints import Constraint
from katib.core.experiment import (
    Budget,
    Component,
    Desired,
    Experiment,
    ExperimentSpec,
    ExperimentStatus,
    Limits,
    ResumePolicy,
    Retry,
    RetryPolicy,
    TemplateParameter,
    TrialTemplate,
    Verdict,
)
from katib.core.objective import Direction, Measurement, MetricSummary, Objective, Strategy, Target
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Cursor, FailureClass, Key, Stop, Trial, TrialState
from katib.core.warm_start import FormerTrial, Source, WarmStart

# Control characters included, and what decoding with errors="surrogateescape" makes of bytes that are no text.
any_text = st.text(max_size=12) | st.binary(max_size=6).map(lambda b: b.decode(errors="surrogateescape"))
names = st.from_regex(r"[a-z]([a-z0-9-]{0,6}[a-z0-9])?", fullmatch=True)
floats = st.floats(allow_nan=False).map(lambda x: x + 0.0)  # the sign of a zero that is a field's default is not kept
numbers = st.integers(-(2**70), 2**70)
counts = st.integers(0, 2**40)
values = st.none() | st.booleans() | numbers | floats | any_text
trees = st.recursive(
    values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3), max_leaves=8
)
mappings = st.dictionaries(any_text, trees, max_size=3)
text_mappings = st.dictionaries(any_text, any_text, max_size=3)
keys = st.builds(Key, names, names)
metrics = st.sampled_from(["loss", "accuracy", "val/loss"])

measurements = st.builds(
    Measurement,
    metric=metrics,
    value=st.none() | floats,
    text=any_text,
    time=floats,
    step=st.none() | numbers,
)
summaries = st.builds(
    MetricSummary,
    minimum=st.none() | floats,
    maximum=st.none() | floats,
    latest=st.none() | floats,
    latest_text=any_text,
    latest_time=st.just(-math.inf) | floats,
    count=counts,
)
events = st.builds(
    Event, time=floats, type=st.sampled_from(["Normal", "Warning"]), reason=names, message=any_text, trial=names
)
trials = st.builds(
    Trial,
    number=counts,
    name=names,
    parameters=st.dictionaries(any_text, values, max_size=4),
    labels=text_mappings,
    parent=st.none() | counts,
    state=st.sampled_from(TrialState),
    attempt=st.integers(1, 9),
    seq=counts,
    created=floats,
    started=st.none() | floats,
    finished=st.none() | floats,
    observation=st.dictionaries(metrics, summaries, max_size=2),
    measured=counts,
    cursors=st.dictionaries(any_text, st.builds(Cursor, counts, st.booleans()), max_size=2),
    seen=st.lists(any_text, max_size=2).map(tuple),
    reported=st.none() | floats,
    failures=st.dictionaries(st.sampled_from(FailureClass), counts, max_size=2),
    not_before=st.none() | floats,
    stop=st.none() | st.builds(Stop, st.sampled_from(TrialState), any_text, st.none() | st.sampled_from(FailureClass)),
    reason=any_text,
    message=any_text,
    failure=st.none() | st.sampled_from(FailureClass),
)
statuses = st.builds(
    ExperimentStatus,
    counts=st.dictionaries(st.sampled_from(TrialState), counts),
    best=st.none() | counts,
    best_name=any_text,
    best_value=st.none() | floats,
    started=st.none() | floats,
    finished=st.none() | floats,
    restarted=st.none() | floats,
    verdict=st.none() | st.sampled_from(Verdict),
    message=any_text,
    stopped=st.booleans(),
    waiting=any_text,
    resumed=st.none() | floats,
    ran=floats,
)
budgets = st.builds(Budget, st.integers(1, 99), st.none() | counts, st.none() | counts)
components = st.builds(Component, names, text_mappings)

_listed = st.lists(values, min_size=1, max_size=4, unique_by=lambda v: (type(v) is bool, v))
_low = st.floats(1e-6, 1) | st.integers(1, 5)
_high = st.floats(5, 1e6) | st.integers(5, 9)
_conditions = st.none() | st.builds(Condition, st.just("parent"), st.just((1,)) | st.just((2, 1)))


@st.composite
def parameters(draw: st.DrawFn, name: str) -> Real | Integer | Ordinal | Choice:
    """One parameter of any kind, that may be conditional on ``parent`` and have a default."""
    bare = draw(_bare_parameters(name))
    value = bare.from_unit(0.5)
    if isinstance(bare, Integer) and not bare.low <= value <= bare.high:  # between fractions there may be no integer
        return bare
    return replace(bare, default=value) if draw(st.booleans()) else bare


@st.composite
def _bare_parameters(draw: st.DrawFn, name: str) -> Real | Integer | Ordinal | Choice:
    condition = draw(_conditions)
    kind = draw(st.sampled_from([Real, Integer, Ordinal, Choice]))
    if kind in (Real, Integer):
        step = draw(st.none() | st.floats(0.1, 1) | st.just(1))
        return kind(name, draw(_low), draw(_high), draw(st.sampled_from(Distribution)), step, condition)
    if kind is Ordinal:
        numbers = draw(st.lists(st.integers(-9, 9) | st.floats(-9, 9), min_size=1, max_size=4, unique=True))
        return Ordinal(name, tuple(numbers), draw(st.just(()) | st.just(tuple(map(repr, numbers)))), condition)
    return Choice(name, tuple(draw(_listed)), (), condition)


@st.composite
def spaces(draw: st.DrawFn) -> SearchSpace:
    """A parent, and parameters that may hang on it."""
    others = draw(st.lists(names, max_size=3, unique=True).map(lambda found: [n for n in found if n != "parent"]))
    constraints = draw(st.lists(st.sampled_from(["parent < 2", "`parent` in (1, 2)"]).map(Constraint), max_size=2))
    found = (Choice("parent", (1, 2)), *(draw(parameters(n)) for n in others))
    return SearchSpace(found, draw(st.integers(0, 3)), tuple(constraints))


objectives = st.builds(
    Objective,
    metric=metrics,
    direction=st.sampled_from(Direction),
    goal=st.none() | floats,
    additional=st.lists(metrics, max_size=2).map(tuple),
    strategies=st.dictionaries(metrics, st.sampled_from(Strategy), max_size=2),
    others=st.lists(st.builds(Target, metrics, st.sampled_from(Direction), st.none() | floats), max_size=2).map(tuple),
    constraints=st.lists(st.just(Constraint("a < 1 or `b c` == 'x'")), max_size=2).map(tuple),
    repeats=st.integers(1, 5),
)
collectors = st.builds(
    CollectorSpec,
    names,
    any_text,
    st.sampled_from(["TEXT", "JSON"]),
    st.lists(any_text).map(tuple),
    mappings,
    st.booleans(),
)
templates = st.builds(
    TrialTemplate,
    document=mappings,
    parameters=st.lists(st.builds(TemplateParameter, names, names), max_size=2).map(tuple),
    primary_container=names,
    primary_pod_labels=text_mappings,
    success_condition=any_text,
    failure_condition=any_text,
    retain=st.booleans(),
)
former_trials = st.builds(
    FormerTrial, any_text, st.dictionaries(names, values, max_size=3), st.lists(floats, max_size=2).map(tuple)
)
specs = st.builds(
    ExperimentSpec,
    key=keys,
    space=spaces(),
    objective=objectives,
    algorithm=components,
    budget=budgets,
    stopper=st.none() | components,
    collector=collectors,
    template=templates,
    nas=st.none() | mappings,
    resume_policy=st.sampled_from(ResumePolicy),
    labels=text_mappings,
    seed=st.none() | counts,
    initial=st.lists(st.dictionaries(names, values, max_size=2), max_size=2).map(tuple),
    limits=st.builds(Limits, st.none() | floats, st.none() | floats, st.none() | floats),
    retry=st.builds(RetryPolicy, st.dictionaries(st.sampled_from(FailureClass), counts), floats, floats),
    warm_start=st.none() | st.builds(WarmStart, st.lists(keys, max_size=2).map(tuple), text_mappings, counts, counts),
    sources=st.lists(st.builds(Source, keys, st.lists(former_trials, max_size=2).map(tuple), counts), max_size=2).map(
        tuple
    ),
)
#: As far as any process may write them: status and counters are the store's and the owner's.
definitions = st.builds(
    Experiment,
    key=keys,
    uid=names,
    spec=specs,
    document=mappings,
    desired=st.sampled_from(Desired),
    budget=budgets,
    retries=st.lists(st.builds(Retry, counts, names, counts), max_size=2).map(tuple),
    created=floats.map(lambda seconds: seconds + 0.0),  # -0.0 is 0.0, which is left out
)
