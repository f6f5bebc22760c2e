"""Problems with a structure beside the loss: branches, divergence, and constraints on what comes out."""

from __future__ import annotations

import math

from numpy.random import Generator

from benchmarks.search.problem import Evaluation
from benchmarks.search.problems.parts import exact, numbers
from katib.core.constraints import Constraint
from katib.core.objective import Objective
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Parameters

LOG = Distribution.LOG_UNIFORM
_LINEAR, _FOREST, _NETWORK = (Condition("model", (name,)) for name in ("linear", "forest", "network"))

TREE = SearchSpace(
    (
        Choice("model", ("linear", "forest", "network")),
        Real("subsample", 0.2, 1.0),
        Choice("scaling", ("none", "standard")),
        Real("penalty", 1e-5, 10.0, LOG, condition=_LINEAR),
        Integer("trees", 10, 500, LOG, condition=_FOREST),
        Integer("depth", 1, 20, condition=_FOREST),
        Choice("optimizer", ("adam", "sgd"), condition=_NETWORK),
        Real("rate", 1e-5, 1.0, LOG, condition=_NETWORK),
        Real("momentum", 0.0, 0.99, condition=Condition("optimizer", ("sgd",))),
        Integer("layers", 1, 3, condition=_NETWORK),
        Integer("width-1", 8, 512, LOG, condition=_NETWORK),
        Integer("width-2", 8, 512, LOG, condition=Condition("layers", (2, 3))),
        Integer("width-3", 8, 512, LOG, condition=Condition("layers", (3,))),
    )
)
TREE_OPTIMUM: Parameters = {
    "model": "network", "subsample": 0.8, "scaling": "standard", "optimizer": "sgd", "rate": 0.02, "momentum": 0.9,
    "layers": 2, "width-1": 64, "width-2": 32,
}  # fmt: skip
_LAYERS = {1: 0.12, 2: 0.0, 3: 0.04}


def tree(parameters: Parameters, rng: Generator) -> Evaluation:
    """Three models with parameters of their own. The best one, of loss 0 at TREE_OPTIMUM, is bad in most places."""
    n = numbers(parameters)
    shared = 0.3 * (n["subsample"] - 0.8) ** 2
    unscaled = parameters["scaling"] == "none"
    if parameters["model"] == "linear":
        return exact({"loss": shared + 0.3 + 0.05 * math.log10(n["penalty"] / 0.01) ** 2 + 0.1 * unscaled}, rng)
    if parameters["model"] == "forest":
        trees = 0.05 * math.log10(500 / n["trees"])
        return exact({"loss": shared + 0.15 + trees + 0.002 * (n["depth"] - 9) ** 2}, rng)
    return exact({"loss": shared + _network(parameters) + 0.2 * unscaled}, rng)


def _network(parameters: Parameters) -> float:
    """Its rate counts together with the momentum; a layer's width the less, the later it comes."""
    n = numbers(parameters)
    if parameters["optimizer"] == "sgd":
        momentum = n["momentum"]
        loss = 0.2 * math.log10(n["rate"] / 0.2 / (1 - momentum)) ** 2 + 0.5 * (momentum - 0.9) ** 2
    else:
        loss = 0.08 + 0.2 * math.log10(n["rate"] / 1e-3) ** 2
    layers = int(n["layers"])
    widths = sum(math.log2(n[f"width-{i}"] / (128 >> i)) ** 2 / i for i in range(1, layers + 1))
    return loss + _LAYERS[layers] + 0.02 * widths


CLIFF = SearchSpace(
    (
        Real("rate", 1e-5, 10.0, LOG),
        Real("momentum", 0.0, 0.99),
        Ordinal("batch", (16, 32, 64, 128, 256, 512)),
        Real("decay", 1e-6, 1e-1, LOG),
        Real("warmup", 0.0, 0.2),
    )
)
CLIFF_OPTIMUM: Parameters = {"rate": 0.0375, "momentum": 0.9, "batch": 64, "decay": 1e-4, "warmup": 0.05}


def cliff(parameters: Parameters, rng: Generator) -> Evaluation:
    """Training that diverges where the effective rate, rate / (1 - momentum), is too large for batch and warm-up: then
    losses from 10^3 up to 10^12 instead of some tenths. The optimum, 0.2 at CLIFF_OPTIMUM, is at 0.6 of that rate."""
    n = numbers(parameters)
    momentum, batches = n["momentum"], math.log2(n["batch"] / 64)
    limit = 0.5 * 2 ** (batches / 2) * (1 + 5 * n["warmup"])
    share = math.log10(n["rate"] / (1 - momentum) / limit)
    if share > 0:
        return exact({"loss": 10 ** min(3 + 3 * share, 12.0)}, rng, 0.3)
    bowl = 0.25 * (share - math.log10(0.6)) ** 2 + 0.3 * (momentum - 0.9) ** 2 + 0.05 * batches**2
    rest = 0.03 * math.log10(n["decay"] / 1e-4) ** 2 + 2 * (n["warmup"] - 0.05) ** 2
    return exact({"loss": 0.2 + bowl + rest}, rng)


# A pressure vessel (E. Sandgren, 1990, as in C. A. Coello Coello: Use of a self-adaptive penalty approach for
# engineering optimization problems, 2000): plates come in sixteenths of an inch. The factors of stress are relative
# to what the plates bear, the volume is in 1,000 cubic inches.
VESSEL = SearchSpace(
    (
        Real("shell", 0.0625, 6.1875, step=0.0625),
        Real("head", 0.0625, 6.1875, step=0.0625),
        Real("radius", 10.0, 200.0),
        Real("length", 10.0, 200.0),
    )
)
VESSEL_OBJECTIVE = Objective(
    "cost",
    additional=("shell-stress", "head-stress", "volume"),
    constraints=(Constraint("`shell-stress` <= 1"), Constraint("`head-stress` <= 1"), Constraint("volume >= 1296")),
)


def vessel_volume(radius: float, length: float) -> float:
    """Of a cylinder with half a ball at each end, in 1,000 cubic inches."""
    return math.pi * radius**2 * (length + 4 / 3 * radius) / 1000


def vessel_cost(shell: float, head: float, radius: float, length: float) -> float:
    """Of material, forming and welding, in dollars."""
    plates = 0.6224 * shell * radius * length + 1.7781 * head * radius**2
    return plates + 3.1661 * shell**2 * length + 19.84 * shell**2 * radius


def vessel(parameters: Parameters, rng: Generator) -> Evaluation:
    """The cheapest vessel that holds enough and bears its pressure."""
    n = numbers(parameters)
    outcome = {
        "cost": vessel_cost(**n),
        "shell-stress": 0.0193 * n["radius"] / n["shell"],
        "head-stress": 0.00954 * n["radius"] / n["head"],
        "volume": vessel_volume(n["radius"], n["length"]),
    }
    return exact(outcome, rng)


def vessel_optimum() -> dict[str, float]:
    """Plates of 13 and 7 sixteenths, the radius that the shell just bears, and the length that just holds enough."""
    radius = 0.8125 / 0.0193
    length = 1_296_000 / (math.pi * radius**2) - 4 / 3 * radius
    return {"shell": 0.8125, "head": 0.4375, "radius": radius, "length": length}
