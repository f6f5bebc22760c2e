"""What Vizier's adapter does more quickly gives the same suggestions, bit by bit, in Vizier's environment."""

from __future__ import annotations

import pytest

from tests.benchmarks.search.rival_program import run_in

_COMPARISON = """
import jax
import numpy as np
from vizier import pyvizier as vz
from vizier._src.algorithms.designers.gp_ucb_pe import VizierGPUCBPEBandit
from vizier.algorithms import ActiveTrials, CompletedTrials
from vizier.pyvizier.converters.padding import PaddingSchedule, PaddingType
from adapters import vizier_quicker

jax.config.update("jax_enable_x64", True)
problem = vz.ProblemStatement()
problem.search_space.root.add_float_param("x", -1.0, 1.0)
problem.search_space.root.add_float_param("y", 0.1, 10.0, scale_type=vz.ScaleType.LOG)
problem.search_space.root.add_categorical_param("z", ["a", "b", "c"])
problem.metric_information.append(vz.MetricInformation("loss", goal=vz.ObjectiveMetricGoal.MINIMIZE))
generator = np.random.default_rng(1)
points = [{"x": generator.uniform(-1, 1), "y": generator.uniform(0.1, 10), "z": "abc"[i % 3]} for i in range(10)]
losses = [point["x"] ** 2 + np.sin(point["y"]) + 0.1 * (point["z"] == "b") for point in points]
trials = [
    vz.Trial(id=i + 1, parameters=point).complete(vz.Measurement({"loss": loss}))
    for i, (point, loss) in enumerate(zip(points, losses))
]

def suggested(**settings):
    schedule = PaddingSchedule(num_trials=PaddingType.MULTIPLES_OF_10)
    designer = VizierGPUCBPEBandit(problem, rng=jax.random.PRNGKey(1), padding_schedule=schedule, **settings)
    designer.update(CompletedTrials(trials), ActiveTrials([]))
    (suggestion,) = designer.suggest(1)
    return suggestion.parameters.as_dict()

theirs = suggested()
vizier_quicker.install()
ours = suggested(ard_optimizer=vizier_quicker.Lbfgs())
assert theirs == ours and len(ours) == 3, (theirs, ours)
print("the same")
"""


@pytest.mark.slow
@pytest.mark.requires("rival-vizier")
def test_the_same_suggestions():
    assert run_in("vizier", _COMPARISON).endswith("the same\n")
