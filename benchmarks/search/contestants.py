"""Contestants by name: an algorithm of ours with any settings, or a rival.

A name is ``algorithm``, or ``algorithm:setting=value:setting=value`` of one of ours, which is also the name of a
folder, or that of a rival; what stands in ``ALIASES`` is short for others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial

from algorithms import ALGORITHMS
from benchmarks.search.environments import NoEnvironmentError, State, status_of
from benchmarks.search.ours import check_ours, create_ours
from benchmarks.search.player import Contestant
from benchmarks.search.rivals import RIVALS, Rival
from katib.core.errors import Problem, SpecError, UnknownNameError
from katib.core.experiment import Component

SLOW = 0.1  # seconds of a suggestion from which a rival is slow

# Short for one or several. "ours": those that need no settings and no reports on the way. Rivals that nobody has tried
# to install are left out.
ALIASES: Mapping[str, tuple[str, ...]] = {
    "ours": ("random", "sobol", "tpe", "multivariate-tpe", "cmaes", "bayesianoptimization", "auto"),
    "bo": ("bayesianoptimization",),
    "rivals": tuple(RIVALS),
    "fast-rivals": tuple(name for name, kind in RIVALS.items() if kind.seconds < SLOW),
    "slow-rivals": tuple(name for name, kind in RIVALS.items() if kind.seconds >= SLOW),
}
_VALUE = re.compile(r"[A-Za-z0-9_.+-]+")


def expand(names: Sequence[str]) -> list[str]:
    """The names in order, each once; those that are short for others replaced, settings sorted."""
    absent = left_out(names)
    spelt = (each for name in names for each in ALIASES.get(name, (name,)) if name not in ALIASES or each not in absent)
    return list(dict.fromkeys(_canonical(name) for name in spelt))


def left_out(names: Sequence[str]) -> dict[str, str]:
    """Rivals that only a short name means and that nobody has tried to install -> how to, in a line. One whose
    installation failed is not among them: its runs tell the error."""
    meant = dict.fromkeys(each for name in names for each in ALIASES.get(name, ()) if each in RIVALS)
    found = {name: status_of(RIVALS[name].environment) for name in meant if name not in names}
    return {name: detail for name, (state, detail) in found.items() if state is State.ABSENT}


def contestant(name: str) -> Contestant:
    """The contestant of that name. Raises UnknownNameError, MissingExtraError, SpecError on bad settings, and
    NoEnvironmentError of a rival that nobody has tried to install."""
    component = _component(name)
    if component.name in ALGORITHMS or ":" in component.name:
        check_ours(component)
        return Contestant(_canonical(name), partial(create_ours, component))
    if component.settings:
        raise SpecError([Problem(name, f"settings are for our own algorithms: {', '.join(sorted(ALGORITHMS))}")])
    if name not in RIVALS:
        raise UnknownNameError("algorithm", name, [*ALGORITHMS, *RIVALS, *ALIASES])
    state, detail = status_of(RIVALS[name].environment)
    if state is State.ABSENT:
        raise NoEnvironmentError(f"rival {name!r} is absent: {detail}")
    return Contestant(name, partial(Rival, name), learns_from_all=False)


def _canonical(name: str) -> str:
    component = _component(name)
    return ":".join([component.name, *(f"{key}={value}" for key, value in sorted(component.settings.items()))])


def _component(name: str) -> Component:
    """``a:x=1:y=2`` -> a with settings; parts without a ``=`` belong to the name (``package.module:Class``)."""
    parts = name.split(":")
    first = next((i for i, part in enumerate(parts) if "=" in part), len(parts))
    settings: dict[str, str] = {}
    for part in parts[first:]:
        key, equals, value = part.partition("=")
        if not (equals and _VALUE.fullmatch(key) and _VALUE.fullmatch(value)):
            raise SpecError([Problem(name, f"got {part!r}, expected setting=value of letters, digits and any of _.+-")])
        if key in settings:
            raise SpecError([Problem(name, f"setting {key!r} is given twice")])
        settings[key] = value
    return Component(":".join(parts[:first]), settings)
