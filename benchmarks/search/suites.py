"""Named lists of problems, fixed before any algorithm was run on them.

Every family's problems that need no data folder stand in the order of their lists and go to the two halves by turns:
"tuning" is what defaults may be chosen on, "held-out" is looked at once. The functions of the bbob family take their
dimensions 5, 10, 2, 20 in turn; so that both halves have all of these, every group of four begins with the other half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.search.problems import ALL, BBOB, MULTI_OBJECTIVE, SCIKIT_LEARN, SPECIAL
from katib.core.errors import UnknownNameError

_BBOB_FUNCTIONS = 12  # the first of the list; the others are there by name
_BBOB_DIMENSIONS = (5, 10, 2, 20)

_CONTINUOUS = tuple(f"{name}-{_BBOB_DIMENSIONS[i % 4]}d" for i, name in enumerate(BBOB[:_BBOB_FUNCTIONS]))


def _halves() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tuning and held-out."""
    halves: tuple[list[str], list[str]] = ([], [])
    for i, name in enumerate(_CONTINUOUS):
        halves[(i + i // 4) % 2].append(name)
    for family in (SPECIAL, SCIKIT_LEARN, MULTI_OBJECTIVE):
        for i, name in enumerate(family):
            halves[i % 2].append(name)
    return tuple(halves[0]), tuple(halves[1])


TUNING, HELD_OUT = _halves()

# For rivals that take seconds for a suggestion: ten problems, five of each half, that nearly all of them can be asked.
SLOW = (
    "rastrigin-2d", "attractive-sector-5d", "ackley-5d", "ellipsoid-10d", "noisy", "categories", "mixed", "svm-digits",
    "network-digits", "pipeline-wine",
)  # fmt: skip

SUITES: Mapping[str, Sequence[str]] = {
    "tuning": TUNING,
    "held-out": HELD_OUT,
    "full": (*TUNING, *HELD_OUT),
    "quick": ("sphere-2d", "mixed", "tree", "grid"),
    "multi-objective": MULTI_OBJECTIVE,
    "slow": SLOW,
    "tables": tuple(name for name, entry in ALL.items() if entry.needs_data),
}


def suite(name: str) -> Sequence[str]:
    """The problems of the suite of that name, or the one problem. Raises UnknownNameError."""
    if name in SUITES:
        return SUITES[name]
    if name in ALL:
        return (name,)
    raise UnknownNameError("suite", name, (*SUITES, *ALL))
