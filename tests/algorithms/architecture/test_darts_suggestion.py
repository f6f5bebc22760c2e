"""``darts`` as a service: Katib's three texts for its examples, the second request and a restart included."""

from __future__ import annotations

import json

import pytest

from algorithms import create_algorithm
from algorithms.darts.presets import PRESETS, Method
from algorithms.darts.suggestion import DartsSettings
from katib.core.errors import SpecError
from katib.core.history import History
from katib.core.space import SearchSpace
from tests.algorithms.architecture.experiments import CELLS, example, operation, spec

DEFAULTS = {
    "num_epochs": 50, "w_lr": 0.025, "w_lr_min": 0.001, "w_momentum": 0.9, "w_weight_decay": 3e-4, "w_grad_clip": 5.0,
    "alpha_lr": 3e-4, "alpha_weight_decay": 1e-3, "batch_size": 128, "num_workers": 4, "init_channels": 16,
    "print_step": 50, "num_nodes": 4, "stem_multiplier": 3,
}  # fmt: skip
LARGE = [
    "separable_convolution_3x3", "separable_convolution_5x5", "dilated_convolution_3x3", "dilated_convolution_5x5",
    "avg_pooling_3x3", "max_pooling_3x3", "skip_connection",
]  # fmt: skip


def read(text):
    return json.loads(text.replace("'", '"'))


@pytest.mark.parametrize(
    ("name", "given", "operations", "layers"),
    [
        ("darts", {"num_epochs": "1", "num_nodes": "2"}, [*LARGE[:2], "max_pooling_3x3", "skip_connection"], "3"),
        ("darts-large", {"num_epochs": "3"}, LARGE, "8"),
    ],
)
def test_katibs_examples(name, given, operations, layers):
    made = example(name)
    history = History(made.space, made.objective)
    algorithm = create_algorithm(made)
    first, second = algorithm.suggest(history, 1), algorithm.suggest(history, 2)
    assert first.suggestions * 2 == second.suggestions
    assert create_algorithm(made).suggest(history, 1) == first
    (texts,) = (each.parameters for each in first.suggestions)
    assert read(texts["algorithm-settings"]) == {**DEFAULTS, **given}
    assert read(texts["search-space"]) == operations
    assert texts["num-layers"] == layers
    assert not any('"' in text for text in texts.values())


def test_settings_of_ours_are_told_where_they_are_set():
    made = spec(CELLS, "darts", preset="pc-darts", warm_up=0.2, most_skips=2, auxiliary_skip="on")
    (suggestion,) = create_algorithm(made).suggest(History(SearchSpace(()), made.objective), 1).suggestions
    told = read(suggestion.parameters["algorithm-settings"])
    assert told == {**DEFAULTS, "preset": "pc-darts", "warm_up": "0.2", "most_skips": "2", "auxiliary_skip": "on"}


@pytest.mark.parametrize(
    ("settings", "method"),
    [
        ({}, PRESETS["robust"]),
        ({"preset": "darts"}, Method()),
        ({"preset": "darts", "order": 2, "sampling": "dirichlet"}, Method(order=2, sampling="dirichlet")),
        ({"preset": "pc-darts", "edge_normalisation": "off"}, Method(partial_channels=4, warm_up=0.3)),
        ({"preset": "darts-minus", "auxiliary_skip": "off", "most_skips": 0}, Method(most_skips=0)),
        ({"preset": "fair-darts"}, Method(sampling="sigmoid", zero_one=10)),
        ({"preset": "fair-darts", "zero_one": 0, "sampling": "softmax"}, Method()),
    ],
)
def test_methods(settings, method):
    assert DartsSettings(**settings).method == method


def test_none_is_null():
    made = spec(CELLS, "darts", batch_size="None")
    (suggestion,) = create_algorithm(made).suggest(History(SearchSpace(()), made.objective), 1).suggestions
    assert read(suggestion.parameters["algorithm-settings"])["batch_size"] is None


@pytest.mark.parametrize(
    ("nas", "settings", "path"),
    [
        (CELLS, {"num_epoch": 3}, "spec.algorithm.algorithmSettings[num_epoch]"),
        (CELLS, {"num_nodes": 0}, "spec.algorithm.algorithmSettings[num_nodes]"),
        (CELLS, {"preset": "robusst"}, "spec.algorithm.algorithmSettings[preset]"),
        (CELLS, {"warm_up": 1}, "spec.algorithm.algorithmSettings[warm_up]"),
        (CELLS, {"zero_one": -1}, "spec.algorithm.algorithmSettings[zero_one]"),
        (CELLS, {"zero_one": 1}, "spec.algorithm.algorithmSettings[zero_one]"),
        (CELLS, {"preset": "fair-darts", "sampling": "gumbel"}, "spec.algorithm.algorithmSettings[zero_one]"),
        (CELLS, {"batch_size": 0}, "spec.algorithm.algorithmSettings[batch_size]"),
        ({**CELLS, "graphConfig": {}}, {}, "spec.nasConfig.graphConfig.numLayers"),
        ({**CELLS, "operations": [operation("reduction", reduction_type=["max_pooling"], pool_size=[2])]}, {},
         "spec.nasConfig.operations"),
        (None, {}, "spec.nasConfig"),
    ],
)  # fmt: skip
def test_what_is_wrong(nas, settings, path):
    with pytest.raises(SpecError) as caught:
        create_algorithm(spec(nas, "darts", **settings))
    assert [problem.path for problem in caught.value.problems] == [path]
