"""Scores of untrained networks: known values, the same bits twice, every family."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from algorithms.architecture.reading import read_architecture  # noqa: E402
from algorithms.networks.zero_cost import SCORES, naswot, random_images, score, synflow  # noqa: E402
from tests.algorithms.networks.test_networks import EMPTY, RESNET, SMALL, _chain, _operation  # noqa: E402

pytestmark = pytest.mark.requires("torch")

CHAIN = _chain(_operation("convolution", filter_size=3, num_filter=4), _operation("reduction"), skips=(0,))
FAMILIES = {"cells": SMALL, "chain": CHAIN, "nasbench201": RESNET}


class Functional(nn.Module):
    """ReLU as a function in place of a module."""

    def forward(self, x):
        return torch.relu(x)


def images(*rows):
    """An image of 1 x 1 x pixels for each row of numbers."""
    return torch.tensor(rows, dtype=torch.float32)[:, None, None, :]


@pytest.mark.parametrize(
    ("rows", "determinant"),
    [
        ([(1, 1), (1, 1)], 3 * 3 - 2 * 2),  # K = [[2, 2], [2, 2]]: no ReLU tells them apart
        ([(1, 1), (1, -1)], 3 * 3 - 1),
        ([(1, -1), (-1, 1)], 3 * 3),
        ([(0, 1), (-1, 1)], 3 * 3 - 2 * 2),  # 0 is not positive
        ([(1, 1), (1, -1), (-1, -1)], 3 * (9 - 1) - 1 * (3 - 0) + 0),
    ],
    ids=["all alike", "half alike", "opposite", "zero", "three images"],
)
@pytest.mark.parametrize(
    "relu", [nn.ReLU(), nn.ReLU(inplace=True), Functional()], ids=["module", "in place", "function"]
)
def test_naswot_of_codes_known_by_hand(relu, rows, determinant):
    assert naswot(relu, images(*rows)) == pytest.approx(math.log(determinant))


def test_naswot_counts_all_relus():
    """Two layers of the same codes: K is twice that of one."""
    assert naswot(nn.Sequential(nn.ReLU(), nn.ReLU()), images((1, 1), (1, -1))) == pytest.approx(
        math.log(5 * 5 - 2 * 2)
    )
    assert naswot(nn.Identity(), images((1, 1), (1, -1))) == 0


@pytest.mark.parametrize("norm", [True, False], ids=["batch normalisation", "without"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_synflow_of_a_linear_network(norm, bias):
    """Each of the two layers has R = 1' |W2| |W1| 1 as its part, by Euler's theorem on homogeneous functions."""
    torch.manual_seed(0)
    first, second = nn.Conv2d(2, 3, 1, bias=bias), nn.Conv2d(3, 4, 1, bias=bias)
    middle = nn.BatchNorm2d(3) if norm else nn.Identity()
    weights = [each.weight.detach().double().abs().flatten(1) for each in (first, second)]
    flow = (weights[1] @ weights[0]).sum().item()
    module = nn.Sequential(first, middle, nn.ReLU(), second)
    assert synflow(module, torch.zeros(5, 2, 1, 1)) == pytest.approx(math.log1p(2 * flow), rel=1e-12)


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize("architecture", FAMILIES.values(), ids=FAMILIES)
def test_the_seed_decides(architecture, name):
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    found = score(name, architecture, seed=3)
    assert math.isfinite(found)
    assert found > 0
    assert score(name, read_architecture(architecture), seed=3) == found
    assert score(name, architecture, seed=4) != found
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_images_of_ones_own():
    own = torch.arange(2 * 64, dtype=torch.float32).reshape(2, 1, 8, 8).sin()
    assert score("naswot", RESNET, images=own) == score("naswot", RESNET, images=own.clone())
    assert score("naswot", RESNET, images=own) != score("naswot", RESNET, images=own + 1)
    assert score("synflow", RESNET, images=own) == score("synflow", RESNET, images=own + 1)
    assert torch.equal(random_images(), random_images())


@pytest.mark.parametrize("name", SCORES)
def test_a_network_without_a_path_is_the_worst(name):
    assert score(name, EMPTY) < min(score(name, RESNET), score(name, RESNET.replace("3x3~0", "1x1~0")))


def test_what_is_no_score_or_architecture():
    with pytest.raises(ValueError, match="expected Genotype"):
        score("naswot", "nothing")
