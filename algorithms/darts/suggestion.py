"""``darts`` in the suggestion service: what is searched and how, as the three texts that Katib's trial images take.

The search itself is done within one trial (Liu, Simonyan & Yang 2019), so all trials get the same texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from algorithms.architecture.operations import PATH, Operation, operations_of
from algorithms.architecture.spaces import Graph
from algorithms.architecture.wire import quoted
from algorithms.settings import Settings, parse, setting
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.trial import Proposal, Suggestion

SETTINGS, SEARCH_SPACE, LAYERS = "algorithm-settings", "search-space", "num-layers"  # the trial's parameters


@dataclass(frozen=True, slots=True)
class DartsSettings(Settings):
    """Katib's settings of ``darts``."""

    num_epochs: int = setting(50, low=1, help="epochs of the search")
    w_lr: float = setting(0.025, low=0, help="learning rate of the weights at the beginning")
    w_lr_min: float = setting(0.001, low=0, help="that at the end, by a cosine")
    w_momentum: float = setting(0.9, low=0, help="momentum of the weights")
    w_weight_decay: float = setting(3e-4, low=0, help="weight decay of the weights")
    w_grad_clip: float = setting(5.0, low=0, help="largest norm of the weights' gradient")
    alpha_lr: float = setting(3e-4, low=0, help="learning rate of the architecture")
    alpha_weight_decay: float = setting(1e-3, low=0, help="weight decay of the architecture")
    batch_size: int | None = setting(128, low=1, or_none=True, help="examples of a step; None leaves it to the trial")
    num_workers: int = setting(4, low=0, help="processes that load data")
    init_channels: int = setting(16, low=1, help="channels of the first cell")
    print_step: int = setting(50, low=1, help="steps between two lines of the log")
    num_nodes: int = setting(4, low=1, help="intermediate nodes of a cell")
    stem_multiplier: int = setting(3, low=1, help="channels of the stem, as multiples of init_channels")


class Darts:
    """The same texts for every trial."""

    settings_class = DartsSettings
    reads_architectures = True

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting or nasConfig."""
        settings = parse(DartsSettings, spec.algorithm)
        if spec.nas is None:
            raise SpecError([Problem("spec.nasConfig", "missing: darts searches architectures")])
        graph, operations = Graph.of(spec.nas), operations_of(spec.nas)
        problems = [Problem(PATH, wrong) for each in operations if (wrong := _unfit(each))]
        if problems:
            raise SpecError(problems)
        self._parameters = {
            SETTINGS: quoted(_texts(spec, settings)),
            SEARCH_SPACE: quoted([operation.label for operation in operations]),
            LAYERS: str(graph.layers),
        }

    def suggest(self, history: History, count: int) -> Proposal:
        """``count`` times the same."""
        return Proposal((Suggestion(self._parameters),) * count)


def _texts(spec: ExperimentSpec, settings: DartsSettings) -> dict[str, Any]:
    """As Katib writes them: what the user set is text, defaults are numbers."""
    given = spec.algorithm.settings
    names = DartsSettings.__dataclass_fields__
    values = {name: given.get(name, getattr(settings, name)) for name in names}
    return {name: None if value == "None" else value for name, value in values.items()}


def _unfit(operation: Operation) -> str:
    """Why an operation is none of a cell, empty if it is one."""
    names = [name for name, _ in operation.parameters]
    if names not in ([], ["filter_size"]):
        return f"{operation.label!r}: operations of cells have a filter_size at most, got {', '.join(names)}"
    return ""
