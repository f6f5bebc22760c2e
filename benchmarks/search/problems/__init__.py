"""The problems by name. A name says nothing is read or imported yet: calling its entry loads the problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.search.problem import Problem
from benchmarks.search.problems.data import MissingDataError
from katib.core.errors import MissingExtraError, UnknownNameError
from katib.core.naming import load

DIMENSIONS = (2, 5, 10, 20)
BBOB = (
    "sphere", "ellipsoid", "rastrigin", "rosenbrock", "attractive-sector", "step-ellipsoid", "weierstrass",
    "sharp-ridge", "ackley", "different-powers", "gallagher", "levy", "schwefel", "griewank-rosenbrock", "katsuura",
    "schaffers",
)  # fmt: skip
SPECIAL = ("noisy", "failing", "categories", "mixed", "tree", "vessel", "cliff", "grid")
SCIKIT_LEARN = (
    "svm-digits", "forest-breast-cancer", "boosting-diabetes", "network-digits", "elastic-diabetes", "pipeline-wine",
)  # fmt: skip
MULTI_OBJECTIVE = ("zdt1", "accuracy-latency", "zdt2", "zdt3")
TABLES = (
    ("fcnet", "naval_propulsion"), ("fcnet", "protein_structure"),
    ("mlp", "australian"), ("mlp", "car"), ("mlp", "phoneme"), ("mlp", "vehicle"),
    ("nasbench201", "cifar10"), ("nasbench201", "cifar100"), ("nasbench201", "imagenet16_120"),
)  # fmt: skip
LCBENCH = ("3945", "167104", "167185", "168335", "189866")  # each seventh of the 34 tasks, as they are listed


@dataclass(frozen=True, slots=True)
class Entry:
    """A problem that is not loaded yet. family: as ``Problem`` has it. module: in this package, with a function
    ``problem``. arguments: what that function is told. needs_data: whether it is told the data folder first."""

    family: str
    module: str
    arguments: tuple[str | int, ...]
    needs_data: bool = False

    def __call__(self, data_folder: Path | None) -> Problem:
        """Load it. Raises MissingExtraError if a package for it is missing, MissingDataError if a file is."""
        target = f"{__name__}.{self.module}:problem"
        try:
            function = load("problem", target, {})
        except MissingExtraError as error:  # other extras may bring the package too, but this is the one meant for it
            raise MissingExtraError(error.package, "bench") from error
        loaded = function(data_folder, *self.arguments) if self.needs_data else function(*self.arguments)
        assert isinstance(loaded, Problem)
        return loaded


ALL: Mapping[str, Entry] = {
    **{f"{name}-{d}d": Entry("bbob", "bbob", (name, d)) for name in BBOB for d in DIMENSIONS},
    **{name: Entry("special", "special", (name,)) for name in SPECIAL},
    **{name: Entry("scikit-learn", "scikit_learn", (name,)) for name in SCIKIT_LEARN},
    **{name: Entry("multi-objective", "multi_objective", (name,)) for name in MULTI_OBJECTIVE},
    **{f"{kind}-{s}".replace("_", "-"): Entry("tables", "tables", (kind, s), needs_data=True) for kind, s in TABLES},
    **{f"lcbench-{task}": Entry("tables", "lcbench", (task,), needs_data=True) for task in LCBENCH},
}


def problem(name: str, data_folder: Path | None = None) -> Problem:
    """The problem of that name. data_folder: where tables and surrogates lie. Raises UnknownNameError, and what
    ``Entry`` raises."""
    entry = ALL.get(name)
    if entry is None:
        raise UnknownNameError("problem", name, ALL)
    try:
        return entry(data_folder)
    except MissingDataError as error:
        raise MissingDataError(error.folder, error.file, name) from None
