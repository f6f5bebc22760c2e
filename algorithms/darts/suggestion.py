"""``darts`` in the suggestion service: what is searched and how, as the three texts that Katib's trial images take.

The search itself is done within one trial (Liu, Simonyan & Yang 2019), so all trials get the same texts. They are
read by ``python -m algorithms.darts.train`` and by the trial image of Katib.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from algorithms.architecture.operations import PATH, Operation, operations_of
from algorithms.architecture.search import SETTINGS as GIVEN
from algorithms.architecture.spaces import Graph
from algorithms.architecture.wire import quoted
from algorithms.darts.presets import PRESETS, ROBUST, SAMPLINGS, SELECTIONS, SIGMOID, Method
from algorithms.settings import Settings, parse, setting
from katib.core.errors import Problem, SpecError
from katib.core.experiment import Component, ExperimentSpec
from katib.core.history import History
from katib.core.trial import Proposal, Suggestion

KATIBS = (
    "num_epochs", "w_lr", "w_lr_min", "w_momentum", "w_weight_decay", "w_grad_clip", "alpha_lr",
    "alpha_weight_decay", "batch_size", "num_workers", "init_channels", "print_step", "num_nodes", "stem_multiplier",
)  # fmt: skip
SETTINGS, SEARCH_SPACE, LAYERS = "algorithm-settings", "search-space", "num-layers"  # the trial's parameters
SWITCH = ON, OFF = ("on", "off")
_PRESETS = "the preset's if left out"


@dataclass(frozen=True, slots=True)
class DartsSettings(Settings):
    """Katib's settings of ``darts``; below them those of ``algorithms.darts.train``, which other trial images are told
    only where they are set."""

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
    preset: str | None = setting(None, choices=tuple(PRESETS), help=f"method of the search; left out: {ROBUST}")
    order: int | None = setting(None, low=1, high=2, help=f"of the architecture's gradient; {_PRESETS}")
    sampling: str | None = setting(None, choices=SAMPLINGS, help=f"from alphas to weights of operations; {_PRESETS}")
    partial_channels: int | None = setting(
        None, low=1, help=f"one of so many channels goes through the operations; {_PRESETS}"
    )
    edge_normalisation: str | None = setting(None, choices=SWITCH, help=f"whether edges have weights; {_PRESETS}")
    auxiliary_skip: str | None = setting(
        None, choices=SWITCH, help=f"whether every edge has a further skip connection that fades; {_PRESETS}"
    )
    skip_until: float | None = setting(
        None, above=0, high=1, help=f"share of the epochs after which these have faded; {_PRESETS}"
    )
    warm_up: float | None = setting(
        None, low=0, below=1, help=f"share of the epochs in which the weights alone are trained; {_PRESETS}"
    )
    selection: str | None = setting(None, choices=SELECTIONS, help=f"how the genotype is found; {_PRESETS}")
    most_skips: int | None = setting(None, low=0, help=f"skip connections of the normal cell at most; {_PRESETS}")
    zero_one: float | None = setting(
        None, low=0, help=f"weight of the loss that draws weights of operations to 0 or 1, for sigmoid; {_PRESETS}"
    )
    stop_at_collapse: str = setting(
        OFF, choices=SWITCH, help="whether a search ends when more than half of the normal cell is skip connections"
    )
    candidates: int = setting(3, low=1, help="genotypes to choose from where the selection is by retraining")
    candidate_epochs: int | None = setting(
        None, low=1, help="epochs that each of these is trained for; a quarter of retrain_epochs unless set"
    )
    retrain_epochs: int = setting(60, low=1, help="epochs that the chosen genotype is trained for in the end")

    @property
    def epochs_of_candidates(self) -> int:
        """By whose training one of the candidates is chosen."""
        return self.candidate_epochs or -(-self.retrain_epochs // 4)

    @property
    def method(self) -> Method:
        """The preset, with what is set beside it."""
        given = {name: getattr(self, name) for name in Method.__dataclass_fields__}
        switches = {name: given[name] == ON for name in ("edge_normalisation", "auxiliary_skip") if given[name]}
        changed = {name: value for name, value in given.items() if value is not None}
        return replace(PRESETS[self.preset or ROBUST], **(changed | switches))


def read_settings(component: Component, path: str = GIVEN) -> DartsSettings:
    """Those of ``component``. Raises SpecError, also for a zero-one loss where weights of operations share a sum."""
    settings = parse(DartsSettings, component, path)
    method = settings.method
    if method.zero_one and method.sampling != SIGMOID:
        wrong = f"got {method.zero_one:g} with sampling {method.sampling}, expected 0, or sampling {SIGMOID}"
        raise SpecError([Problem(f"{path}[zero_one]", wrong)])
    return settings


class Darts:
    """The same texts for every trial."""

    settings_class = DartsSettings
    reads_architectures = True

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting or nasConfig."""
        settings = read_settings(spec.algorithm)
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
    names = [name for name in DartsSettings.__dataclass_fields__ if name in KATIBS or name in given]
    values = {name: given.get(name, getattr(settings, name)) for name in names}
    return {name: None if value == "None" else value for name, value in values.items()}


def _unfit(operation: Operation) -> str:
    """Why an operation is none of a cell, empty if it is one."""
    names = [name for name, _ in operation.parameters]
    if names not in ([], ["filter_size"]):
        return f"{operation.label!r}: operations of cells have a filter_size at most, got {', '.join(names)}"
    return ""
