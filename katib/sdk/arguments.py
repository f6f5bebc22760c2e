"""What ``tune`` and ``search`` accept: rules in a table, so that everything wrong is said at once, each with the value
and what was expected."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from katib.core.errors import Problem, SpecError
from katib.core.objective import Direction
from katib.resources.validation import NAME_RULE, is_experiment_name
from katib.sdk.result import Result
from trial_runners.settings import KubernetesSettings, RaySettings

RUNNERS = ("process", "inline", "ray", "kubernetes")


class Rule(NamedTuple):
    """holds: whether a value is right. expected: what it must be, for people."""

    holds: Callable[[Any], bool]
    expected: str


def is_whole(value: Any) -> bool:
    """Whether it is an integer, NumPy's included; a truth value is most likely a mistake."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_finite(value: Any) -> bool:
    """Whether it is a real number within the range of floats, NumPy's included."""
    try:
        return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


def is_name(value: Any) -> bool:
    """Whether it can name a metric or a parameter."""
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def optional(rule: Rule) -> Rule:
    """The rule, or None."""
    return Rule(lambda value: value is None or rule.holds(value), f"{rule.expected} or None")


def at_least(low: int) -> Rule:
    """An integer from ``low`` on."""
    return Rule(lambda value: is_whole(value) and value >= low, f"an integer >= {low}")


def one_of(*names: str) -> Rule:
    """One of these texts."""
    return Rule(lambda value: isinstance(value, str) and value in names, " or ".join(repr(str(name)) for name in names))


def _both(first: Rule, second: Rule) -> Rule:
    """Both rules; what the first refuses is not shown to the second."""
    return Rule(lambda value: first.holds(value) and second.holds(value), second.expected)


MAPPING = Rule(lambda value: isinstance(value, Mapping), "a mapping from names to values")

_SECONDS = Rule(lambda value: is_finite(value) and value > 0, "a number of seconds > 0")


def sequence_of(kind: type, expected: str) -> Rule:
    """A sequence whose items are all of that kind; a text alone is none."""
    return Rule(
        lambda value: (
            isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(item, kind) for item in value)
        ),
        expected,
    )


_SPACE = Rule(
    lambda value: isinstance(value, Mapping) and len(value) > 0 and all(map(is_name, value)),
    "a mapping from parameter names to helpers of katib.search",
)

_SEARCH: Mapping[str, Rule] = {
    "parallel": at_least(1),
    "algorithm_settings": optional(MAPPING),
    "early_stopping_settings": optional(MAPPING),
    "direction": one_of(*Direction),
    "metric": Rule(is_name, "the name of a metric"),
    "goal": optional(Rule(is_finite, "a finite number")),
    "objectives": optional(
        Rule(
            lambda value: (
                isinstance(value, Mapping)
                and len(value) > 1
                and all(map(is_name, value))
                and all(direction in tuple(Direction) for direction in value.values())
            ),
            "a mapping from two or more metrics to 'minimize' or 'maximize'",
        )
    ),
    "constraints": sequence_of(str, "a list of expressions such as 'lr * batch <= 1'"),
    "initial": sequence_of(Mapping, "a list of mappings from parameters to values"),
    "repeats": at_least(1),
    "max_duration": optional(_SECONDS),
    "max_trial_duration": optional(_SECONDS),
    "max_failed": optional(at_least(0)),
    "seed": optional(at_least(0)),
    "folder": optional(Rule(lambda value: isinstance(value, str | os.PathLike), "a path")),
}

_KEPT: Mapping[str, Rule] = {
    "store": optional(
        Rule(lambda value: isinstance(value, str) and "://" in value, "a URL such as sqlite:///katib.db")
    ),
    "name": optional(Rule(lambda value: isinstance(value, str) and is_experiment_name(value), NAME_RULE)),
    "wait": Rule(lambda value: is_finite(value) and value >= 0, "a number of seconds >= 0"),
}

_BOOLEAN = Rule(lambda value: isinstance(value, bool), "True or False")

TUNE: Mapping[str, Rule] = {
    "objective": Rule(callable, "a function of the parameters"),
    "space": optional(_SPACE),
    "max_trials": at_least(1),
    **_SEARCH,
    "runner": one_of(*RUNNERS),
    "ray": optional(Rule(lambda value: isinstance(value, RaySettings), "katib.RaySettings(...)")),
    "kubernetes": optional(Rule(lambda value: isinstance(value, KubernetesSettings), "katib.KubernetesSettings(...)")),
    "resources": optional(MAPPING),
    "workers": at_least(1),
    "isolate": _BOOLEAN,
    "progress": optional(_BOOLEAN),
    **_KEPT,
    "warm_start": Rule(
        lambda value: isinstance(value, Sequence) and all(isinstance(each, Result) for each in value),
        "a list of results of katib.tune",
    ),
}

#: What needs a space that is known beforehand.
_OPEN: Mapping[str, Rule] = {
    "constraints": Rule(lambda value: not value, "none without a space: it must tell parameters from metrics"),
    "initial": Rule(lambda value: not value, "none without a space"),
    "repeats": Rule(lambda value: value == 1, "1 without a space"),
    "warm_start": Rule(lambda value: not value, "none without a space"),
    "workers": Rule(lambda value: value == 1, "1 without a space: one call defines it"),
    "runner": Rule(lambda value: value != "kubernetes", "'process', 'inline' or 'ray' without a space"),
}

OPTIMIZER: Mapping[str, Rule] = {
    "space": _SPACE,
    "max_trials": optional(at_least(1)),
    **_SEARCH,
    **_KEPT,
}


def check(rules: Mapping[str, Rule], arguments: Mapping[str, Any], *, source: str = "") -> None:
    """Raises SpecError naming every argument that does not follow its rule."""
    if rules is TUNE and arguments["space"] is None:
        rules = {**rules, **{name: _both(rules[name], rule) for name, rule in _OPEN.items()}}
    problems = [
        Problem(name, f"got {arguments[name]!r}, expected {rule.expected}")
        for name, rule in rules.items()
        if not rule.holds(arguments[name])
    ]
    if problems:
        raise SpecError(problems, source=source)
