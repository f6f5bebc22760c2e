"""Copies finished trials of former experiments into a new one, once, when it is created."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from katib.core.errors import NotFoundError, Problem, SpecError
from katib.core.experiment import Experiment, ExperimentSpec
from katib.core.objective import Objective
from katib.core.outcome import outcome_of
from katib.core.ports import Store
from katib.core.transfer import spread
from katib.core.trial import Key, Trial
from katib.core.values import point_of
from katib.core.warm_start import FormerTrial, Source, WarmStart

_PATH = "spec.warmStart"


def copy_sources(store: Store, spec: ExperimentSpec) -> tuple[Source, ...]:
    """What ``spec.warm_start`` asks for, as it is in the store now. Those that the selector finds are passed over if
    they never measured the metrics that are wanted here.

    Raises SpecError, with paths into the YAML, for a named experiment that does not exist or never measured them.
    """
    wanted = spec.warm_start
    if wanted is None:
        return ()
    problems: list[Problem] = []
    sources: dict[Key, Source] = {}
    for index, key in enumerate(wanted.experiments):
        try:
            former, trials = store.get(key), store.trials(key)
        except NotFoundError:
            problems.append(Problem(f"{_PATH}.experiments[{index}]", f"there is no experiment {str(key)!r}"))
            continue
        if not _measured(spec.objective, trials):
            found = ", ".join(former.spec.objective.metrics)
            needed = " and ".join(target.metric for target in spec.objective.targets)
            text = f"no trial of {str(key)!r} has a value of {needed}; it measures {found}"
            problems.append(Problem(f"{_PATH}.experiments[{index}]", text))
        sources[key] = copy_source(spec.objective, key, trials, wanted.max_trials)
    if problems:
        raise SpecError(problems)
    for former in _selected(store, spec.key.namespace, wanted):
        source = copy_source(spec.objective, former.key, store.trials(former.key), wanted.max_trials)
        if former.key not in (spec.key, *sources) and source.trials:
            sources[former.key] = source
    return tuple(sources.values())


def copy_source(objective: Objective, key: Key, trials: Iterable[Trial], most: int) -> Source:
    """The finished trials of a former experiment as the new one's ``objective`` values them, best first. Of more than
    ``most`` the better half is kept, and others evenly from all ranks.

    Runs of the same parameters count as one. What has no value, or violates an outcome constraint, is left out.
    """
    finished = [trial for trial in trials if trial.state.finished]
    runs: dict[object, list[Trial]] = {}
    for trial in sorted(finished, key=lambda t: t.number):
        runs.setdefault(point_of(trial.parameters), []).append(trial)
    copies = []
    for group in runs.values():
        outcome = outcome_of(objective, group)
        if outcome is not None and outcome.feasible:
            copies.append(FormerTrial(group[0].name, group[0].parameters, outcome.losses))
    copies.sort(key=lambda copy: copy.losses)
    return Source(key, tuple(copies[i] for i in spread(len(copies), most)), len(finished))


def describe_sources(sources: Sequence[Source]) -> str:
    """``a (20 of 25 trials), b (3 of 3 trials)``."""
    return ", ".join(f"{source.key.name} ({len(source.trials)} of {source.finished} trials)" for source in sources)


def _measured(objective: Objective, trials: Iterable[Trial]) -> bool:
    return any(objective.losses(trial.observation) is not None for trial in trials)


def _selected(store: Store, namespace: str, wanted: WarmStart) -> Iterator[Experiment]:
    cont, more = "", bool(wanted.selector)
    while more:
        page = store.list(namespace, wanted.selector, cont=cont)
        yield from page.items
        cont, more = page.cont, bool(page.cont)
