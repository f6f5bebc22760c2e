"""The controller is a distribution over architectures: probabilities, draws, entropy, skip penalty; and its policy
gradient is that of the expected reward."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn.utils import parameters_to_vector, vector_to_parameters

from algorithms.enas.controller import Shape, controller_of
from algorithms.enas.policy import Baseline, Learning, loss
from algorithms.networks.threads import one_torch_thread

pytestmark = pytest.mark.requires("torch")


@pytest.fixture(autouse=True)
def one_thread():
    with one_torch_thread():
        yield


DIRECTIONS = 10
BOUNDED = Shape(hidden_size=3, temperature=0.5, tanh_constant=2.25)
FREE = Shape(hidden_size=3, temperature=None, tanh_constant=None)
# options, layers of a chain, shape
CASES = [
    pytest.param((2, 3, 2), 0, BOUNDED, id="sequence"),
    pytest.param((3, 1, 3), 0, FREE, id="sequence-without-bounds"),
    pytest.param((2, 2, 2, 2, 2, 2), 3, BOUNDED, id="chain"),
    pytest.param((3, 3, 2), 2, FREE, id="chain-without-bounds"),
]


def controller(options, layers, shape):
    """One in double precision, far from even."""
    made = controller_of(options, layers, shape).double()
    made.begin(np.random.default_rng(1))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter *= 8
    return made


def everything(options):
    return torch.tensor(list(itertools.product(*map(range, options))))


@pytest.mark.parametrize(("options", "layers", "shape"), CASES)
def test_probabilities_of_all_architectures_sum_to_one(options, layers, shape):
    walk = controller(options, layers, shape)(everything(options))
    assert walk.log_probability.exp().sum().item() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("options", "layers", "shape"), CASES)
def test_the_entropy_along_the_way_is_that_of_the_distribution(options, layers, shape):
    walk = controller(options, layers, shape)(everything(options))
    probabilities = walk.log_probability.exp()
    whole = -(probabilities * walk.log_probability).sum().item()
    assert (probabilities * walk.entropy).sum().item() == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize(("options", "layers", "shape"), CASES)
def test_draws_are_as_frequent_as_they_are_probable(options, layers, shape):
    made, count = controller(options, layers, shape), 20_000
    uniforms = torch.from_numpy(np.random.default_rng(2).random((count, len(options))))
    drawn = made.sample(uniforms)
    assert torch.equal(drawn.log_probability, made(drawn.choices).log_probability)
    probabilities = made(everything(options)).log_probability.exp()
    for architecture, probability in zip(everything(options), probabilities.tolist(), strict=True):
        share = (drawn.choices == architecture).all(-1).double().mean().item()
        assert share == pytest.approx(probability, abs=5 * (probability / count) ** 0.5 + 1e-9)


def gradient(made):
    return torch.cat([parameter.grad.reshape(-1) for parameter in made.parameters()])


@pytest.mark.parametrize("middle", [0.0, 0.7], ids=["no-baseline", "baseline"])
@pytest.mark.parametrize(("options", "layers", "shape"), CASES)
def test_the_expected_update_is_the_gradient_of_the_expected_reward(options, layers, shape, middle):
    """By central differences in random directions, all architectures written out; a baseline does not change it."""
    made, architectures = controller(options, layers, shape), everything(options)
    rewards = torch.from_numpy(np.random.default_rng(3).random(len(architectures)))

    def expected_reward():
        return (made(architectures).log_probability.exp() * rewards).sum().item()

    walk = made(architectures)
    weights = walk.log_probability.exp().detach() * len(architectures)  # since the loss is the mean of all
    loss(walk, weights * (rewards - middle), Learning(0.1, 0.9)).backward()
    place, rng = parameters_to_vector(made.parameters()).detach(), np.random.default_rng(4)
    for _ in range(DIRECTIONS):
        direction = torch.from_numpy(rng.normal(size=len(place)))
        ends = []
        for step in (-1e-5, 1e-5):
            vector_to_parameters(place + step * direction, made.parameters())
            ends.append(expected_reward())
        vector_to_parameters(place, made.parameters())
        slope = (ends[1] - ends[0]) / 2e-5
        assert -(gradient(made) @ direction).item() == pytest.approx(slope, rel=1e-6, abs=1e-9)
    assert gradient(made).abs().max() > 1e-3


@pytest.mark.parametrize(("options", "layers", "shape"), CASES)
def test_a_reward_that_is_the_same_for_all_architectures_teaches_nothing(options, layers, shape):
    """What Katib's service gives its controller: the mean objective of all trials, for every architecture that it
    draws. The expected update is zero, whatever the mean is."""
    made, architectures = controller(options, layers, shape), everything(options)
    walk = made(architectures)
    probabilities = walk.log_probability.exp().detach()
    (probabilities * -0.8 * walk.log_probability).sum().backward()
    assert gradient(made).abs().max() < 1e-12


def test_the_entropy_and_the_skip_penalty_are_descended_with_their_weights():
    walk = controller((2, 2, 2), 2, BOUNDED)(torch.tensor([[0, 1, 1]]))
    given = loss(walk, torch.tensor([0.5]), Learning(0.1, 0.9, entropy_weight=0.3, skip_weight=0.2))
    expected = -0.5 * walk.log_probability - 0.3 * walk.entropy + 0.2 * walk.skip_penalty
    assert given.item() == pytest.approx(expected.item())


@pytest.mark.parametrize("target", [0.1, 0.4, 0.9])
def test_the_skip_penalty_is_the_divergence_from_the_target(target):
    """Of two layers there is one skip, whose probability is read off the draws."""
    made = controller((1, 1, 2), 2, Shape(3, None, None, skip_target=target))
    walk = made(torch.tensor([[0, 0, 1]]))
    joined = walk.log_probability.exp().item()
    divergence = joined * np.log(joined / target) + (1 - joined) * np.log((1 - joined) / (1 - target))
    assert walk.skip_penalty.item() == pytest.approx(divergence)


def test_a_target_of_all_layers_has_a_finite_penalty():
    walk = controller((1, 1, 2), 2, Shape(3, skip_target=1.0))(torch.tensor([[0, 0, 1]]))
    assert torch.isfinite(walk.skip_penalty).all()


@pytest.mark.parametrize(
    ("decay", "rewards", "advantages"),
    [
        (0.5, [4.0, 4.0, 1.0, 1.0], [0.0, 0.0, -3.0, -9 / 7]),
        (1.0, [1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 1.5, 2.0]),
        (0.999, [5.0, 5.0, 5.0], [0.0, 0.0, 0.0]),
    ],
    ids=["half", "mean-of-all", "no-pull-to-zero"],
)
def test_the_baseline(decay, rewards, advantages):
    baseline = Baseline(decay)
    assert [baseline.advantage(reward) for reward in rewards] == pytest.approx(advantages)
