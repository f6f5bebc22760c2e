"""``spec.warmStart``: which former experiments a new one learns from."""

from __future__ import annotations

from collections.abc import Iterator

from katib.core.errors import Problem
from katib.core.trial import Key
from katib.core.warm_start import WarmStart
from katib.resources.scalars import show
from katib.resources.shared_types import Int32, Model, Text, about

MOST_TRIALS = 1000  # of one former experiment; they are kept with the new one
PATH = "spec.warmStart"


class WarmStartSpec(Model):
    """Former experiments of the same namespace, whose finished trials are copied when this one is created."""

    experiments: list[Text] | None = about("Names of former experiments; each must have trials with this one's metrics")
    selector: dict[str, Text] | None = about("Labels of further former experiments; those without its metrics are left")
    max_trials: Int32 | None = about("Most trials that are copied of each, the better half first", default=100)
    try_first: Int32 | None = about(
        "How many of their best points are tried before the algorithm is asked; trials of this experiment like any "
        "other",
        default=3,
    )


def warm_start_problems(given: WarmStartSpec | None, name: str, *, architecture: bool) -> Iterator[Problem]:
    """Everything that is wrong with it. name: of the experiment it belongs to. architecture: that one is a search of
    architectures, whose trials are no points of a space."""
    if given is None:
        return
    if architecture:
        yield Problem(PATH, "cannot be used with nasConfig; expected spec.parameters")
    names = given.experiments or []
    if not names and not given.selector:
        yield Problem(PATH, "names no former experiment, expected experiments or selector")
    for index, former in enumerate(names):
        if not former or former == name or former in names[:index]:
            expected = "the name of another experiment, not listed before"
            yield Problem(f"{PATH}.experiments[{index}]", f"got {show(former)}, expected {expected}")
    if given.max_trials is not None and not 1 <= given.max_trials <= MOST_TRIALS:
        yield Problem(f"{PATH}.maxTrials", f"got {given.max_trials}, expected 1 to {MOST_TRIALS}")
    if given.try_first is not None and given.try_first < 0:
        yield Problem(f"{PATH}.tryFirst", f"got {given.try_first}, expected 0 or more")


def to_warm_start(given: WarmStartSpec | None, namespace: str) -> WarmStart | None:
    """The wish as the engine reads it; it has passed ``warm_start_problems``."""
    if given is None:
        return None
    default = WarmStart()
    return WarmStart(
        experiments=tuple(Key(namespace, name) for name in given.experiments or ()),
        selector=given.selector or {},
        max_trials=default.max_trials if given.max_trials is None else given.max_trials,
        first=default.first if given.try_first is None else given.try_first,
    )
